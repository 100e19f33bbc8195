//! Plain TCP connections and servers on a runtime.

mod stream;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use bytes::{Bytes, BytesMut};

use crate::establish::{FromStream, ListenSettings, Split, without_handshake};
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::runtime::{Runtime, Stream};
use crate::server::AcceptOptions;
use crate::shared::Close;
use crate::shared::ConnectionSlot;
use crate::shared::{Delivered, Session, Wait};
use crate::{ConnectError, IntoAddress, ListenError, SocketOptions, tls};
use hat_core::options::More;
use hat_core::tcp::{Config, Incoming, Raw, SendError};

/// Why a connection ended.
pub type Error = crate::Error<hat_core::tcp::Error>;

/// A server whose connections the application accepts one by one.
pub type Server = crate::server::Server<Connection>;

/// Options of a connection.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// A name for [`ConnectionInfo`]; a server gives it to its connections.
    pub name: Option<String>,
    /// Bytes that may wait to be read before the socket is not read any more, 64 KiB, as in
    /// `hat-drivers`. A [`read_exact`](Connection::read_exact) of more raises it while it waits.
    pub input_buffer_limit: usize,
    /// What may be queued, and half-open connections.
    pub config: Config,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and options of the socket.
    pub socket: SocketOptions,
    #[doc(hidden)]
    pub more: More,
}

/// Options of a server and its connections.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// A name for [`ConnectionInfo`]; a server gives it to its connections.
    pub name: Option<String>,
    /// Bytes that may wait to be read before the socket is not read any more, 64 KiB, as in
    /// `hat-drivers`. A [`read_exact`](Connection::read_exact) of more raises it while it waits.
    pub input_buffer_limit: usize,
    /// What may be queued, and half-open connections.
    pub config: Config,
    /// Limits on connections, and whether they end with the server.
    pub accept: AcceptOptions,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Acceptor>,
    #[doc(hidden)]
    pub more: More,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            name: None,
            input_buffer_limit: 64 * 1024,
            config: Config::default(),
            tls: None,
            socket: SocketOptions::default(),
            more: More::default(),
        }
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        ConnectOptions::default().into()
    }
}

impl From<ConnectOptions> for ListenOptions {
    /// A server whose connections are made as those of a client, without TLS.
    fn from(options: ConnectOptions) -> Self {
        let ConnectOptions { name, input_buffer_limit, config, tls: _, socket: _, more } = options;
        Self { name, input_buffer_limit, config, accept: AcceptOptions::default(), tls: None, more }
    }
}

/// Who is connected with whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The name given in [`ConnectOptions`].
    pub name: Option<String>,
    /// Our address.
    pub local_address: SocketAddr,
    /// The peer's address.
    pub remote_address: SocketAddr,
}

without_handshake!();

/// One end of a connection. Cheap to clone; when the last clone is dropped, the connection closes.
///
/// It is also `futures_io::AsyncRead` and `AsyncWrite`, for libraries that ride on a stream of
/// bytes.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: Handle<TcpSession>,
    name: Option<Arc<str>>,
}

struct TcpSession {
    machine: Raw,
    input: Input,
    /// The peer sends no more.
    ended: bool,
    limit: usize,
    /// Bytes that readers wait for, each its own.
    needed: Vec<usize>,
}

/// What arrived and was not read yet.
#[derive(Default)]
struct Input {
    chunks: VecDeque<Bytes>,
    len: usize,
}

impl Input {
    /// Up to `most` bytes, without a copy; `None` if there are none.
    fn take(&mut self, most: usize) -> Option<Bytes> {
        let first = self.chunks.front_mut()?;
        let taken =
            if first.len() > most { first.split_to(most) } else { self.chunks.pop_front()? };
        self.len -= taken.len();
        Some(taken)
    }

    /// Exactly `count` bytes, which are here: without a copy where they came together.
    fn take_exact(&mut self, count: usize) -> Bytes {
        let mut first = self.take(count).unwrap_or_default();
        if first.len() < count {
            let mut all = BytesMut::with_capacity(count);
            all.extend_from_slice(&first);
            while let Some(next) = self.take(count - all.len()).filter(|next| !next.is_empty()) {
                all.extend_from_slice(&next);
            }
            first = all.freeze();
        }
        first
    }
}

impl Session for TcpSession {
    type Protocol = Raw;

    const NAME: &'static str = "tcp";

    fn machine(&mut self) -> &mut Raw {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        self.needed.iter().fold(self.limit, |most, &needed| most.max(needed)) > self.input.len
    }

