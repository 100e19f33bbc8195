//! TPKT connections and servers on a runtime: packets with one TPDU each. COTP uses the same
//! framing, see [`cotp`](crate::cotp).

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::establish::{FromStream, ListenSettings, Split, without_handshake};
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::inbox::{Inbox, InboxLimits};
use crate::runtime::{Runtime, Stream};
use crate::server::AcceptOptions;
use crate::shared::Close;
use crate::shared::ConnectionSlot;
use crate::shared::{Delivered, Session, Wait};
use crate::{ConnectError, IntoAddress, ListenError, SocketOptions, tls};
use hat_core::options::More;
use hat_core::tpkt::{Config, Connection as Machine, SendError};

/// Why a connection ended.
pub type Error = crate::Error<hat_core::tpkt::Error>;

/// A server whose connections the application accepts one by one.
pub type Server = crate::server::Server<Connection>;

/// Options of a connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Limits of the protocol.
    pub config: Config,
    /// Limits of what may wait for [`Connection::receive`]. At a limit nothing more is read.
    pub inbox: InboxLimits,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and options of the socket.
    pub socket: SocketOptions,
    #[doc(hidden)]
    pub more: More,
}

/// Options of a server and its connections.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// Limits of the protocol.
    pub config: Config,
    /// Limits of what may wait for [`Connection::receive`]. At a limit nothing more is read.
    pub inbox: InboxLimits,
    /// Limits on connections, and whether they end with the server.
    pub accept: AcceptOptions,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Acceptor>,
    #[doc(hidden)]
    pub more: More,
}

impl From<ConnectOptions> for ListenOptions {
    /// A server whose connections are made as those of a client, without TLS.
    fn from(options: ConnectOptions) -> Self {
        let ConnectOptions { config, inbox, tls: _, socket: _, more } = options;
        Self { config, inbox, accept: AcceptOptions::default(), tls: None, more }
    }
}

without_handshake!();

/// One end of a connection. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: Handle<TpktSession>,
}

struct TpktSession {
    machine: Machine,
    inbox: Inbox<Bytes>,
}

impl Session for TpktSession {
    type Protocol = Machine;

    const NAME: &'static str = "tpkt";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        self.inbox.has_room()
    }

    fn deliver(&mut self, tpdu: Bytes, memory: usize) -> Delivered {
        let weight = tpdu.len().max(memory);
        self.inbox.push(tpdu, weight);
        Delivered::Inbox
    }
}

impl ListenSettings<Connection> for ListenOptions {
    fn split(self) -> Split<ConnectOptions> {
        let Self { config, inbox, accept, tls, more } = self;
        let settings = ConnectOptions { config, inbox, more, ..ConnectOptions::default() };
        Split { name: None, settings, accept, tls }
    }
}

impl FromStream for Connection {
    type Settings = ConnectOptions;

    fn start<R: Runtime>(
        stream: impl Stream,
        settings: &ConnectOptions,
        slot: ConnectionSlot,
    ) -> io::Result<Self> {
        let session = |_| TpktSession {
            machine: Machine::new(settings.config.clone()),
            inbox: Inbox::new(settings.inbox),
        };
        Ok(Self { handle: Handle::start::<R>(stream, session, slot)? })
    }

    fn closer(&self) -> Arc<dyn Close> {
        self.handle.shared().clone()
    }
}

impl Connection {
    /// Queues one packet with `tpdu`, 3 to 65531 octets, waiting while 256 KiB are queued.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data, for every reason except a full queue.
    pub async fn send(&self, tpdu: impl Into<Bytes>) -> Result<(), SendError> {
        self.handle.send_data(tpdu.into(), |session, tpdu| session.machine.send(tpdu)).await
    }

    /// The TPDU of the next packet. Messages that arrived before the connection ended are returned
    /// first. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection ended.
    pub async fn receive(&self) -> Result<Bytes, Error> {
        self.handle.wait(Wait::Incoming, |session| session.inbox.pop()).await
    }

    of_every_connection!();
}
