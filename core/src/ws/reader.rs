//! Frames into messages and control frames.
//!
//! A payload is unmasked where it arrived, as it arrives, and text is checked as it arrives, so
//! that a fault ends the connection before the rest of a large frame is waited for. A message of
//! one frame is a slice of what was read; the frames of a longer one are copied together once.

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::deflate::{DeflateAgreement, Inflater};
use super::frame::{self, Front, Head, Opcode};
use super::utf8::Utf8;
use super::{Config, Error, Role, Violation, mask};
use crate::buffer::RecvBuf;
use crate::protocol::Polled;

/// What was read.
#[derive(Debug)]
pub(super) enum Item {
    Text(ByteString),
    Binary(Bytes),
    Close(Bytes),
    Ping(Bytes),
    Pong(Bytes),
}

#[derive(Debug)]
pub(super) struct Reader {
    /// Who sends what is read.
    from: Role,
    max_frame: usize,
    max_message: usize,
    /// Where messages may be compressed.
    inflater: Option<Inflater>,
    frame: Option<Frame>,
    message: Option<Message>,
}

/// The frame whose payload comes in: its header is taken, its payload is at the front of the
/// buffer.
#[derive(Debug)]
struct Frame {
    head: Head,
    /// Bytes of the payload.
    size: usize,
    /// Of them those that are unmasked already.
    done: usize,
}

/// The message that comes in: from its first frame to its last.
#[derive(Debug)]
struct Message {
    /// `None` for binary.
    text: Option<Utf8>,
    compressed: bool,
    /// The payloads of its frames before the one that comes in.
    gathered: BytesMut,
}

impl Reader {
    pub(super) fn new(role: Role, config: &Config) -> Self {
        let from = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let Config { max_frame, max_message, .. } = *config;
        Self { from, max_frame, max_message, inflater: None, frame: None, message: None }
    }

    /// From now on messages may be compressed.
    pub(super) fn inflate(&mut self, agreed: DeflateAgreement) {
        self.inflater = Some(Inflater::new(agreed));
    }

    /// Takes frames until there is something to give, or asks for what is missing of the next one.
    #[inline]
    pub(super) fn next(&mut self, rx: &mut RecvBuf) -> Result<Polled<Item>, Error> {
        loop {
            let frame = match &mut self.frame {
                Some(frame) => frame,
                None => match frame::parse(&rx.bytes, self.from, self.inflater.is_some())? {
                    Front::Needs(need) => return wait(rx, need, true),
                    Front::Known(head, len) => {
                        if let Some(size) = self.is_whole(&head, rx.bytes.len() - len) {
                            return take_whole(rx, &head, len, size).map(Polled::Incoming);
                        }
                        let size = self.begin(&head)?;
                        rx.bytes.advance(len);
                        self.frame.insert(Frame { head, size, done: 0 })
                    }
                },
            };
            let before = frame.done;
            let (head, size) = (frame.head, frame.size);
            let have = size.min(rx.bytes.len());
            frame.done = have;
            let arrived = &mut rx.bytes[before..have];
            if let Some(key) = head.mask {
                mask::apply(arrived, key, before);
            }
            let complete = have == size;
            let text = match &mut self.message {
                // compressed text is checked when it is text again
                Some(message) if !head.opcode.is_control() && !message.compressed => {
                    message.text.as_mut()
                }
                _ => None,
            };
            // a message that is complete is checked when it is given
            let unchecked = text.filter(|_| !(complete && head.fin));
            if unchecked.is_some_and(|text| !text.push(arrived)) {
                return Err(Violation::Text.into());
            }
            if !complete {
                return wait(rx, size, false);
            }
            self.frame = None;
            if let Some(item) = self.finish(head, rx.bytes.split_to(have))? {
                return Ok(Polled::Incoming(item));
            }
        }
    }

    /// Whether a message has begun and is not complete, as far as frames were taken from the
    /// buffer.
    pub(super) fn is_inside(&self) -> bool {
        self.message.is_some() || self.frame.is_some()
    }

    /// The size of the payload behind `head`, where that is a message, all of it is among the bytes
    /// that are `here`, and nothing is to be looked at but its text: most messages are so.
    #[inline]
    fn is_whole(&self, head: &Head, here: usize) -> Option<usize> {
        let plain = matches!(head.opcode, Opcode::Text | Opcode::Binary) && !head.compressed;
        let most = here.min(self.max_frame).min(self.max_message);
        let whole = plain && head.fin && self.message.is_none() && head.payload <= most as u64;
        whole.then_some(head.payload as usize)
    }

