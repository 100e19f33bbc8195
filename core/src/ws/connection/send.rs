//! What is queued: messages and control frames, masked on the way into the queue where we are the
//! client.

use crate::buffer::Writer;
use bytes::Bytes;
use bytestring::ByteString;

use super::super::frame::{self, MAX_CONTROL, MAX_HEADER, Opcode};
use super::super::{Role, SendError, code, mask};
use super::{Connection, Patience, Phase};
use crate::trace;

impl Connection {
    /// Queues a text message. A server queues large ones by reference.
    ///
    /// # Errors
    ///
    /// [`SendError`]. Nothing is queued then.
    pub fn send_text(&mut self, text: &ByteString) -> Result<(), SendError> {
        self.send(Opcode::Text, [text.as_bytes()])
    }

    /// Queues one text message whose text stands in `parts`, one behind another. A server queues
    /// large parts by reference: what many connections are sent is not copied for each.
    ///
    /// # Errors
    ///
    /// [`SendError`]. Nothing is queued then.
    pub fn send_text_parts(&mut self, parts: &[ByteString]) -> Result<(), SendError> {
        self.send(Opcode::Text, parts.iter().map(ByteString::as_bytes))
    }

    /// Queues a binary message. A server queues large ones by reference.
    ///
    /// # Errors
    ///
    /// [`SendError`]. Nothing is queued then.
    pub fn send_binary(&mut self, data: &Bytes) -> Result<(), SendError> {
        self.send(Opcode::Binary, [data])
    }

