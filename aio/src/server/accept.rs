//! The loop that takes connections from a listener, until the server closes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{AcceptedStream, Core, State, unless, unless_closing};
use crate::SocketOptions;
use crate::net::Listener;
use crate::runtime::{Runtime, Stream, sleep};
use crate::socket::{Security, Socket};
use crate::trace;

/// Connections that were taken but not yet accepted by the application. More wait in the system's
/// backlog.
const ACCEPT_QUEUE: usize = 128;

/// How long to wait after the system refused to hand out a connection (no file descriptors left,
/// say): the first time, and at most, doubling in between.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Takes connections, and gives each to `take`.
pub(super) async fn accept_loop<R: Runtime, C: Send + 'static>(
    core: Arc<Core<C>>,
    listener: Listener<R>,
    security: Security,
    mut take: impl FnMut(&Arc<Core<C>>, AcceptedStream<Socket<R::Stream>>) + Clone + Send + 'static,
) {
    let leaving = AcceptGuard(core);
    // behind it, to be dropped before it: it closes connections, when nothing listens any more
    let listener = listener;
    let core = &leaving.0;
    let mut backoff = BACKOFF.0;
    loop {
        let max = core.options.max_connections;
        let room = core.until(|state| match state.closing {
            true => Some(false),
            false => {
                (state.connections.len() < max && state.queue.len() < ACCEPT_QUEUE).then_some(true)
            }
        });
        if !room.await {
            return;
        }
        match unless_closing(core, next::<R>(&listener, &core.options.socket)).await {
            None => return,
            Some(Ok((Fresh::Tcp(stream), remote))) if security.takes_time() => {
                backoff = BACKOFF.0;
                let accepted = core.count(stream, remote);
                let (core, security, take) = (core.clone(), security.clone(), take.clone());
                R::spawn(secure::<R, C>(core, accepted, security, take));
            }
            Some(Ok((stream, remote))) => {
                backoff = BACKOFF.0;
                let stream = match stream {
                    Fresh::Tcp(stream) => Socket::plain(stream),
                    Fresh::Unix(stream) => Socket::unix(stream),
                };
                take(core, core.count(stream.with(&core.options.socket), remote));
            }
            // the peer was gone before we took it
            Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Some(Err(error)) => {
                trace::accept_failed(&error);
                let later = sleep::<R>(backoff);
                if unless_closing(core, later).await.is_none() {
                    return;
                }
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
}

/// A connection as the system gives it.
enum Fresh<S> {
    Tcp(S),
    Unix(Box<dyn Stream>),
}

/// Takes the next connection, with the address of its peer where that has one.
async fn next<R: Runtime>(
    listener: &Listener<R>,
    options: &SocketOptions,
) -> io::Result<(Fresh<R::Stream>, Option<SocketAddr>)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, remote) = R::accept(listener, options).await?;
            Ok((Fresh::Tcp(stream), Some(remote)))
        }
        Listener::Unix(listener) => Ok((Fresh::Unix(listener.accept().await?), None)),
    }
}

/// Makes `stream` secure before it is taken, in a task of its own: a peer that is slow with that
/// holds up no other. The end of the server ends it.
async fn secure<R: Runtime, C: Send + 'static>(
    core: Arc<Core<C>>,
    accepted: AcceptedStream<R::Stream>,
    security: Security,
    mut take: impl FnMut(&Arc<Core<C>>, AcceptedStream<Socket<R::Stream>>) + Send + 'static,
) {
    let AcceptedStream { id, stream, slot } = accepted;
    let remote = stream.peer_addr();
    let secured = security.secure::<R>(stream, "");
    match unless(&core, State::is_gone, secured).await {
        Some(Ok(stream)) => {
            let stream = stream.with(&core.options.socket);
            take(&core, AcceptedStream { id, stream, slot });
        }
        Some(Err(error)) => core.failed(remote.ok(), error),
        None => {}
    }
}

/// Counts an accepting task out, however it ends. With the last, connections are closed.
struct AcceptGuard<C: Send + 'static>(Arc<Core<C>>);

impl<C: Send + 'static> Drop for AcceptGuard<C> {
    fn drop(&mut self) {
        let gone = self.0.change(|state| {
            state.tasks -= 1;
            state.closing |= state.tasks == 0;
            state.is_gone()
        });
        if gone {
            self.0.close_connections();
        }
    }
}