    fn deliver(&mut self, incoming: Incoming, _memory: usize) -> Delivered {
        match incoming {
            Incoming::Data(data) => {
                self.input.len += data.len();
                self.input.chunks.push_back(data);
            }
            Incoming::End => self.ended = true,
        }
        Delivered::Inbox
    }

    fn ended(&mut self, _wake: &mut Vec<Waker>) {
        // from here on readers are told why the connection is over: that the peer sends no more may
        // have been a cut
        self.ended = false;
    }
}

impl ListenSettings<Connection> for ListenOptions {
    fn split(self) -> Split<ConnectOptions> {
        let Self { name, input_buffer_limit, config, accept, tls, more } = self;
        let settings =
            ConnectOptions { name, input_buffer_limit, config, more, ..ConnectOptions::default() };
        Split { name: settings.name.clone(), settings, accept, tls }
    }
}

impl FromStream for Connection {
    type Settings = ConnectOptions;

    fn start<R: Runtime>(
        stream: impl Stream,
        settings: &ConnectOptions,
        slot: ConnectionSlot,
    ) -> io::Result<Self> {
        let session = |_| TcpSession {
            machine: Raw::new(settings.config.clone()),
            input: Input::default(),
            ended: false,
            limit: settings.input_buffer_limit.max(1),
            needed: Vec::new(),
        };
        let handle = Handle::start::<R>(stream, session, slot)?;
        Ok(Self { handle, name: settings.name.as_deref().map(Arc::from) })
    }

    fn closer(&self) -> Arc<dyn Close> {
        self.handle.shared().clone()
    }
}

impl Connection {
    /// Who is connected with whom.
    #[must_use]
    pub fn info(&self) -> ConnectionInfo {
        let shared = self.handle.shared();
        ConnectionInfo {
            name: self.name.as_deref().map(str::to_owned),
            local_address: shared.local,
            remote_address: shared.remote,
        }
    }

    /// Reads up to `most` bytes, waiting for at least one. None are given only where `most` is 0.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection is over; [`Closed`](hat_core::tcp::Error::Closed) also where only the
    /// peer has ended its side.
    pub async fn read(&self, most: usize) -> Result<Bytes, Error> {
        if most == 0 {
            return Ok(Bytes::new());
        }
        self.handle.wait(Wait::Incoming, |session| session.take(|input| input.take(most))).await?
    }

    /// Reads exactly `count` bytes.
    ///
    /// Cancel safe: dropped before it is ready, it has read nothing.
    ///
    /// # Errors
    ///
    /// Why the connection is over, where that was before so many bytes came: these can still be
    /// [`read`](Self::read).
    pub async fn read_exact(&self, count: usize) -> Result<Bytes, Error> {
        let _needed = ReadDemand::new(self, count);
        let take = |input: &mut Input| (input.len >= count).then(|| input.take_exact(count));
        self.handle.wait(Wait::Incoming, |session| session.take(take)).await?
    }

    /// Throws away what arrived and was not read, and gives its size in bytes.
    pub fn clear_input_buffer(&self) -> usize {
        self.handle.call(|session| std::mem::take(&mut session.input).len)
    }

    /// Queues `data`, waiting while 256 KiB are queued. Cancel safe: dropped before it is ready,
    /// nothing is written.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data, where the connection is over, or after [`end`](Self::end).
    pub async fn write(&self, data: impl Into<Bytes>) -> Result<(), SendError> {
        self.handle.send_data(data.into(), |session, data| session.machine.send(data)).await
    }

    /// Ends our side: what is queued is still written, and what the peer sends can still be read.
    pub fn end(&self) {
        self.handle.call(|session| session.machine.end());
    }

    of_every_connection!();
}

impl TcpSession {
    /// What `take` gives; the end, where nothing more will come; `None`, where it may.
    fn take(
        &mut self,
        take: impl FnOnce(&mut Input) -> Option<Bytes>,
    ) -> Option<Result<Bytes, Error>> {
        match take(&mut self.input) {
            Some(bytes) => Some(Ok(bytes)),
            None if self.ended => Some(Err(hat_core::tcp::Error::Closed.into())),
            None => None,
        }
    }
}

/// A reader that waits for more than the input buffer may hold.
struct ReadDemand<'a> {
    connection: &'a Connection,
    count: usize,
}

impl<'a> ReadDemand<'a> {
    fn new(connection: &'a Connection, count: usize) -> Self {
        connection.handle.call(|session| session.needed.push(count));
        Self { connection, count }
    }
}

impl Drop for ReadDemand<'_> {
    fn drop(&mut self) {
        self.connection.handle.look(|session| {
            let mine = session.needed.iter().position(|&count| count == self.count);
            mine.map(|index| session.needed.swap_remove(index))
        });
    }
}
