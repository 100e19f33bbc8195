//! Requests of ours whose futures wait for their answers.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::aio::link::{Delivered, Link, Session, SessionError};
use crate::json::Value;

/// What a request came to: its result, or the failure of the other side.
pub(super) type Answer = Result<Value, Value>;

/// The requests whose futures are alive.
#[derive(Debug)]
pub(super) struct Answers<K>(BTreeMap<K, Slot>);

#[derive(Debug)]
enum Slot {
    Waiting(Option<Waker>),
    Answered(Answer),
}

/// A session that asks the other side.
pub(super) trait Asks: Session {
    /// What names a request.
    type Id: Copy + Ord + Send + Unpin;

    fn answers(&mut self) -> &mut Answers<Self::Id>;

    /// Nobody waits for the answer any more.
    fn forget(&mut self, id: Self::Id);
}

impl<K: Copy + Ord> Answers<K> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// An answer is waited for from now on.
    pub(super) fn open(&mut self, id: K) {
        self.0.insert(id, Slot::Waiting(None));
    }

    pub(super) fn answer(&mut self, id: K, answer: Answer) -> Delivered {
        match self.0.get_mut(&id) {
            Some(slot) => match std::mem::replace(slot, Slot::Answered(answer)) {
                Slot::Waiting(Some(waker)) => Delivered::To(waker),
                _ => Delivered::Nothing,
            },
            None => Delivered::Nothing,
        }
    }

    /// No answer comes any more.
    pub(super) fn ended(&mut self, wake: &mut Vec<Waker>) {
        for slot in self.0.values_mut() {
            if let Slot::Waiting(waker) = slot {
                wake.extend(waker.take());
            }
        }
    }
}

/// A request on its way. Dropping it forgets the request.
pub(super) struct Asked<'a, S: Asks> {
    link: &'a Link<S>,
    id: S::Id,
}

impl<'a, S: Asks> Asked<'a, S> {
    pub(super) fn new(link: &'a Link<S>, id: S::Id) -> Self {
        Self { link, id }
    }
}

impl<S: Asks> Future for Asked<'_, S> {
    type Output = Result<Answer, SessionError<S>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.link.shared().lock();
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

impl<S: Asks> Drop for Asked<'_, S> {
    fn drop(&mut self) {
        self.link.look(|session| {
            session.answers().0.remove(&self.id);
            session.forget(self.id);
        });
    }
}
