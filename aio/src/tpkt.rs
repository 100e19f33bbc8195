//! TPKT connections and servers on a runtime: packets with one TPDU each. COTP stands on the same framing, see
//! [`cotp`](crate::cotp).

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::establish::{self, FromStream};
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::inbox::{Inbox, InboxLimits};
use crate::runtime::{Runtime, Stream};
use crate::server::ServerOptions;
use crate::shared::Close;
use crate::shared::Counted;
use crate::shared::{Delivered, Session, Wait};
use crate::tls::Tls;
use crate::{Address, ConnectError, SocketOptions};
use hat_core::tpkt::{Config, Connection as Machine, SendError};

/// Why a connection is over.
pub type Error = crate::Error<hat_core::tpkt::Error>;

/// A server whose connections the application accepts one by one.
pub type Server = crate::server::Server<Connection>;

/// How connections are made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Limits of the protocol.
    pub config: Config,
    /// What may wait for [`Connection::receive`] before nothing more is read.
    pub inbox: InboxLimits,
    /// TLS, where the connection is to be one: a connector to connect, an acceptor to listen. See [`tls`](crate::tls).
    pub tls: Option<Tls>,
    /// To connect: the time limit, and the socket. A server has those of its connections in its
    /// [`ServerOptions`].
    pub socket: SocketOptions,
}

/// Connects to `address`; every address of its host is tried.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect<R: Runtime>(
    address: impl Into<Address>,
    options: Options,
) -> Result<Connection, ConnectError> {
    establish::connect::<R, Connection>(address, &options).await
}

/// Listens on `address`, on every address of its host.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn listen<R: Runtime>(
    address: impl Into<Address>,
    options: Options,
    server: ServerOptions,
) -> Result<Server, ConnectError> {
    establish::listen::<R, Connection>(address, options, server).await
}

/// One end of a connection. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone)]
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

    fn deliver(&mut self, tpdu: Bytes) -> Delivered {
        let weight = tpdu.len();
        self.inbox.push(tpdu, weight);
        Delivered::Inbox
    }
}

impl FromStream for Connection {
    type Options = Options;

    fn tls(options: &Options) -> Option<&Tls> {
        options.tls.as_ref()
    }

    fn socket(options: &Options) -> &SocketOptions {
        &options.socket
    }

    fn start<R: Runtime>(
        stream: impl Stream,
        options: &Options,
        counted: Counted,
    ) -> io::Result<Self> {
        let session = |_| TpktSession {
            machine: Machine::new(options.config.clone()),
            inbox: Inbox::new(options.inbox),
        };
        Ok(Self { handle: Handle::start::<R>(stream, session, counted)? })
    }

    fn closer(&self) -> Arc<dyn Close> {
        self.handle.shared().clone()
    }
}

impl Connection {
    /// Queues one packet with `tpdu`, 3 to 65531 octets, waiting while 256 KiB are queued.
    ///
    /// Cancel safe: dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data, for every reason but a full queue.
    pub async fn send(&self, tpdu: impl Into<Bytes>) -> Result<(), SendError> {
        self.handle.send_data(tpdu.into(), |session, tpdu| session.machine.send(tpdu)).await
    }

    /// The TPDU of the next packet. What arrived before the connection ended is given first. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection is over.
    pub async fn receive(&self) -> Result<Bytes, Error> {
        self.handle.wait(Wait::Incoming, |session| session.inbox.pop()).await
    }

    of_every_connection!();
}
