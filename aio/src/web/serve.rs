//! One connection: HTTP until it ends, or until it is upgraded.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::super::runtime::{Runtime, Stream, Timer, after, nameable};
use super::io::{ForHyper, HyperTimer};
use super::site::{AnsweredUpgrade, Site, UpgradeSlot};
use super::upgrade::{Upgrade, UpgradedStream};
use crate::shared::{Close, ConnectionSlot};

/// The least that hyper takes as limit of its buffer.
const LEAST_BUFFER: usize = 8 * 1024;

/// Tells a connection that its server closes: the task that serves HTTP, or what the connection
/// became.
#[derive(Default)]
pub(crate) struct Closer(Mutex<CloserState>);

impl fmt::Debug for Closer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closer").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct CloserState {
    closing: bool,
    task: Option<Waker>,
    upgraded: Option<Arc<dyn Close>>,
}

impl Close for Closer {
    fn close(&self) {
        let (task, upgraded) = {
            let mut state = self.lock();
            state.closing = true;
            (state.task.take(), state.upgraded.take())
        };
        task.into_iter().for_each(Waker::wake);
        upgraded.into_iter().for_each(|connection| connection.close());
    }
}

impl Closer {
    fn lock(&self) -> MutexGuard<'_, CloserState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection became `upgraded`, which closes with the server.
    pub(crate) fn close_too(&self, upgraded: Arc<dyn Close>) {
        let mut state = self.lock();
        if state.closing {
            drop(state);
            upgraded.close();
        } else {
            state.upgraded = Some(upgraded);
        }
    }

    pub(super) fn poll_closing(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.closing {
            return Poll::Ready(());
        }
        if state.task.as_ref().is_none_or(|task| !task.will_wake(cx.waker())) {
            state.task = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// Headers that a request may have whatever is allowed: room for all of them is made for each
/// request, and `http` has none for 32 768.
const MOST_HEADERS: usize = 16_384;

/// Serves a connection, and gives what it became, if it was upgraded.
pub(super) async fn serve<R: Runtime, T: Stream>(
    stream: T,
    site: Arc<Site>,
    closer: Arc<Closer>,
    shutdown_timeout: Duration,
    slot: ConnectionSlot,
) -> Option<Upgrade<T>> {
    let remote = stream.peer_addr().ok()?.ip().to_string();
    let upgrading = UpgradeSlot::default();
    let service = {
        let (site, upgrading) = (site.clone(), upgrading.clone());
        service_fn(move |request| {
            site.clone().answer::<R>(request, remote.clone(), upgrading.clone())
        })
    };
    let limits = &site.limits;
    let mut connection = pin!(
        http1::Builder::new()
            .timer(HyperTimer::<R>::new())
            .header_read_timeout(nameable(limits.head_timeout))
            .max_headers(limits.headers.min(MOST_HEADERS))
            .max_header_size(limits.head_size)
            .max_buf_size(limits.head_size.max(LEAST_BUFFER))
            .half_close(true)
            .serve_connection(
                ForHyper::<R, T>::new(stream, limits.stall_timeout, upgrading.clone()),
                service
            )
            .with_upgrades()
    );
    let mut deadline = None::<R::Timer>;
    let until = |at: Duration| R::timer(after(R::now(), at));
    // errors are the client's: what could be told was told to it
    let done = poll_fn(|cx| {
        if deadline.is_none() && closer.poll_closing(cx).is_ready() {
            connection.as_mut().graceful_shutdown();
            deadline = Some(until(shutdown_timeout));
        }
        if let Poll::Ready(done) = connection.as_mut().poll(cx) {
            return Poll::Ready(done.is_ok());
        }
        deadline.as_mut().map_or(Poll::Pending, |timer| timer.poll(cx).map(|()| false))
    });
    if !done.await {
        return None;
    }
    let upgrading = upgrading.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let AnsweredUpgrade { connection, client, head, pass, deflate } = upgrading;
    let upgraded = connection.await.ok()?;
    let parts = upgraded.downcast::<ForHyper<R, T>>().ok()?;
    let mut io = parts.io;
    let answered = poll_fn(|cx| {
        if deadline.is_none() && closer.poll_closing(cx).is_ready() {
            deadline = Some(until(shutdown_timeout));
        }
        if let Poll::Ready(answered) = io.poll_kept(cx) {
            return Poll::Ready(answered.is_ok());
        }
        deadline.as_mut().map_or(Poll::Pending, |timer| timer.poll(cx).map(|()| false))
    });
    if !answered.await {
        return None;
    }
    let stream = io.into_inner();
    if let (Some(auth), Some(pass)) = (&site.auth, pass) {
        auth.stays(&closer, client.clone(), pass);
    }
    let stream = UpgradedStream::new::<R>(stream, parts.read_buf, closer, shutdown_timeout, slot);
    Some(Upgrade { stream, client, head, deflate })
}
