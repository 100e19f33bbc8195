use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use compio::buf::{BufResult, IntoInner};
use compio::driver::PollFirst;
use compio::driver::op::{Recv, RecvFlags};
use compio::runtime::{Submit, submit};

use crate::socket::{Shared, Socket};

/// Bytes that one read takes at the most.
const MOST: usize = 256 * 1024;

/// The reading half of a connection. The system reads into memory that it is given for the time of
/// the read, so into a buffer of ours: the caller's may be another one with the next call.
#[derive(Default)]
pub(crate) struct Reading {
    under_way: Option<Submit<Recv<Vec<u8>, Shared>>>,
    /// Empty while the system has it. All of it is initialised, so that any length is one that has
    /// been read.
    buffer: Vec<u8>,
    /// What of it was read and not given yet.
    kept: Range<usize>,
    /// The last read took less than it asked for: there was no more, and the system need not look
    /// before it waits.
    drained: bool,
}

impl Reading {
    pub(crate) fn poll(
        &mut self,
        socket: &Socket,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        if self.kept.is_empty() {
            let count = ready!(self.receive(socket, cx, most))?;
            self.kept = 0..count;
        }
        let count = self.kept.len().min(most);
        let end = self.kept.start + count;
        into.extend_from_slice(&self.buffer[self.kept.start..end]);
        self.kept.start = end;
        Poll::Ready(Ok(count))
    }

    /// Reads once, into the buffer, from its start.
    fn receive(
        &mut self,
        socket: &Socket,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let operation = match &mut self.under_way {
                Some(operation) => operation,
                None => {
                    let buffer = self.take_buffer(most);
                    let mut receive = Recv::new(socket.share(), buffer, RecvFlags::empty());
                    if self.drained {
                        receive.poll_first();
                    }
                    self.under_way.insert(submit(receive))
                }
            };
            let BufResult(read, operation) = ready!(Pin::new(operation).poll(cx));
            self.under_way = None;
            self.buffer = operation.into_inner();
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    // not at the end of the stream, which may be asked for again
                    let count = read.as_ref().map_or(0, |&count| count);
                    self.drained = (1..self.buffer.len()).contains(&count);
                    return Poll::Ready(read);
                }
            }
        }
    }

    /// Memory for a read of `most` bytes, which is what the caller thinks will come: an idle
    /// connection holds it.
    fn take_buffer(&mut self, most: usize) -> Vec<u8> {
        let size = most.clamp(1, MOST);
        if (size..=4 * size).contains(&self.buffer.len()) {
            return std::mem::take(&mut self.buffer);
        }
        vec![0; size]
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("under_way", &self.under_way.is_some())
            .field("kept", &self.kept.len())
            .finish()
    }
}
