//! A wire in memory: what a socket does, byte by byte, with as little room as wanted.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use hat_aio::runtime::Stream;

/// One direction.
#[derive(Default)]
struct Line {
    bytes: VecDeque<u8>,
    room: usize,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// One end.
#[derive(Clone)]
pub(crate) struct Wire {
    incoming: Arc<Mutex<Line>>,
    outgoing: Arc<Mutex<Line>>,
    grain: usize,
    endless: bool,
}

impl Wire {
    /// Both ends: a read or write moves at most `grain` bytes, and each direction holds at most
    /// `room`.
    pub(crate) fn pair(grain: usize, room: usize) -> (Self, Self) {
        let line = || Arc::new(Mutex::new(Line { room, ..Line::default() }));
        let (one, other) = (line(), line());
        let end = |incoming, outgoing| Self { incoming, outgoing, grain, endless: false };
        (end(one.clone(), other.clone()), end(other, one))
    }

    /// The same end, whose [`poll_shutdown`](Stream::poll_shutdown) waits for ever.
    pub(crate) fn endless(self) -> Self {
        Self { endless: true, ..self }
    }

    fn incoming(&self) -> MutexGuard<'_, Line> {
        self.incoming.lock().expect("nobody panicked")
    }

    /// Bytes that wait to be read at this end.
    pub(crate) fn waiting(&self) -> usize {
        self.incoming().bytes.len()
    }

    /// Changes the last byte that waits to be read at this end.
    pub(crate) fn corrupt(&self) {
        *self.incoming().bytes.back_mut().expect("something waits") ^= 1;
    }
}

impl Stream for Wire {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut line = self.incoming();
        let count = line.bytes.len().min(most).min(self.grain);
        if count == 0 && !line.ended {
            line.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        into.extend(line.bytes.drain(..count));
        line.writer.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.outgoing.lock().expect("nobody panicked");
        let count = (line.room - line.bytes.len()).min(self.grain);
        if count == 0 {
            line.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = line.bytes.len();
        line.bytes.extend(parts.iter().flat_map(|part| part.iter()).take(count));
        line.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(line.bytes.len() - before))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.endless {
            return Poll::Pending;
        }
        let mut line = self.outgoing.lock().expect("nobody panicked");
        line.ended = true;
        line.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(crate::local())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(crate::local())
    }
}
