//! Simulated sockets, which hold their callers to the contract of `Stream`.
//!
//! - After a write that is pending, the next one brings the same bytes first.
//! - Nothing is written once our side is ended.
//! - Nothing is read beyond what was asked for, and what is in the buffer already stays.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::BytesMut;
use hat_aio::runtime::Stream;

use super::net::EndId;
use super::world::World;

/// One end of a connection of [`Simulated`](super::Simulated).
pub struct SimulatedStream {
    world: World,
    end: EndId,
    /// What a write brought that is pending: at most [`REMEMBERED`] bytes.
    pending: Vec<u8>,
    is_shut: bool,
}

/// Bytes of a pending write that are held against those of the next.
const REMEMBERED: usize = 64;

impl SimulatedStream {
    pub(super) fn new(world: World, end: EndId) -> Self {
        Self { world, end, pending: Vec::new(), is_shut: false }
    }

    /// Which end of which connection it is.
    pub fn end(&self) -> EndId {
        self.end
    }
}

/// The first bytes of `parts`.
fn first(parts: &[IoSlice<'_>], most: usize) -> Vec<u8> {
    parts.iter().flat_map(|part| part.iter().copied()).take(most).collect()
}

impl Stream for SimulatedStream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        assert!(most > 0, "a read that asks for nothing would look like the end");
        self.world.poll_read(cx, self.end, into, most)
    }

    fn may_write_here(&self) -> bool {
        true
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(!self.is_shut, "{}: a write after the end of our side", self.end);
        assert!(parts.iter().any(|part| !part.is_empty()), "{}: a write of nothing", self.end);
        assert_eq!(
            first(parts, self.pending.len()),
            self.pending,
            "{}: after a pending write, other bytes than before",
            self.end
        );
        let written = self.world.poll_write(cx, self.end, parts);
        self.pending = match written {
            Poll::Pending => first(parts, REMEMBERED),
            Poll::Ready(_) => Vec::new(),
        };
        written
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.world.poll_shutdown(cx, self.end);
        self.is_shut |= ended.is_ready();
        ended
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.world.addresses(self.end).map(|addresses| addresses[0])
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.world.addresses(self.end).map(|addresses| addresses[1])
    }
}

impl Drop for SimulatedStream {
    fn drop(&mut self) {
        self.world.close(self.end);
    }
}
