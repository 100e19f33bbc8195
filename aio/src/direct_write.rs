//! The short way of an answer: who sends it writes it to the socket, and no other task has a turn.
//!
//! ```text
//! driver:  read, one message ──> inbox         it waits for the socket again
//! task:    receive, send ──> tx ──> socket     the driver is not woken
//! ```
//!
//! One request at a time has a task switch less so on either side: it is what the answer to one
//! message, or the request that follows one answer, is written by. What is sent otherwise waits for
//! the driver's turn, so that many messages are one system call.

use std::io;
use std::mem;
use std::sync::MutexGuard;
use std::task::{Context, Poll, Waker};

use bytes::Buf;
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

use crate::driver::poll_write;
use crate::runtime::Stream;
use crate::shared::{Session, Shared, State, wake_driver};

/// Whether what is sent next is written by who sends it. The driver says so at the end of a turn.
#[derive(Debug, Default)]
pub(crate) struct DirectWrite {
    /// One thing came in the driver's last turn, nothing was sent since, and neither the driver nor
    /// the machine waits for anything but the socket and a timer.
    pub(crate) is_due: bool,
    /// When that timer wakes the driver, or earlier.
    pub(crate) wakes_at: Option<Instant>,
    /// The write that failed. It is told where the driver meets it.
    pub(crate) failed: Option<io::Error>,
}

impl<S: Session> Shared<S> {
    /// A message was queued: it is written here, or the driver is woken for it.
    pub(crate) fn queued(&self, mut state: MutexGuard<'_, State<S>>) {
        if !mem::take(&mut state.direct.is_due) || !self.write_here(&mut state) {
            return wake_driver(state);
        }
        let mut wake = Vec::new();
        state.outgoing.wake(&mut wake);
        drop(state);
        wake.into_iter().for_each(Waker::wake);
    }

    /// Writes by one system call, in the driver's name. Gives whether that was all, and the driver
    /// has nothing else to do: it has its turn otherwise.
    fn write_here(&self, state: &mut State<S>) -> bool {
        // the driver's turn, where it has the stream already
        let Some(mut stream) = self.free_stream() else { return false };
        let State { session, driver: Some(driver), direct, .. } = state else { return false };
        let Some(stream) = stream.as_mut().filter(|stream| stream.may_write_here()) else {
            return false;
        };
        let tx = session.machine().tx();
        if !tx.has_remaining() {
            // it was refused
            return false;
        }
        match poll_write(&mut **stream, &mut Context::from_waker(driver), tx) {
            Poll::Ready(Ok(count)) => tx.advance(count),
            Poll::Ready(Err(error)) => {
                direct.failed = Some(error);
                return false;
            }
            Poll::Pending => return false,
        }
        let is_written = !tx.has_remaining();
        let deadline = session.machine().deadline();
        let in_time = deadline.is_none_or(|at| direct.wakes_at.is_some_and(|wakes| wakes <= at));
        is_written && in_time
    }
}

#[cfg(test)]
mod tests;
