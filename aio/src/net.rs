//! From an [`Address`] to sockets: every resolved address is tried, the next before the one before
//! it has run out of time.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::runtime::{Timer, after, within};
use crate::socket::{Security, Socket};
use crate::{Address, ConnectError, ListenError, Runtime, SocketOptions};
use crate::{tls, unix};

/// From one attempt to the next while none has come to anything: the Connection Attempt Delay of
/// RFC 8305 section 8.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

async fn resolve<R: Runtime>(address: &Address) -> Result<Vec<SocketAddr>, Arc<io::Error>> {
    if let Some(literal) = address.literal() {
        return Ok(vec![literal]);
    }
    let found = R::resolve(address.host(), address.port()).await?;
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
    }
    Ok(found)
}

/// Connects to the first address of the host that takes the connection, and does the TLS handshake
/// where `tls` is given.
pub(crate) async fn connect<R: Runtime>(
    address: &Address,
    tls: Option<&tls::Connector>,
    options: &SocketOptions,
) -> Result<Socket<R::Stream>, ConnectError> {
    address.has_no_path()?;
    let security = Security::to_connect(address, tls)?;
    let time = options.connect_timeout;
    let failed = |error| ConnectError::Connect { address: address.clone(), error: Arc::new(error) };
    let late =
        || failed(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {time:?}")));
    if let Some(path) = address.unix_path() {
        let stream = within::<R, _>(time, unix::connect_unix::<R>(path)).await.ok_or_else(late)?;
        return Ok(Socket::unix(stream.map_err(failed)?).with(options));
    }
    let stream = within::<R, _>(time, dial::<R>(address, options)).await.ok_or_else(late)??;
    let secured = security.secure::<R>(stream, address.host()).await;
    let secured = secured.map(|socket| socket.with(options));
    secured.map_err(|error| ConnectError::Tls { address: address.clone(), error })
}

async fn dial<R: Runtime>(
    address: &Address,
    options: &SocketOptions,
) -> Result<R::Stream, ConnectError> {
    let unknown = |error| ConnectError::Resolve { address: address.clone(), error };
    let mut targets = resolve::<R>(address).await.map_err(unknown)?;
    let failed = |error| ConnectError::Connect { address: address.clone(), error: Arc::new(error) };
    if let Some(local) = options.local_address {
        targets.retain(|target| target.is_ipv4() == local.is_ipv4());
        if targets.is_empty() {
            let text = format!("it has no address of the same family as the local address {local}");
            return Err(failed(io::Error::new(io::ErrorKind::AddrNotAvailable, text)));
        }
    }
    race::<R>(&interleaved(targets), options).await.map_err(failed)
}

/// The addresses with their families taking turns, beginning with that of the first (RFC 8305
/// section 4): a family that does not work costs one attempt, not one for each of its addresses.
fn interleaved(targets: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = targets.first().is_some_and(SocketAddr::is_ipv4);
    let (first, other): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|target| target.is_ipv4() == first_is_v4);
    let (mut first, mut other) = (first.into_iter(), other.into_iter());
    let mut all = Vec::with_capacity(first.len() + other.len());
    while first.len() + other.len() > 0 {
        all.extend(first.next());
        all.extend(other.next());
    }
    all
}

/// Tries one target after the other, each [`ATTEMPT_DELAY`] after the one before or as soon as that
/// has failed (RFC 8305 section 5). The first connection is given, and the other attempts end;
/// where there is none, the error of the last one that failed.
async fn race<R: Runtime>(
    targets: &[SocketAddr],
    options: &SocketOptions,
) -> io::Result<R::Stream> {
    let mut targets = targets.iter();
    let mut attempts = Vec::new();
    // none where there is nothing to wait for: a timer that is due may still be late by a moment
    let mut next: Option<R::Timer> = None;
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    poll_fn(|cx| {
        loop {
            let before = attempts.len();
            let mut connected = None;
            attempts.retain_mut(|attempt: &mut Attempt<'_, R>| match attempt.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    connected.get_or_insert(stream);
                    false
                }
                Poll::Ready(Err(error)) => {
                    failure = error;
                    false
                }
            });
            if let Some(stream) = connected {
                return Poll::Ready(Ok(stream));
            }
            // one that failed makes place for the next at once
            let waits = |timer: &mut R::Timer| timer.poll(cx).is_pending();
            if attempts.len() == before && next.as_mut().is_some_and(waits) {
                return Poll::Pending;
            }
            match targets.next() {
                Some(&target) => attempts.push(Box::pin(R::connect(target, options))),
                None if attempts.is_empty() => {
                    let none = io::ErrorKind::NotFound.into();
                    return Poll::Ready(Err(std::mem::replace(&mut failure, none)));
                }
                None => return Poll::Pending,
            }
            let is_last = targets.len() == 0;
            next = (!is_last).then(|| R::timer(after(R::now(), ATTEMPT_DELAY)));
        }
    })
    .await
}

type Attempt<'a, R> = Pin<Box<dyn Future<Output = io::Result<<R as Runtime>::Stream>> + Send + 'a>>;

/// What listens.
pub(crate) enum Listener<R: Runtime> {
    Tcp(R::Listener),
    Unix(unix::UnixSocket),
}

impl<R: Runtime> Listener<R> {
    /// Its address, if it is one of TCP.
    pub(crate) fn address(&self) -> Option<io::Result<SocketAddr>> {
        match self {
            Self::Tcp(listener) => Some(R::local_addr(listener)),
            Self::Unix(_) => None,
        }
    }
}

/// Listens on every address of the host.
pub(crate) async fn bind<R: Runtime>(address: &Address) -> Result<Vec<Listener<R>>, ListenError> {
    address.has_no_path()?;
    let mut listeners = Vec::new();
    let failed = |error| ListenError::Listen { address: address.clone(), error: Arc::new(error) };
    if let Some(path) = address.unix_path() {
        return Ok(vec![Listener::Unix(unix::bind::<R>(path).await.map_err(failed)?)]);
    }
    let unknown = |error| ListenError::Resolve { address: address.clone(), error };
    for target in resolve::<R>(address).await.map_err(unknown)? {
        listeners.push(Listener::Tcp(R::bind(target).await.map_err(failed)?));
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::by_hand::{ByHand, set_clock, tried};

    #[test]
    fn the_first_address_is_tried_at_once_and_each_other_one_after_the_attempt_delay() {
        let targets = [1, 2, 3].map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
        let options = SocketOptions::default();
        let mut race = pin!(race::<ByHand>(&targets, &options));
        let mut cx = Context::from_waker(Waker::noop());
        // a timer is late by a moment
        for (ms, count) in [(0, 1), (250, 1), (251, 2), (501, 2), (502, 3), (1000, 3)] {
            set_clock(Duration::from_millis(ms));
            assert!(race.as_mut().poll(&mut cx).is_pending());
            assert_eq!(tried(), targets[..count], "after {ms} ms");
        }
    }

    #[test]
    fn families_take_turns_and_keep_their_order() {
        let all = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().expect("an address")).collect()
        };
        assert_eq!(
            interleaved(all(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"])),
            all(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"])
        );
        assert_eq!(interleaved(all(&["1.1.1.1:1", "[::1]:1"])), all(&["1.1.1.1:1", "[::1]:1"]));
        assert_eq!(interleaved(Vec::new()), []);
    }
}
