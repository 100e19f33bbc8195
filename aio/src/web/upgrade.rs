//! Connections that were HTTP and are WebSocket from now on.

use std::future::{Future, poll_fn, ready};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hat_core::ws::DeflateAgreement;
use http::request::Parts;

use super::super::runtime::{Runtime, Stream, sleep};
use super::options::Client;
use super::serve::Closer;
use crate::shared::ConnectionSlot;
use crate::stream_parts::{Early, facts_of_field};

/// A connection that a client asked to be a WebSocket. The answer is sent: what comes next are
/// frames.
#[derive(Debug)]
pub struct Upgrade<T> {
    /// The connection.
    pub stream: UpgradedStream<T>,
    /// Who the client is.
    pub client: Client,
    /// The head of the request.
    pub head: Parts,
    /// How messages travel compressed, where [`WebOptions::deflate`](super::WebOptions::deflate)
    /// has it and the client offered it: for
    /// [`with_deflate`](hat_core::ws::Connection::with_deflate).
    pub deflate: Option<DeflateAgreement>,
}

/// The stream of a connection that was upgraded. Reading begins with what came together with the
/// request.
///
/// The connection counts against its server's limit, and the server's `close` waits for it, until
/// this is dropped. So that it is, reading, writing and ending fail once
/// [`shutdown_timeout`](super::WebOptions::shutdown_timeout) has passed after the server began to
/// close.
pub struct UpgradedStream<T> {
    early: Early,
    stream: T,
    closer: Arc<Closer>,
    /// Ready when the server has been closing for too long.
    late: Pin<Box<dyn Future<Output = ()> + Send>>,
    // after `stream`: the connection is closed before it is counted out
    slot: ConnectionSlot,
}

impl<T> std::fmt::Debug for UpgradedStream<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpgradedStream").field("early", &self.early.len()).finish_non_exhaustive()
    }
}

impl<T> UpgradedStream<T> {
    pub(super) fn new<R: Runtime>(
        stream: T,
        early: Bytes,
        closer: Arc<Closer>,
        shutdown_timeout: Duration,
        slot: ConnectionSlot,
    ) -> Self {
        let closing = closer.clone();
        let late = Box::pin(async move {
            poll_fn(|cx| closing.poll_closing(cx)).await;
            sleep::<R>(shutdown_timeout).await;
        });
        Self { early: Early::new(early), stream, closer, late, slot }
    }

    /// What tells the connection that its server closes.
    pub(crate) fn closer(&self) -> Arc<Closer> {
        self.closer.clone()
    }

    /// Fails once the server has been closing for too long.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.late.as_mut().poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => {
                self.late = Box::pin(ready(()));
                let text =
                    "the server closed the connection, and the client did not follow in time";
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }

    /// What counts the connection out: the server's `close` waits for what holds it, and not for
    /// this stream.
    pub(crate) fn take_slot(&mut self) -> ConnectionSlot {
        std::mem::take(&mut self.slot)
    }
}

impl<T: Stream> Stream for UpgradedStream<T> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        match self.early.take(into, most) {
            Some(count) => Poll::Ready(Ok(count)),
            None => self.stream.poll_read(cx, into, most),
        }
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // the read will tell of the lateness
        match self.early.is_empty() && self.check(cx).is_ok() {
            true => self.stream.poll_readable(cx),
            false => Poll::Ready(()),
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // what the system takes at once is not late: a Close goes out however busy we are
        match self.stream.poll_write(cx, parts) {
            Poll::Pending => {
                self.check(cx)?;
                Poll::Pending
            }
            written => written,
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        self.stream.poll_shutdown(cx)
    }

    facts_of_field!(stream);
}
