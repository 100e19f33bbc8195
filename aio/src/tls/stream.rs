//! A stream of plain bytes over a stream of records.
//!
//! ```text
//! poll_write:  parts ──encrypt, at most 64 KiB──> records ──until all are with the system──> Ready
//! poll_read:   socket ──> incoming ──decrypt, at most a record──> plain bytes ──> into
//! ```
//!
//! A write is ready only when the system has taken every record of it, so 'written' means the same
//! as without TLS, and no more than one write waits encrypted. Reading never waits for writing:
//! what TLS itself has to say (answers to key updates, alerts) goes out as the socket takes it.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, BufRead, IoSlice, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustls::crypto::CryptoProvider;
use rustls::{Connection, SupportedCipherSuite};

use super::Error;
use crate::linger::Linger;
use crate::runtime::{Runtime, Stream, within};

/// Plain bytes that are encrypted in one go: four full records, one system call.
const BATCH: usize = 64 * 1024;

/// Bytes that are asked of the socket in one read, at least and at most: a small record; some large
/// ones.
const READ: std::ops::RangeInclusive<usize> = 2 * 1024..=64 * 1024;

/// Reads of the socket that may come to nothing for the application before other tasks have their
/// turn: a peer can send empty records as fast as it likes.
const BUDGET: usize = 32;

/// Plain bytes of a record at the most (RFC 5246 section 6.2.1).
const RECORD: usize = 16 * 1024;

/// Bytes in front of those of a record.
const HEADER: usize = 5;

/// Records that are kept for what TLS itself has to say: the end of a handshake, alerts, answers.
const RESERVE: u64 = 16;

