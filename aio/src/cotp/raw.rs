//! Connections whose stream goes on as something else behind the handshake: RDP, which after the CC
//! speaks TLS, or packets of its own.
//!
//! ```text
//! peer ──CR──> handshake ──CC──> peer        with the variable part as it is: RawConnection::info
//!                  └──> RawConnection ──into_stream──> TLS, tcp::connect_on, anything
//! ```
//!
//! The handshake is that of [`connect`](super::connect) and [`listen`](super::listen), with the
//! same [`Config`](hat_core::cotp::Config), whose
//! [`raw_variable_part`](hat_core::cotp::Config::raw_variable_part) such protocols set.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::connection::ConnectionInfo;
use super::setup::{
    ConnectError, Decide, Decision, DecisionFuture, ListenError, numbered, privileged,
};
use super::{ConnectOptions, Error, ListenOptions};
use crate::runtime::{Runtime, Stream, Timer, after, within};
use crate::server::{AcceptedStream, Core, unless_closing};
use crate::socket::Socket;
use crate::stream_parts::{Early, facts_of_field};
use crate::{IntoAddress, establish, net};
use hat_core::buffer::RecvBuf;
use hat_core::cotp::{Connection as Machine, Incoming, Reason};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;

/// Time for what is left to tell a peer when the handshake fails, its DR or ER.
const FLUSH: Duration = Duration::from_secs(1);

/// Bytes of what is behind the handshake that are read while a decision is waited for, to notice a
/// peer that leaves.
const EARLY: usize = 4 * 1024;

/// A server whose connections are given to the application as streams, behind their handshake.
/// Closing it ends handshakes, and no connection that was given.
pub type RawServer<S> = crate::server::Server<RawConnection<Socket<S>>>;

/// A connection whose handshake is done, before anything behind it: the CC is with the system, or
/// has come.
pub struct RawConnection<S> {
    stream: S,
    early: Bytes,
    info: ConnectionInfo,
}

impl<S: Stream> RawConnection<S> {
    /// Who is connected with whom, and what was agreed; the variable part of the peer's CR or CC
    /// among it.
    #[must_use]
    pub fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// The stream, from behind the handshake on.
    #[must_use]
    pub fn into_stream(self) -> RawStream<S> {
        RawStream { early: Early::new(self.early), stream: self.stream }
    }

    /// The stream as it was given or made, and what was read of it behind the handshake: nothing,
    /// but for up to 4 KiB of a peer that sent them while a [decision](super::Decide::later) was
    /// waited for.
    #[must_use]
    pub fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.early)
    }
}

impl<S> fmt::Debug for RawConnection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawConnection").field("info", &self.info).finish_non_exhaustive()
    }
}

/// The stream of a [`RawConnection`]. Reading begins with what was read already.
pub struct RawStream<S> {
    early: Early,
    stream: S,
}

impl<S> fmt::Debug for RawStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawStream").field("early", &self.early.len()).finish_non_exhaustive()
    }
}

impl<S: Stream> Stream for RawStream<S> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        match self.early.take(into, most) {
            Some(count) => Poll::Ready(Ok(count)),
            None => self.stream.poll_read(cx, into, most),
        }
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.early.is_empty() { self.stream.poll_readable(cx) } else { Poll::Ready(()) }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, parts)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    facts_of_field!(stream);
}

/// Connects to `address`, waits until the peer has confirmed, and gives the stream. Of `options`,
/// `inbox` is not used.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect_raw<R: Runtime>(
    address: impl IntoAddress,
    options: ConnectOptions,
) -> Result<RawConnection<Socket<R::Stream>>, ConnectError> {
    let address = address.into_address().map_err(crate::ConnectError::from)?;
    let machine = Machine::connect(numbered(&options.config, options.reference), Instant::ORIGIN)?;
    let stream = net::connect::<R>(&address, options.tls.as_ref(), &options.socket).await?;
    Ok(handshake::<R, _>(stream, machine, None).await?)
}

/// Listens on `address`, on every address of its host, and gives the stream of each connection that
/// is confirmed. Of `options`, `inbox` is not used.
///
/// A connection counts against [`max_connections`](crate::server::AcceptOptions::max_connections)
/// until it is given to the application, whose alone it is then.
///
/// # Errors
///
/// [`ListenError`].
pub async fn listen_raw<R: Runtime>(
    address: impl IntoAddress,
    options: ListenOptions,
) -> Result<RawServer<R::Stream>, ListenError> {
    // the machines of connections are made of the same configuration
    Machine::accept(options.config(), Instant::ORIGIN)?;
    let address = address.into_address().map_err(crate::ListenError::from)?;
    let (accept, tls, port) = (options.accept, options.tls.clone(), address.port());
    let options = Arc::new(options);
    let take = move |core: &Arc<Core<_>>, accepted: AcceptedStream<Socket<R::Stream>>| {
        let AcceptedStream { stream, slot, .. } = accepted;
        let (core, options) = (core.clone(), options.clone());
        R::spawn(async move {
            let Ok(machine) = Machine::accept(options.config(), Instant::ORIGIN) else { return };
            let remote = stream.peer_addr().ok();
            let shaken = handshake::<R, _>(stream, machine, options.decide.as_ref());
            match unless_closing(&core, shaken).await {
                Some(Ok(connection)) => core.offer(connection),
                Some(Err(error)) => core.failed(remote, error),
                None => {}
            }
            drop(slot);
        });
    };
    let server = establish::listen_with::<R, _>(address, accept, tls.as_ref(), take).await;
    server.map_err(|error| privileged(error, port))
}

