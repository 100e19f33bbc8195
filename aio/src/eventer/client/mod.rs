//! The client of an event server.

mod notification;
mod options;
mod session;

use std::sync::Arc;

use bytestring::ByteString;

use super::Error;
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::pending::PendingResponse;
use crate::runtime::{Runtime, Stream};
use crate::shared::{ConnectionSlot, Wait};
use crate::{IntoAddress, net};
use hat_core::eventer::client::{Client as Machine, RequestId};
use hat_core::eventer::message::InitReq;
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent, SendFault, Status};

pub(super) use notification::Ack;
pub use notification::{Events, Notification, NotificationStream};
pub use options::{ConnectError, ConnectOptions, RequestError};
use session::{Answer, ClientSession, Notice};

/// Connects to the event server at `address` as `name`, and waits until the server accepts the
/// client.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect<R: Runtime>(
    address: impl IntoAddress,
    name: impl Into<ByteString>,
    options: ConnectOptions,
) -> Result<Client, ConnectError> {
    let address = address.into_address().map_err(crate::ConnectError::from)?;
    let (tls, socket) = (options.tls.clone(), options.socket);
    let session = session(name.into(), options)?;
    let stream = net::connect::<R>(&address, tls.as_ref(), &socket).await?;
    let connect = |error| crate::ConnectError::Connect { address, error: Arc::new(error) };
    let handle =
        Handle::start::<R>(stream, |_| session, ConnectionSlot::nowhere()).map_err(connect)?;
    handle.wait(Wait::Incoming, |session| session.status).await?;
    Ok(Client { handle })
}

/// As [`connect`], over a given stream. The options `tls` and `socket` are not used.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect_on<R: Runtime>(
    stream: impl Stream,
    name: impl Into<ByteString>,
    options: ConnectOptions,
) -> Result<Client, ConnectError> {
    let session = session(name.into(), options)?;
    let handle = Handle::start::<R>(stream, |_| session, ConnectionSlot::nowhere())
        .map_err(|error| crate::Error::Io(Arc::new(error)))?;
    handle.wait(Wait::Incoming, |session| session.status).await?;
    Ok(Client { handle })
}

fn session(name: ByteString, options: ConnectOptions) -> Result<ClientSession, ConnectError> {
    let init = InitReq {
        client_name: name,
        client_token: options.token,
        subscriptions: options.subscriptions,
        server_id: options.server_id,
        persisted: options.persisted,
    };
    let machine = Machine::new(options.config, &init, hat_core::time::Instant::ORIGIN);
    Ok(ClientSession::new(machine.map_err(ConnectError::Init)?, options.inbox))
}

/// A client of an event server. Cheap to clone; when the last clone is dropped, the connection
/// closes.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Handle<ClientSession>,
}

impl Client {
    /// The server's last known status.
    #[must_use]
    pub fn status(&self) -> Status {
        // a client that was handed out was taken by the server, which told its status
        self.handle.look(|session| session.status).unwrap_or(Status::Standby)
    }

    /// Waits for the next notification of the server: a status or events. Cancel safe.
    ///
    /// # Errors
    /// Why the connection ended, after everything that arrived before has been returned.
    pub async fn next(&self) -> Result<Notification, Error> {
        let told = self.handle.wait(Wait::Incoming, |session| session.inbox.pop()).await?;
        Ok(self.notification(told))
    }

    /// Everything that [`next`](Self::next) returns, as a stream. It ends when the connection does.
    #[must_use]
    pub fn notifications(&self) -> NotificationStream {
        NotificationStream { client: self.clone() }
    }

    fn notification(&self, told: Notice) -> Notification {
        match told {
            Notice::Status(status) => Notification::Status(status),
            Notice::Events(events, ack) => {
                let ack = ack.map(|id| Ack::new(self.handle.clone(), id));
                Notification::Events(Events { events, ack })
            }
        }
    }

    /// Registers events as one session, without a response; waits while 256 KiB are queued.
    ///
    /// `Ok` means that the events are queued, not that they are written, or that the server has
    /// received or registered them. On a frozen connection the result stays `Ok` until 256 KiB are
    /// queued, and these are lost if the connection then ends. When the runtime stops, what is
    /// queued is lost as well: before `main` returns, wait for [`close`](Self::close), which writes
    /// it, or for [`drain`](Self::drain). To know that an event is registered, use
    /// [`register_with_response`](Self::register_with_response).
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn register(&self, events: &[RegisterEvent]) -> Result<(), RequestError> {
        Ok(self.handle.send(|session| session.machine.register(events)).await??)
    }

    /// Registers events as one session, and returns the registered events in the same order, or
    /// `None` if the server did not register them.
    ///
    /// If the future is dropped before it is ready, the response is dropped when it arrives; the
    /// events may be registered all the same.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn register_with_response(
        &self,
        events: &[RegisterEvent],
    ) -> Result<Option<Vec<Event>>, RequestError> {
        let asked = self.ask(|machine| machine.register_with_response(events)).await?;
        match asked.await? {
            Answer::Registered(events) => Ok(events),
            // not reached: the machine holds answers against their requests
            Answer::Queried(_) => Ok(None),
        }
    }

    /// Queries events, for example with [`LatestParams`](hat_core::eventer::LatestParams).
    ///
    /// If the future is dropped before it is ready, the response is dropped when it arrives.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn query(&self, params: impl Into<QueryParams>) -> Result<QueryResult, RequestError> {
        let params = params.into();
        let asked = self.ask(|machine| machine.query(&params)).await?;
        match asked.await? {
            Answer::Queried(result) => Ok(result),
            Answer::Registered(_) => Ok(QueryResult::default()), // not reached, as above
        }
    }

    /// Makes a request whose answer the future waits for.
    async fn ask(
        &self,
        mut ask: impl FnMut(&mut Machine) -> Result<RequestId, SendFault>,
    ) -> Result<PendingResponse<'_, ClientSession>, RequestError> {
        let request = self.handle.send(|session| {
            let request = ask(&mut session.machine)?;
            session.answers.open(request);
            Ok::<_, SendFault>(request)
        });
        Ok(PendingResponse::new(&self.handle, request.await??))
    }

    of_every_connection!();
}
