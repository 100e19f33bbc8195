use std::cell::RefCell;
use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use compio::buf::{BufResult, IntoInner};
use compio::driver::PollFirst;
use compio::driver::op::{Recv, RecvFlags};
use compio::runtime::{Runtime, Submit, submit};

use crate::socket::{Shared, Socket};

/// Bytes that the ring waits for: an idle connection holds memory for them, and most messages are
/// smaller.
const FIRST: usize = 2 * 1024;

/// Bytes that one read takes at the most.
const MOST: usize = 256 * 1024;

thread_local! {
    /// Where reads go first that do not wait: the system wants memory that is initialised, and to
    /// clear as much for every read as may come costs more than to copy what came.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The reading half of a connection. The ring waits for bytes, and reads the first of them into
/// memory of ours: the caller's may be another one with the next call. What comes with them and is
/// more than that is read at once, without the ring.
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
    /// What the socket failed with behind what is kept.
    failed: Option<io::Error>,
}

impl Reading {
    pub(crate) fn poll(
        &mut self,
        socket: &Socket,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        if self.kept.is_empty() && self.under_way.is_none() && !self.drained {
            match self.read_now(socket, into, most) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
        if self.kept.is_empty() {
            let count = ready!(self.wait(socket, cx))?;
            self.kept = 0..count;
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
        }
        let count = self.kept.len().min(most);
        let end = self.kept.start + count;
        into.extend_from_slice(&self.buffer[self.kept.start..end]);
        self.kept.start = end;
        if self.drained || count == most {
            return Poll::Ready(Ok(count));
        }
        match self.read_now(socket, into, most - count) {
            Ok(more) => Poll::Ready(Ok(count + more)),
            Err(error) => {
                self.failed = Some(error).filter(|it| it.kind() != io::ErrorKind::WouldBlock);
                Poll::Ready(Ok(count))
            }
        }
    }

    /// Whether something has arrived that was not given, though the last read was pending.
    pub(crate) fn has_unread(&mut self, socket: &Socket, cx: &mut Context<'_>) -> io::Result<bool> {
        if !self.kept.is_empty() || self.failed.is_some() {
            return Ok(true);
        }
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let failed = match receive(socket, &mut [0], peek) {
            Ok(_) => return Ok(true),
            Err(error) => Some(error).filter(|it| it.kind() != io::ErrorKind::WouldBlock),
        };
        // it is not with the socket; the ring may have it, and does what it holds back where it is
        // to wait
        Runtime::with_current(|ring| {
            ring.flush();
            ring.poll_with(Some(Duration::ZERO));
            // that has taken what woke the ring meanwhile, the future in `block_on` say: it is not
            // to sleep now
            ring.waker().wake_by_ref();
        });
        let read = match &self.under_way {
            Some(_) => self.wait(socket, cx),
            None => Poll::Pending,
        };
        match read {
            Poll::Pending => return failed.map_or(Ok(false), Err),
            // the end is there for the next read too
            Poll::Ready(Ok(count)) => self.kept = 0..count,
            Poll::Ready(Err(error)) => self.failed = Some(error),
        }
        if failed.is_some() {
            // the system has told that, and will not again: it is told behind what was kept
            (self.failed, self.drained) = (failed, false);
        }
        Ok(true)
    }

    /// Reads what there is.
    fn read_now(&mut self, socket: &Socket, into: &mut BytesMut, most: usize) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let most = most.min(MOST);
            if scratch.len() < most {
                scratch.resize(MOST, 0);
            }
            let read = receive(socket, &mut scratch[..most], RecvFlags::DONTWAIT);
            let nothing = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
            // not at the end of the stream, which may be asked for again
            self.drained = match &read {
                Ok(count) => (1..most).contains(count),
                Err(error) => nothing(error),
            };
            into.extend_from_slice(&scratch[..*read.as_ref().unwrap_or(&0)]);
            read
        })
    }

    /// Waits for bytes, and reads them into the buffer, from its start.
    fn wait(&mut self, socket: &Socket, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            let operation = self.under_way.get_or_insert_with(|| {
                let mut buffer = std::mem::take(&mut self.buffer);
                if buffer.is_empty() {
                    buffer = vec![0; FIRST];
                }
                let mut receive = Recv::new(socket.share(), buffer, RecvFlags::empty());
                if self.drained {
                    receive.poll_first();
                }
                submit(receive)
            });
            let BufResult(read, operation) = ready!(Pin::new(operation).poll(cx));
            self.under_way = None;
            self.buffer = operation.into_inner();
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    // not at the end of the stream, which may be asked for again
                    let count = read.as_ref().map_or(0, |&count| count);
                    self.drained = (1..FIRST).contains(&count);
                    return Poll::Ready(read);
                }
            }
        }
    }
}

/// Calls the system, which does not wait.
fn receive(socket: &Socket, into: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    loop {
        match rustix::net::recv(socket.of_system(), &mut *into, flags) {
            Err(rustix::io::Errno::INTR) => {}
            read => return Ok(read.map(|(count, _)| count)?),
        }
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