    /// Queues a Ping with `payload`, at most 125 bytes. The peer answers with a Pong that carries
    /// the same; of several Pings it may answer the last one only.
    ///
    /// # Errors
    ///
    /// [`SendError`]. Nothing is queued then.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        fits_control(payload.len(), MAX_CONTROL)?;
        self.may_send(MAX_HEADER + payload.len())?;
        self.put_ping(payload);
        Ok(())
    }

    /// Queues a Ping over a full queue too: one that a layer above sends, one at a time. Those of
    /// our own that follow carry its payload: their answer is the answer to it, too.
    pub(crate) fn put_ping(&mut self, payload: &[u8]) {
        self.put_control(Opcode::Ping, &[payload]);
        if let Some(watch) = &mut self.watch {
            watch.payload = Bytes::copy_from_slice(payload);
        }
    }

    /// Starts the end of the connection with `code` and a `reason` for people, at most 123 bytes.
    /// Done when [`is_closed`](crate::protocol::Protocol::is_closed). It goes out over a full queue
    /// too.
    ///
    /// # Errors
    ///
    /// [`SendError`]. Nothing is queued then.
    pub fn close_with(&mut self, code: u16, reason: &str) -> Result<(), SendError> {
        if !code::is_valid(code) {
            return Err(SendError::CloseCode(code));
        }
        fits_control(reason.len(), MAX_CONTROL - 2)?;
        self.may_send(0)?;
        self.start_close(code, reason);
        Ok(())
    }

    /// Sends our Close, and waits for the peer's.
    pub(super) fn start_close(&mut self, code: u16, reason: &str) {
        self.put_control(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()]);
        self.phase = Phase::Closing(Patience::new(&self.tx));
    }

    /// Whether frames of `bytes` in all can be queued; none always fit.
    pub(crate) fn may_send(&self, bytes: usize) -> Result<(), SendError> {
        let limit = self.config.max_queued;
        match self.phase {
            Phase::AwaitRequest { .. } | Phase::AwaitResponse { .. } | Phase::Deciding(_) => {
                Err(SendError::NotOpen)
            }
            Phase::Closing(_) | Phase::Draining(_) | Phase::Over(_) => Err(SendError::Closed),
            Phase::Open => {
                let full =
                    bytes > 0 && !self.tx.is_empty() && self.tx.len().saturating_add(bytes) > limit;
                if full { Err(SendError::QueueFull { limit }) } else { Ok(()) }
            }
        }
    }

    /// Queues a message of one frame.
    fn send<'a, P>(&mut self, opcode: Opcode, parts: P) -> Result<(), SendError>
    where
        P: IntoIterator<Item = &'a Bytes> + Clone,
    {
        let size = parts.clone().into_iter().map(Bytes::len).sum::<usize>();
        self.may_send(size.saturating_add(MAX_HEADER))?;
        self.put(opcode, size, parts);
        Ok(())
    }

    /// Queues a text message over a full queue too: for a layer above whose messages are several of
    /// ours, or answers that have a limit of their own. It asks [`may_send`](Self::may_send) first;
    /// unless the connection is open, nothing is queued.
    pub(crate) fn put_text(&mut self, parts: &[ByteString]) {
        if let Phase::Open = self.phase {
            let size = parts.iter().map(|part| part.len()).sum();
            self.put(Opcode::Text, size, parts.iter().map(ByteString::as_bytes));
        }
    }

    fn put<'a, P>(&mut self, opcode: Opcode, size: usize, parts: P)
    where
        P: IntoIterator<Item = &'a Bytes> + Clone,
    {
        trace::sent(if opcode == Opcode::Text { "text" } else { "binary" }, size);
        if self.deflater.is_some()
            && self.put_compressed(
                opcode,
                size,
                &mut parts.clone().into_iter().map(|part| &part[..]),
            )
        {
            self.note_sent(size);
            return;
        }
        self.put_frame(opcode, false, size, parts);
        self.note_sent(size);
    }

    /// A message of `size` bytes was queued, by a layer above perhaps, as several of ours.
    pub(crate) fn note_sent(&mut self, size: usize) {
        self.largest = self.largest.max(size);
        self.large.queued(size, &self.tx);
    }

    /// Queues the message compressed; `false` where that would not make it smaller. Apart, so that
    /// it costs nothing where no compression was agreed.
    #[cold]
    #[inline(never)]
    fn put_compressed(
        &mut self,
        opcode: Opcode,
        size: usize,
        parts: &mut dyn Iterator<Item = &[u8]>,
    ) -> bool {
        let data = self.deflater.as_mut().and_then(|deflater| deflater.compress(size, parts));
        let Some(data) = data else { return false };
        self.put_frame(opcode, true, data.len(), [&data]);
        true
    }

    fn put_frame<'a>(
        &mut self,
        opcode: Opcode,
        compressed: bool,
        size: usize,
        parts: impl IntoIterator<Item = &'a Bytes>,
    ) {
        match self.role {
            Role::Client => {
                let parts = parts.into_iter().map(|part| &part[..]);
                self.put_masked(opcode, compressed, size, parts);
            }
            Role::Server => {
                self.put_header(opcode, compressed, size, None);
                parts.into_iter().for_each(|part| self.tx.put_bytes(part));
            }
        }
    }

    /// Queues a control frame, whatever waits there.
    pub(super) fn put_control(&mut self, opcode: Opcode, parts: &[&[u8]]) {
        let size = parts.iter().map(|part| part.len()).sum();
        match self.role {
            Role::Client => self.put_masked(opcode, false, size, parts.iter().copied()),
            Role::Server => {
                self.put_header(opcode, false, size, None);
                parts.iter().for_each(|part| self.tx.put_slice(part));
            }
        }
    }

    fn put_header(
        &mut self,
        opcode: Opcode,
        compressed: bool,
        size: usize,
        mask: Option<mask::Mask>,
    ) {
        let (header, len) = frame::header(opcode, compressed, size, mask);
        self.tx.put_padded(&header, len);
    }

    fn put_masked<'a>(
        &mut self,
        opcode: Opcode,
        compressed: bool,
        size: usize,
        parts: impl Iterator<Item = &'a [u8]>,
    ) {
        let key = self.masks.next();
        self.put_header(opcode, compressed, size, Some(key));
        let mut offset = 0;
        for part in parts {
            self.tx.put_changed(part, |copy| mask::apply(copy, key, offset));
            offset += part.len();
        }
    }
}

fn fits_control(size: usize, limit: usize) -> Result<(), SendError> {
    if size > limit { Err(SendError::ControlTooLong { size, limit }) } else { Ok(()) }
}
