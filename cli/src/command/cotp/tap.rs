//! A stream whose octets are noted.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hat_aio::runtime::Stream;

/// Octets that are noted of each direction: a handshake has some dozens.
const MOST: usize = 4096;

/// What went over the stream first.
#[derive(Clone, Default)]
pub(super) struct Capture(Arc<Mutex<[Vec<u8>; 2]>>);

impl Capture {
    /// What came.
    pub(super) fn read(&self) -> Bytes {
        self.of(0)
    }

    /// What went.
    pub(super) fn written(&self) -> Bytes {
        self.of(1)
    }

    fn of(&self, direction: usize) -> Bytes {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Bytes::copy_from_slice(&noted[direction])
    }

    fn note(&self, direction: usize, octets: &[u8]) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = &mut noted[direction];
        let room = MOST.saturating_sub(noted.len());
        noted.extend_from_slice(&octets[..octets.len().min(room)]);
    }
}

/// Passes everything on, and notes it.
pub(super) struct Tap {
    stream: Box<dyn Stream>,
    tapped: Capture,
}

impl Tap {
    pub(super) fn new(stream: Box<dyn Stream>, tapped: Capture) -> Self {
        Self { stream, tapped }
    }
}

impl Stream for Tap {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let before = into.len();
        let read = ready!(self.stream.poll_read(cx, into, most));
        self.tapped.note(0, &into[before..]);
        Poll::Ready(read)
    }

    fn has_unread(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        self.stream.has_unread(cx)
    }

    fn may_write_here(&self) -> bool {
        self.stream.may_write_here()
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.stream.poll_write(cx, parts));
        let mut left = *written.as_ref().unwrap_or(&0);
        for part in parts {
            let taken = left.min(part.len());
            self.tapped.note(1, &part[..taken]);
            left -= taken;
        }
        Poll::Ready(written)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    fn idle_timeout(&self) -> Option<std::time::Duration> {
        self.stream.idle_timeout()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