/// Does the handshake of `machine` over `stream`. What is behind it is not read, but for the start
/// of what comes while a decision is waited for.
async fn handshake<R: Runtime, S: Stream>(
    mut stream: S,
    mut machine: Machine,
    decide: Option<&Decide>,
) -> Result<RawConnection<S>, Error> {
    let failed = |error: io::Error| Error::Io(Arc::new(error));
    let local_address = stream.local_addr().map_err(failed)?;
    let remote_address = stream.peer_addr().map_err(failed)?;
    let (origin, mut rx) = (R::now(), RecvBuf::new());
    let now = || Instant::from_origin(R::now().saturating_duration_since(origin));
    loop {
        let polled = match machine.poll(&mut rx, now()) {
            Ok(polled) => polled,
            Err(error) => {
                // a DR or an ER, for a peer that may not read
                let _ = within::<R, _>(FLUSH, flush(&mut stream, &mut machine)).await;
                return Err(error.into());
            }
        };
        let established = match polled {
            Polled::Incoming(Incoming::Connect(request)) => match decide {
                None => answer(&mut machine, Decision::Confirm(Default::default())),
                Some(decide) => {
                    let deciding = decide.about(*request);
                    match unless_gone(deciding, &mut stream, &mut rx).await.map_err(failed)? {
                        Some(decision) => answer(&mut machine, decision),
                        None => false,
                    }
                }
            },
            Polled::Incoming(Incoming::Connected(_)) => true,
            // diagnostics; nothing else comes before the end of a handshake
            Polled::Incoming(_) => false,
            Polled::HeldUp if machine.tx().is_empty() => {
                return Err(hat_core::cotp::Error::Closed.into());
            }
            // a refusal
            Polled::HeldUp => {
                flush(&mut stream, &mut machine).await.map_err(failed)?;
                false
            }
            Polled::Needs(bytes) => {
                flush(&mut stream, &mut machine).await.map_err(failed)?;
                read::<R, _>(&mut stream, &mut rx, bytes, &machine, origin)
                    .await
                    .map_err(failed)?;
                false
            }
        };
        if established {
            flush(&mut stream, &mut machine).await.map_err(failed)?;
            let agreed = machine.info().cloned().unwrap_or_default();
            let info = ConnectionInfo { local_address, remote_address, agreed };
            return Ok(RawConnection { stream, early: rx.bytes.freeze(), info });
        }
    }
}

/// The decision, unless the peer leaves before. What it sends meanwhile is for whatever speaks
/// behind the handshake.
async fn unless_gone<S: Stream>(
    mut deciding: DecisionFuture,
    stream: &mut S,
    rx: &mut RecvBuf,
) -> io::Result<Option<Decision>> {
    poll_fn(|cx| {
        if let Poll::Ready(decision) = deciding.as_mut().poll(cx) {
            return Poll::Ready(Ok(Some(decision)));
        }
        while rx.bytes.len() < EARLY {
            let room = EARLY - rx.bytes.len();
            if ready!(stream.poll_read(cx, &mut rx.bytes, room))? == 0 {
                // the machine says what that is
                rx.bytes.clear();
                rx.eof = true;
                return Poll::Ready(Ok(None));
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether the connection is established by that.
fn answer(machine: &mut Machine, decision: Decision) -> bool {
    let answered = match decision {
        Decision::Confirm(response) => machine.confirm(&response).map(|_| true),
        Decision::Refuse(reason, information) => {
            machine.refuse(reason, information).map(|()| false)
        }
    };
    // the request cannot be left without an answer
    answered.unwrap_or_else(|_| {
        let _ = machine.refuse(Reason::NotSpecified, None);
        false
    })
}

/// Writes what the machine has queued.
async fn flush<S: Stream>(stream: &mut S, machine: &mut Machine) -> io::Result<()> {
    poll_fn(|cx| {
        let tx = machine.tx();
        while tx.has_remaining() {
            match stream.poll_write(cx, &[IoSlice::new(tx.chunk())]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => tx.advance(count),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    })
    .await
}

/// Reads at most `bytes`, which the machine needs, or until the time for them is up.
async fn read<R: Runtime, S: Stream>(
    stream: &mut S,
    rx: &mut RecvBuf,
    bytes: usize,
    machine: &Machine,
    origin: std::time::Instant,
) -> io::Result<()> {
    let mut timer = machine.deadline().map(|at| R::timer(after(origin, at.since_origin())));
    poll_fn(|cx| match stream.poll_read(cx, &mut rx.bytes, bytes) {
        Poll::Ready(Ok(0)) => {
            rx.eof = true;
            Poll::Ready(Ok(()))
        }
        Poll::Ready(read) => Poll::Ready(read.map(|_| ())),
        Poll::Pending => match &mut timer {
            Some(timer) => timer.poll(cx).map(Ok),
            None => Poll::Pending,
        },
    })
    .await
}