/// The one provider of cryptography.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A TLS connection over `S`, its handshake done.
pub struct TlsStream<S> {
    stream: S,
    tls: Connection,
    /// Records that were read and not decrypted yet.
    incoming: BytesMut,
    /// Plain bytes of the write in hand: encrypted, and not all with the system.
    accepted: usize,
    /// Records that may still be written, and their number at first: see [`Error::RecordsUsedUp`].
    records: Records,
    /// Nothing has been read yet.
    fresh: bool,
    /// Our side is ended.
    ended: bool,
    /// Why nothing more can be read. Told once all that came before is.
    failed: Option<Error>,
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("ended", &self.ended)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl<S: Stream> TlsStream<S> {
    /// Does the handshake within `time`. With TLS 1.2, no more than `records` are written
    /// afterwards, of `fragment` bytes at the most with their header, where the configuration says
    /// so.
    pub(super) async fn handshake<R: Runtime>(
        stream: S,
        mut tls: Connection,
        time: Duration,
        records: u64,
        fragment: Option<usize>,
    ) -> Result<Self, Error> {
        tls.set_buffer_limit(Some(BATCH));
        let mut this = Self {
            stream,
            tls,
            incoming: BytesMut::new(),
            accepted: 0,
            records: Records::default(),
            fresh: true,
            ended: false,
            failed: None,
        };
        let done = within::<R, _>(time, poll_fn(|cx| this.poll_handshake(cx))).await;
        match done.unwrap_or(Err(Error::TimedOut { time })) {
            Ok(()) => {
                this.records = Records::of(&this.tls, records, fragment);
                Ok(this)
            }
            // nobody is there to be told
            Err(error @ (Error::TimedOut { .. } | Error::Closed | Error::Io(_))) => Err(error),
            Err(error) => {
                // whether the peer learns the reason or not, ours is the one to tell
                let mut linger = Linger::<R>::new();
                poll_fn(|cx| this.poll_leave(cx, &mut linger)).await;
                Err(error)
            }
        }
    }

    /// The application protocol that was agreed (ALPN), if any.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    /// The peer's certificate in DER and those of its issuers, as it sent them; empty for a client
    /// that showed none.
    pub fn peer_certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.tls.peer_certificates().into_iter().flatten().map(AsRef::as_ref)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            let flushed = self.poll_flush(cx);
            if !self.tls.is_handshaking() {
                return match flushed {
                    // what a server still has to say, session tickets say, waits for no one: the
                    // client may wait for us
                    Poll::Pending if matches!(self.tls, Connection::Server(_)) => {
                        Poll::Ready(Ok(()))
                    }
                    flushed => flushed.map_err(Error::from),
                };
            }
            if let Some(error) = &self.failed {
                return Poll::Ready(Err(error.clone()));
            }
            // also where nothing can be written any more: what the peer sent may say why
            ready!(self.poll_receive(cx, *READ.end()));
        }
    }

    /// Writes the alert, ends our side, and waits for the peer to end its own.
    fn poll_leave<R: Runtime>(&mut self, cx: &mut Context<'_>, linger: &mut Linger<R>) -> Poll<()> {
        let gone = match self.poll_flush(cx) {
            // the end of a stream within another one may wait for ever, and we do not
            Poll::Ready(Ok(())) => matches!(self.stream.poll_shutdown(cx), Poll::Ready(Err(_))),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if gone { Poll::Ready(()) } else { linger.poll(cx, &mut self.stream) }
    }

    /// Writes records until none are left.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Socket { stream: &mut self.stream, cx }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads from the socket if there is nothing left to decrypt, and decrypts some of it. What is
    /// wrong is in `failed` then.
    fn poll_receive(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<()> {
        if self.incoming.is_empty() {
            let most = most.clamp(*READ.start(), *READ.end());
            if self.incoming.capacity() > 2 * most {
                // it was busy once; an idle connection holds little
                self.incoming = BytesMut::new();
            }
            match ready!(self.stream.poll_read(cx, &mut self.incoming, most)) {
                Ok(0) if self.tls.is_handshaking() => self.failed = Some(Error::Closed),
                Ok(0) => self.failed = Some(Error::Truncated),
                Ok(_) => {}
                // who does not like what it reads, and does not speak TLS, mostly resets
                Err(error) if self.tls.is_handshaking() && is_reset(&error) => {
                    self.failed = Some(Error::Closed);
                }
                Err(error) => self.failed = Some(error.into()),
            }
        }
        if let Some(&first) = self.incoming.first() {
            if std::mem::take(&mut self.fresh) && !begins_record(first) {
                self.failed = Some(Error::NotTls { first });
            } else if let Err(error) = self.decrypt() {
                self.failed = Some(error);
            }
        }
        Poll::Ready(())
    }

    fn decrypt(&mut self) -> Result<(), Error> {
        let mut rest = &self.incoming[..];
        let taken = self.tls.read_tls(&mut rest)?;
        self.incoming.advance(taken);
        self.tls.process_new_packets()?;
        Ok(())
    }

    /// Moves what is decrypted to `into`; `true` once the peer has said that it sends no more.
    fn take(&mut self, into: &mut BytesMut, most: usize) -> bool {
        let mut room = most;
        let mut reader = self.tls.reader();
        while room > 0 {
            // an error is that there is nothing: `failed` knows more
            let Ok(chunk) = reader.fill_buf() else { return false };
            if chunk.is_empty() {
                return true;
            }
            let count = chunk.len().min(room);
            into.extend_from_slice(&chunk[..count]);
            reader.consume(count);
            room -= count;
        }
        false
    }
}

/// How many records the keys of a connection are still good for.
///
/// A cipher of TLS 1.2 may encrypt so many with the same keys (2^24 with AES-GCM: RFC 8446 section
/// 5.5, whose limit holds for TLS 1.2 as well), and there is no way to change them. At that limit
/// rustls drops what is written, counts it as written, and says `close_notify`: the peer would take
/// what it has for all. So this counts, and fails before.
#[derive(Clone, Copy, Debug)]
struct Records {
    limit: u64,
    left: u64,
    /// Plain bytes of each at the most.
    size: usize,
}

impl Default for Records {
    fn default() -> Self {
        Self { limit: u64::MAX, left: u64::MAX, size: RECORD }
    }
}

impl Records {
    /// Those of a handshake that is done, at most `most`, of `fragment` bytes with their header.
    fn of(tls: &Connection, most: u64, fragment: Option<usize>) -> Self {
        match tls.negotiated_cipher_suite() {
            Some(SupportedCipherSuite::Tls12(suite)) => {
                let limit = suite.common.confidentiality_limit.min(most);
                // rustls takes no `fragment` that has no room for more than the header
                let size = fragment.map_or(RECORD, |fragment| fragment.saturating_sub(HEADER));
                Self { limit, left: limit.saturating_sub(RESERVE), size: size.max(1) }
            }
            // TLS 1.3 changes its keys
            _ => Self::default(),
        }
    }

    /// Whether one more batch may be written.
    fn check(&self) -> Result<(), Error> {
        match self.left >= BATCH.div_ceil(self.size) as u64 {
            true => Ok(()),
            false => Err(Error::RecordsUsedUp { limit: self.limit }),
        }
    }

    fn written(&mut self, bytes: usize) {
        if self.limit < u64::MAX {
            self.left = self.left.saturating_sub(bytes.div_ceil(self.size) as u64);
        }
    }
}

/// Whether a peer that speaks TLS may begin with this byte: an alert, or a handshake (RFC 8446
/// section 5.1).
fn begins_record(first: u8) -> bool {
    matches!(first, 21 | 22)
}

fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

impl<S: Stream> Stream for TlsStream<S> {
    /// 0 is the peer's `close_notify`; the end of the socket without it is an error,
    /// [`Error::Truncated`].
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let before = into.len();
        for _ in 0..BUDGET {
            let end = self.take(into, most - (into.len() - before));
            let count = into.len() - before;
            let more = count < most && !self.incoming.is_empty() && self.failed.is_none();
            if end || count > 0 && !more {
                return Poll::Ready(Ok(count));
            }
            // the end of a handshake, answers to key updates, alerts: a socket that takes none now
            // wakes us; an error is told by the next write
            let _ = self.poll_flush(cx);
            if let Some(error) = &self.failed {
                return Poll::Ready(Err(error.clone().into()));
            }
            ready!(self.poll_receive(cx, most));
        }
        match into.len() - before {
            0 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            count => Poll::Ready(Ok(count)),
        }
    }

    /// The start of a record that is here already is nothing that will be given.
    fn has_unread(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        self.stream.has_unread(cx)
    }

    fn may_write_here(&self) -> bool {
        self.stream.may_write_here()
    }

    /// Where it was pending, the next call must bring the same bytes first: they are encrypted
    /// already.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.accepted == 0 {
            // what TLS itself had to say goes first, and no more than one batch waits
            ready!(self.poll_flush(cx))?;
            if let Err(error) = self.records.check() {
                // with what is refused here the stream has no orderly end
                return Poll::Ready(Err(self.failed.insert(error).clone().into()));
            }
            let encrypted = self.tls.writer().write_vectored(parts);
            // what rustls refuses, it refuses for what it read
            self.accepted =
                encrypted.map_err(|error| self.failed.clone().map_or(error, io::Error::from))?;
            self.records.written(self.accepted);
        }
        ready!(self.poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.accepted)))
    }

    /// Sends `close_notify`, and ends our side of the socket behind it. After a failure that is no
    /// orderly end, and not called one.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.ended, true) && self.failed.is_none() {
            self.tls.send_close_notify();
        }
        ready!(self.poll_flush(cx))?;
        self.stream.poll_shutdown(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

/// The socket as rustls writes to it.
struct Socket<'a, 'b, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'b>,
}

impl<S: Stream> Write for Socket<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.stream.poll_write(self.cx, parts) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
