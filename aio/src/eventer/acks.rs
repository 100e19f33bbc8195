//! Waiting for the acks of one notification.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// One notification's acks: done when every [`Ticket`] is gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Acks(Arc<Mutex<OpenAcks>>);

#[derive(Debug, Default)]
struct OpenAcks {
    tickets: usize,
    waiting: Vec<Waker>,
}

/// A client that has not acknowledged yet. It goes when the client did, or when its connection
/// ends.
#[derive(Debug)]
pub(super) struct Ticket(Acks);

impl Acks {
    fn lock(&self) -> MutexGuard<'_, OpenAcks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ticket(&self) -> Ticket {
        self.lock().tickets += 1;
        Ticket(self.clone())
    }

    pub(super) async fn done(self) {
        poll_fn(|cx| {
            let mut open = self.lock();
            if open.tickets == 0 {
                return Poll::Ready(());
            }
            if !open.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                open.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let waiting = {
            let mut open = self.0.lock();
            open.tickets -= 1;
            if open.tickets == 0 { std::mem::take(&mut open.waiting) } else { Vec::new() }
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}
