//! Requests that are not answered yet, and the futures that wait for them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::handle::Handle;
use crate::shared::{Delivered, Session, SessionError};

/// While requests are open, the inbox may hold this many times its limits: their answers come
/// behind what else the other side sends, and an application that waits for an answer takes none of
/// that.
pub(crate) const WAITING: usize = 16;

/// The requests whose futures are alive, by what names them.
#[derive(Debug)]
pub(crate) struct PendingRequests<K, A>(BTreeMap<K, Slot<A>>);

#[derive(Debug)]
enum Slot<A> {
    Waiting(Option<Waker>),
    Answered(A),
}

/// A session that asks the other side.
pub(crate) trait Requests: Session {
    /// What names a request.
    type Id: Copy + Ord + Send + Unpin;

    /// What a request comes to.
    type Answer;

    fn answers(&mut self) -> &mut PendingRequests<Self::Id, Self::Answer>;

    /// Nobody waits for the answer any more.
    fn forget(&mut self, id: Self::Id);
}

impl<K: Copy + Ord, A> PendingRequests<K, A> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Whether anybody waits for an answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody waits for the answer to `id`.
    pub(crate) fn contains(&self, id: K) -> bool {
        matches!(self.0.get(&id), Some(Slot::Waiting(_)))
    }

    /// An answer is waited for from now on.
    pub(crate) fn open(&mut self, id: K) {
        self.0.insert(id, Slot::Waiting(None));
    }

    pub(crate) fn answer(&mut self, id: K, answer: A) -> Delivered {
        match self.0.get_mut(&id) {
            Some(slot) => match std::mem::replace(slot, Slot::Answered(answer)) {
                Slot::Waiting(Some(waker)) => Delivered::To(waker),
                _ => Delivered::Nothing,
            },
            None => Delivered::Nothing,
        }
    }

    /// No answer comes any more.
    pub(crate) fn ended(&mut self, wake: &mut Vec<Waker>) {
        for slot in self.0.values_mut() {
            if let Slot::Waiting(waker) = slot {
                wake.extend(waker.take());
            }
        }
    }
}

/// A request on its way. Dropping it forgets the request.
pub(crate) struct PendingResponse<'a, S: Requests> {
    handle: &'a Handle<S>,
    id: S::Id,
}

impl<'a, S: Requests> PendingResponse<'a, S> {
    pub(crate) fn new(handle: &'a Handle<S>, id: S::Id) -> Self {
        Self { handle, id }
    }
}

impl<S: Requests> Future for PendingResponse<'_, S> {
    type Output = Result<S::Answer, SessionError<S>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.handle.shared().lock();
        let ended = state.ended.clone();
        let slots = &mut state.session.answers().0;
        match slots.get_mut(&self.id) {
            Some(Slot::Waiting(waker)) => match ended {
                Some(error) => Poll::Ready(Err(error)),
                None => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            },
            Some(Slot::Answered(_)) => match slots.remove(&self.id) {
                Some(Slot::Answered(answer)) => Poll::Ready(Ok(answer)),
                _ => Poll::Pending,
            },
            // polled again after it was ready
            None => Poll::Pending,
        }
    }
}

impl<S: Requests> Drop for PendingResponse<'_, S> {
    fn drop(&mut self) {
        self.handle.look(|session| {
            // one that was answered is over, or goes on by itself
            if session.answers().0.remove(&self.id).is_some() {
                session.forget(self.id);
            }
        });
    }
}
