//! How the value of the other side is followed: the newest, or each change.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;
use super::changes::Changes;
use crate::handle::Handle;
use crate::shared::{Session, Wait};
use hat_core::json::Value;
use hat_core::protocol::Protocol;

/// A session whose other side has a value.
pub(super) trait Followed:
    Session<Protocol: Protocol<Error = hat_core::juggler::Error>>
{
    fn changes(&mut self) -> &mut Changes;

    /// The other side's value, as far as we were told.
    fn value(&self) -> &Value;
}

/// Changes of the other side's value that one handle has seen. A clone has seen as many.
#[derive(Debug, Default)]
pub(super) struct Seen(AtomicU64);

impl Clone for Seen {
    fn clone(&self) -> Self {
        Self(self.0.load(Ordering::Relaxed).into())
    }
}

/// The value, and what else came.
pub(super) type Told<T> = (Option<Value>, Option<T>);

impl Seen {
    /// Waits for a change that was not seen, and gives the newest value.
    pub(super) async fn changed<S: Followed>(&self, handle: &Handle<S>) -> Result<Value, Error> {
        handle.wait(Wait::Incoming, |session| self.newest(session)).await
    }

    /// Waits for the next change, each once and in order; or with `every` unset, for one that was
    /// not seen; or for what `take` gives. What came together is given together: the value is never
    /// older than what came with it.
    pub(super) async fn told<S: Followed, T>(
        &self,
        handle: &Handle<S>,
        every: bool,
        mut take: impl FnMut(&mut S) -> Option<T>,
    ) -> Result<Told<T>, Error> {
        let told = |session: &mut S| {
            let value = if every { session.changes().pop() } else { self.newest(session) };
            let other = take(session);
            (value.is_some() || other.is_some()).then_some((value, other))
        };
        handle.wait(Wait::Incoming, told).await
    }

    fn newest<S: Followed>(&self, session: &mut S) -> Option<Value> {
        let count = session.changes().count();
        let unseen = count > self.0.swap(count, Ordering::Relaxed);
        unseen.then(|| session.value().clone())
    }
}

/// The other side's value after its next change: each change once, in order.
pub(super) async fn next_change<S: Followed>(handle: &Handle<S>) -> Result<Value, Error> {
    handle.wait(Wait::Incoming, |session| session.changes().pop()).await
}

/// The other side's value, if it has told any.
pub(super) fn told_value<S: Followed>(handle: &Handle<S>) -> Option<Value> {
    handle.look(|session| (session.changes().count() > 0).then(|| session.value().clone()))
}