    /// Checks a header against what came before it and against the limits, and gives the size of
    /// the payload.
    fn begin(&mut self, head: &Head) -> Result<usize, Violation> {
        let limit = self.max_frame;
        let too_large = Violation::FrameTooLarge { size: head.payload, limit };
        match (head.opcode, &self.message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                return usize::try_from(head.payload).map_err(|_| too_large);
            }
            (Opcode::Continuation, None) => return Err(Violation::NothingToContinue),
            (Opcode::Continuation, Some(_)) => {}
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::InMessage),
            (Opcode::Text, None) => {
                self.message = Some(Message::new(Some(Utf8::default()), head.compressed));
            }
            (Opcode::Binary, None) => self.message = Some(Message::new(None, head.compressed)),
        }
        let size =
            usize::try_from(head.payload).ok().filter(|&size| size <= limit).ok_or(too_large)?;
        let gathered = self.message.as_ref().map_or(0, |message| message.gathered.len());
        if size > self.max_message - gathered {
            let size = gathered as u64 + head.payload;
            return Err(Violation::MessageTooLarge { size, limit: self.max_message });
        }
        Ok(size)
    }

    /// Takes the payload of a frame that is complete.
    fn finish(&mut self, head: Head, payload: BytesMut) -> Result<Option<Item>, Violation> {
        match head.opcode {
            Opcode::Close => return Ok(Some(Item::Close(payload.freeze()))),
            Opcode::Ping => return Ok(Some(Item::Ping(payload.freeze()))),
            Opcode::Pong => return Ok(Some(Item::Pong(payload.freeze()))),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {}
        }
        let message = self.message.as_mut().expect("a data frame has begun or continues one");
        let whole = head.opcode != Opcode::Continuation;
        if !(whole && head.fin) {
            message.gather(&payload, self.max_message);
        }
        if !head.fin {
            return Ok(None);
        }
        let bytes = if whole { payload } else { core::mem::take(&mut message.gathered) }.freeze();
        let (text, compressed) = (message.text.is_some(), message.compressed);
        self.message = None;
        let bytes = match &mut self.inflater {
            Some(inflater) if compressed => inflater.inflate(&bytes, self.max_message)?,
            _ => bytes,
        };
        Ok(Some(if text {
            Item::Text(ByteString::try_from(bytes).map_err(|_| Violation::Text)?)
        } else {
            Item::Binary(bytes)
        }))
    }
}

impl Message {
    fn new(text: Option<Utf8>, compressed: bool) -> Self {
        Self { text, compressed, gathered: BytesMut::new() }
    }

    /// Appends `payload`, which fits the limit. The room grows with what is really here, twofold,
    /// and never over the limit.
    fn gather(&mut self, payload: &[u8], limit: usize) {
        let have = self.gathered.len();
        if self.gathered.capacity() - have < payload.len() {
            let room = have.max(payload.len()).min(limit - have);
            self.gathered.reserve(room);
        }
        self.gathered.extend_from_slice(payload);
    }
}

/// Takes a message of one frame, `size` bytes behind `len` of its header.
#[inline]
fn take_whole(rx: &mut RecvBuf, head: &Head, len: usize, size: usize) -> Result<Item, Error> {
    // one reference is counted, the frame becomes its payload
    let mut frame = rx.bytes.split_to(len + size);
    if let Some(key) = head.mask {
        mask::apply(&mut frame[len..], key, 0);
    }
    let mut payload = frame.freeze();
    payload.advance(len);
    Ok(match head.opcode {
        Opcode::Text => Item::Text(ByteString::try_from(payload).map_err(|_| Violation::Text)?),
        _ => Item::Binary(payload),
    })
}

/// Asks for what is missing of `need` bytes, or says what their absence means at the end of the
/// stream.
fn wait(rx: &RecvBuf, need: usize, between: bool) -> Result<Polled<Item>, Error> {
    match (rx.eof, rx.bytes.len()) {
        (true, 0) if between => Err(Error::Lost),
        (true, have) => Err(Error::Truncated { have, need }),
        (false, have) => Ok(Polled::Needs(need - have)),
    }
}
