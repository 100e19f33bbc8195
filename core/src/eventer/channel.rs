//! What both ends of Eventer have in common: a Chatter connection, an error that is final, and a
//! deadline for the initialization.

use core::time::Duration;

use bytestring::ByteString;

use super::{Error, SendFault, message};
use crate::buffer::{RecvBuf, SendQueue};
use crate::chatter::{self, Conversation, Incoming, Message, SendOptions};
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::sbs::{Decode, Encode, Reader};
use crate::time::{Instant, earliest};

/// Bytes of a message's type that an error shows: four times the longest that there is.
const MAX_NAME: usize = 128;

#[derive(Debug)]
pub(super) struct Channel {
    chatter: chatter::Connection,
    /// Bytes that the elements of one message may take once they are decoded.
    max_decoded: usize,
    over: Option<Error>,
    /// When the other side must have done its part.
    pub(super) deadline: Option<Instant>,
}

impl Channel {
    pub(super) fn new(
        config: chatter::Config,
        max_decoded: usize,
        init_timeout: Duration,
        now: Instant,
    ) -> Self {
        let deadline = Some(now + init_timeout);
        let config = chatter::Config { names: message::NAMES, ..config };
        let chatter = chatter::Connection::new(config, now);
        Self { chatter, max_decoded, over: None, deadline }
    }

    /// The error that the connection ended with.
    pub(super) fn over(&self) -> Option<&Error> {
        self.over.as_ref()
    }

    /// What Chatter gives, as it gives it: a message is large, and moved as seldom as can be.
    #[inline]
    pub(super) fn poll(
        &mut self,
        rx: &mut RecvBuf,
        now: Instant,
    ) -> Result<Polled<Incoming>, chatter::Error> {
        self.chatter.poll(rx, now)
    }

    /// Nothing is read for now: the client is not waited for.
    pub(super) fn not_reading(&mut self) {
        self.chatter.not_reading();
    }

    /// As [`Protocol::stood_still`].
    pub(super) fn stood_still(&mut self, time: Duration) {
        self.chatter.stood_still(time);
        self.deadline.iter_mut().for_each(|at| *at += time);
    }

    /// As [`Protocol::too_large`].
    pub(super) fn too_large(&self) -> Option<TooLarge> {
        self.chatter.too_large()
    }

    /// Waits until `at`, unless a deadline is running or we are closing.
    pub(super) fn wait_until(&mut self, at: Instant) {
        if !self.is_closing() {
            self.deadline.get_or_insert(at);
        }
    }

    /// Whether the deadline has passed.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.over.is_none() && self.deadline.is_some_and(|at| now >= at)
    }

    /// The connection is over: no conversation is open.
    pub(super) fn end(&mut self, error: Error) -> Error {
        self.close();
        self.over.get_or_insert(error).clone()
    }

    /// The data of `message`. Bytes behind it are let pass as the deployed software does, unless
    /// the connection is strict.
    pub(super) fn decode<T: Decode>(&self, message: &Message) -> Result<T, Error> {
        let mut reader = Reader::new(&message.data.data).with_max_memory(self.max_decoded);
        let decoded = T::decode(&mut reader).and_then(|value| {
            if self.chatter.config().strict {
                reader.finish()?;
            }
            Ok(value)
        });
        decoded.map_err(|error| Error::Malformed { message: name(message), error })
    }

    fn is_open(&self) -> Result<(), SendFault> {
        if self.over.is_some() { Err(chatter::SendFault::Closed.into()) } else { Ok(()) }
    }

    /// Starts a conversation. One that is not `last` gives the other side the right to answer.
    pub(super) fn start(
        &mut self,
        name: &str,
        data: &impl Encode,
        last: bool,
    ) -> Result<Conversation, SendFault> {
        self.is_open()?;
        let options = SendOptions { last, ..SendOptions::default() };
        Ok(self.chatter.send_encoded(chatter::Name::of(name), data, options)?)
    }

    /// Answers, as the last message of a conversation.
    pub(super) fn answer(
        &mut self,
        conversation: Conversation,
        name: &str,
        data: &impl Encode,
    ) -> Result<(), SendFault> {
        self.is_open()?;
        let options = SendOptions { conversation: Some(conversation), ..SendOptions::default() };
        self.chatter.send_encoded(chatter::Name::of(name), data, options)?;
        Ok(())
    }

    /// Answers with a few bytes that the peer is waiting for, even over a full queue: see
    /// [`max_unsent_replies`](chatter::Config::max_unsent_replies).
    pub(super) fn confirm(
        &mut self,
        conversation: Conversation,
        name: &str,
    ) -> Result<(), SendFault> {
        self.is_open()?;
        Ok(self.chatter.send_reply(chatter::Name::of(name), conversation)?)
    }

    pub(super) fn open_conversations(&self) -> usize {
        self.chatter.open_conversations()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.over {
            Some(_) => None,
            None => earliest(self.chatter.deadline(), self.deadline),
        }
    }

    pub(super) fn tx(&mut self) -> &mut SendQueue {
        self.chatter.tx()
    }

    pub(super) fn close(&mut self) {
        self.chatter.close();
        self.deadline = None;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.over.is_some() || self.chatter.is_closing()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.over.is_some() || self.chatter.is_closed()
    }
}

/// An error for a message that has no place here.
pub(super) fn unexpected(message: &Message, place: &'static str) -> Error {
    Error::Unexpected { message: name(message), place }
}

/// Whether `message` is a question that we can answer, once.
pub(super) fn is_question(message: &Message) -> bool {
    message.first && message.token && !message.last
}

/// The type of `message` for an error, which goes into logs and lives on: short, and without the
/// frame.
fn name(message: &Message) -> ByteString {
    let name = &message.data.r#type[..];
    name[..name.floor_char_boundary(MAX_NAME)].into()
}
