//! A connection as the `AsyncRead` and `AsyncWrite` of `futures-io`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};

use super::{Connection, Error};
use crate::shared::Wait;
use hat_core::protocol::Protocol;

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => io::Error::new(error.kind(), error),
        error @ (Error::Stalled | Error::Idle { .. }) => {
            io::Error::new(io::ErrorKind::TimedOut, error)
        }
        error @ Error::Runtime => io::Error::other(error),
        // an end that is in order
        error => io::Error::new(io::ErrorKind::NotConnected, error),
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if into.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let most = into.len();
        let read = self
            .handle
            .poll_wait(cx, Wait::Incoming, |session| session.take(|input| input.take(most)));
        match ready!(read).and_then(|read| read) {
            Ok(bytes) => {
                into[..bytes.len()].copy_from_slice(&bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            // an orderly end is the end of the stream
            Err(Error::Protocol(_)) => Poll::Ready(Ok(0)),
            Err(error) => Poll::Ready(Err(io_error(error))),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.handle.poll_wait(cx, Wait::Room, |session| {
            match session.machine.send(Bytes::copy_from_slice(bytes)) {
                Err(refused) if refused.fault.is_queue_full() => None,
                sent => Some(sent),
            }
        });
        let closed = |_| hat_core::tcp::Error::Closed.into();
        ready!(written).and_then(|written| written.map_err(closed)).map_err(io_error)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.handle.poll_wait(cx, Wait::Outgoing, |session| {
            let tx = session.machine.tx();
            // also with nothing left to write: what a failure dropped is not written
            (tx.sent() >= tx.end()).then_some(())
        });
        flushed.map_err(io_error)
    }

    /// Ends our side; what the peer sends can still be read.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        match ready!(self.poll_flush(cx)) {
            // both sides have ended, which is as closed as can be
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            flushed => Poll::Ready(flushed),
        }
    }
}
