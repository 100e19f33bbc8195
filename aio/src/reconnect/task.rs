//! The task that connects, and connects again.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use super::{ClientKind, Shared, StopReason};
use crate::runtime::{Runtime, sleep};
use hat_core::retry::{Failure, Retry};

/// What a kind of client does with each connection.
pub(crate) trait Work<K: ClientKind>: Send + 'static {
    /// Connects, and hands on what is told until the connection is over.
    fn one_connection<R: Runtime>(
        &mut self,
        shared: &Arc<Shared<K>>,
    ) -> impl Future<Output = (Outcome, K::Failure)> + Send;
}

/// How there is no connection any more, or none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// None came about.
    Unreachable,
    /// The server refused the client.
    Rejected,
    /// The server had taken the client, at this time.
    Lost { since: Instant },
    /// No try will ever succeed.
    Hopeless,
}

pub(super) struct Task<K: ClientKind, W> {
    shared: Arc<Shared<K>>,
    retry: Retry,
    work: W,
}

impl<K: ClientKind, W: Work<K>> Task<K, W> {
    pub(super) fn new(shared: Arc<Shared<K>>, retry: Retry, work: W) -> Self {
        Self { shared, retry, work }
    }

    /// Until the client is closed or gives up.
    pub(super) async fn run<R: Runtime>(mut self) {
        let shared = self.shared.clone();
        let stopped = match first(shared.closing(), self.connections::<R>()).await {
            Either::One(()) => StopReason::Closed,
            Either::Other(reason) => StopReason::GaveUp(reason),
        };
        if let Some(client) = shared.take_client() {
            K::close(client).await;
        }
        shared.stop(stopped);
    }

    /// One connection after the other; ends with the last failure where no other try is to be made.
    async fn connections<R: Runtime>(&mut self) -> K::Failure {
        loop {
            let (ended, reason) = self.work.one_connection::<R>(&self.shared).await;
            let failure = match ended {
                Outcome::Unreachable => Some(Failure::Unreachable),
                Outcome::Rejected => Some(Failure::Rejected),
                Outcome::Lost { since } => Some(Failure::Lost { up: R::now() - since }),
                Outcome::Hopeless => None,
            };
            drop(self.shared.take_client());
            let retry_in = failure.and_then(|failure| self.retry.after(failure));
            self.shared.tell_connection(K::disconnected(reason.clone(), retry_in));
            match retry_in {
                Some(delay) => sleep::<R>(delay).await,
                None => return reason,
            }
        }
    }
}

impl<K: ClientKind, W> Drop for Task<K, W> {
    /// Also when the runtime drops its tasks.
    fn drop(&mut self) {
        self.shared.stop(StopReason::Runtime);
    }
}

pub(crate) enum Either<A, B> {
    One(A),
    Other(B),
}

/// What comes first; the first of the two where both are there. The other is dropped.
pub(crate) async fn first<A, B>(
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        if let Poll::Ready(value) = one.as_mut().poll(cx) {
            return Poll::Ready(Either::One(value));
        }
        other.as_mut().poll(cx).map(Either::Other)
    })
    .await
}
