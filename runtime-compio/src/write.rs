use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use compio::buf::{BufResult, IntoInner};
use compio::driver::op::{Send, SendFlags};
use compio::runtime::{Submit, submit};

use crate::socket::{Shared, Socket};

/// Bytes that one write takes at the most.
const MOST: usize = 256 * 1024;

/// Memory that a connection keeps for its next write, bytes.
const KEPT: usize = 4 * 1024;

/// The writing half of a connection. The system takes bytes from memory that it is given for the
/// time of the write, so they are copied: the caller's may be gone before.
#[derive(Default)]
pub(crate) struct Writing {
    under_way: Option<Submit<Send<Vec<u8>, Shared>>>,
    /// The memory of the last write.
    buffer: Vec<u8>,
}

impl Writing {
    pub(crate) fn poll(
        &mut self,
        socket: &Socket,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.under_way.is_none() {
                let bytes = gather(std::mem::take(&mut self.buffer), parts);
                if bytes.is_empty() {
                    return Poll::Ready(Ok(0));
                }
                let send = Send::new(socket.share(), bytes, SendFlags::NOSIGNAL);
                self.under_way = Some(submit(send));
            }
            match ready!(self.poll_written(cx)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Waits until no write is under way.
    pub(crate) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // what failed, the next write finds out
        self.poll_written(cx).map(|_| ())
    }

    /// How many bytes the write that is under way wrote; 0 if there is none.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(operation) = &mut self.under_way else { return Poll::Ready(Ok(0)) };
        let BufResult(written, operation) = ready!(Pin::new(operation).poll(cx));
        self.under_way = None;
        self.buffer = operation.into_inner();
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        Poll::Ready(written)
    }
}

/// What of `parts` one write takes, in the memory of `bytes`.
fn gather(mut bytes: Vec<u8>, parts: &[IoSlice<'_>]) -> Vec<u8> {
    bytes.clear();
    for part in parts {
        let room = MOST - bytes.len();
        bytes.extend_from_slice(&part[..part.len().min(room)]);
    }
    bytes
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").field("under_way", &self.under_way.is_some()).finish()
    }
}
