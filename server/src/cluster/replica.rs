//! The rules of applying: what a node makes of the messages of the stream, in their order. No
//! clock, no socket, no disk: every node that is given the same messages makes the same of them.
//!
//! ```text
//! message ─> in its place?  ── no ──> Fault::Gap            passed over where it was taken before
//!              └─> ours?    ── no ──> passed over, or a Fault where it should be
//!                    └─> the next of its writer? ── no ──> Void, or Known
//!                          └─> Session: its number is the sequence of the message
//! ```
//!
//! A writer is one life of a node. It opens an epoch, and then its sessions count from 0: one that
//! comes before its turn, or of an epoch that is over, is void, whoever sees it. So what a client
//! registered one after the other keeps its order through lost messages and elections, a retry is
//! never applied twice, however late it comes, and what was given up never comes back. Epochs only
//! grow: the opening of one that is over opens nothing when it comes late.
//!
//! Where a monitor decides which node registers, that one opens by a fence, which ends the epochs
//! of all other writers. What they published comes before the fence, and is applied, or behind it,
//! and is void, for every node alike: sessions of two writers never interleave. A fence names the
//! one before it; one that names another comes late, and is refused.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hat_core::eventer::{Event, EventId, Timestamp};
use serde::{Deserialize, Serialize};

use super::message::{
    self, Body, MAX_PARTS, MAX_SESSION, Message, MessageError, Place, SessionError,
};
use crate::store::Session;

/// Writers that may go on, 256: of more, the one that published nothing for the longest is
/// forgotten, and opens again where it still lives. Part of the format: every node has the same.
/// Stores keep all of them with every batch, so they are few.
const MAX_WRITERS: usize = 256;

/// Bytes of parts that are kept until their session comes, 64 MiB: what is not kept is asked for
/// again.
const MAX_KEPT: usize = 64 << 20;

/// Bytes that a part takes beside its own: one may be empty.
const PART: usize = 64;

/// The rules, and what they need to know of what came before.
#[derive(Debug)]
pub struct Replica {
    server_id: i64,
    state: State,
    /// Parts that came, the oldest first.
    parts: VecDeque<(u64, Bytes)>,
    parts_bytes: usize,
    /// Parts that were asked for.
    fetched: BTreeMap<u64, Bytes>,
}

/// What must be known of the messages that were taken, to go on behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The sequence of the last message that was taken; before the first one of the stream, the
    /// one before it.
    pub taken: u64,
    /// CRC-32C of that message; 0 where none was taken.
    pub crc: u32,
    /// The seconds and microseconds of the last session's timestamp.
    timestamp: Option<(i64, u32)>,
    writers: BTreeMap<u64, Writer>,
    #[serde(default, skip_serializing_if = "FenceState::is_none")]
    fence: FenceState,
}

/// Who may register, as the stream says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceState {
    /// The sequence of the last message that was a fence, or lifted one; 0 where there was none.
    pub sequence: u64,
    /// Only one writer may register; else all that open.
    pub is_up: bool,
}

impl FenceState {
    fn is_none(&self) -> bool {
        self.sequence == 0
    }
}

/// What is known of a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Writer {
    epoch: u32,
    /// The number of its next session.
    next: u64,
    /// The sequence of its last message.
    last: u64,
    /// A fence has ended its epoch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    over: bool,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A session, to be applied and told.
    Session {
        /// Which it is, to whoever registered it.
        place: Place,
        /// The session itself.
        session: Arc<Session>,
    },
    /// A session out of turn: it is not applied, and its writer publishes it again if it lives.
    Void(Place),
    /// A session that was applied before: published twice.
    Known,
    /// A message that was taken before: delivered twice.
    Again,
    /// An epoch opens.
    Opened {
        /// Whose.
        writer: u64,
        /// Which.
        epoch: u32,
    },
    /// An epoch opens, and those of all other writers are over.
    TakenOver {
        /// Whose.
        writer: u64,
        /// Which.
        epoch: u32,
        /// Nobody else may open, except by another fence.
        is_up: bool,
    },
    /// An epoch does not open: a fence forbids it, or another one came before this one.
    Refused {
        /// Whose.
        writer: u64,
        /// Which.
        epoch: u32,
    },
    /// A part of a session that comes later.
    Part,
    /// It is not ours.
    Foreign,
}

/// Why a message is not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Messages are missing before it.
    #[error(
        "message {found} of the stream follows message {taken}: the messages between them are missing"
    )]
    Gap {
        /// The last that was taken.
        taken: u64,
        /// The one that came.
        found: u64,
    },
    /// A part of the session is not here: [`Replica::fetched`] gives it.
    #[error("a part of the session in message {0} is missing: message {1}")]
    Needs(u64, u64),
    /// The message cannot be read.
    #[error("message {0} of the stream: {1}")]
    Message(u64, MessageError),
    /// Its events cannot be read.
    #[error("message {0} of the stream has events that cannot be decoded")]
    Events(u64),
    /// It is beyond the limits of a session.
    #[error("the session in message {0} of the stream: {1}")]
    Session(u64, SessionError),
}

impl State {
    /// Nothing is taken, and the first message to take comes after `sequence`.
    #[must_use]
    pub fn behind(sequence: u64) -> Self {
        Self { taken: sequence, ..Self::default() }
    }

    /// Who may register.
    #[must_use]
    pub fn fence(&self) -> FenceState {
        self.fence
    }
}

impl Replica {
    /// Goes on behind what was taken.
    #[must_use]
    pub fn new(server_id: i64, state: State) -> Self {
        let (parts, parts_bytes, fetched) = (VecDeque::new(), 0, BTreeMap::new());
        Self { server_id, state, parts, parts_bytes, fetched }
    }

    /// The sequence of the last message that was taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.state.taken
    }

    /// The timestamp of the last session: none is given an earlier one.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        let (s, us) = self.state.timestamp.unwrap_or((i64::MIN, 0));
        Timestamp::new(s, us).unwrap_or(Timestamp::MIN)
    }

    /// What has to be known to go on from here.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes the message `sequence` of the stream.
    ///
    /// # Errors
    ///
    /// [`Fault`]; nothing has changed then, and it may be taken again.
    pub fn take(&mut self, sequence: u64, bytes: &Bytes) -> Result<Outcome, Fault> {
        let taken = self.state.taken;
        if sequence <= taken {
            return Ok(Outcome::Again);
        }
        if sequence != taken + 1 {
            return Err(Fault::Gap { taken, found: sequence });
        }
        let became = match Message::decode(bytes) {
            Ok(message) => self.message(sequence, message)?,
            Err(MessageError::Foreign) => Outcome::Foreign,
            Err(error) => return Err(Fault::Message(sequence, error)),
        };
        self.state.taken = sequence;
        self.state.crc = crc32c::crc32c(bytes);
        self.fetched.clear();
        Ok(became)
    }

    /// Gives a part that [`Fault::Needs`] asked for: message `sequence` of the stream.
    pub fn fetched(&mut self, sequence: u64, bytes: &Bytes) {
        // what is no part makes the session one that cannot be read
        let part = match Message::decode(bytes) {
            Ok(Message { body: Body::Part(bytes), .. }) => bytes,
            _ => Bytes::new(),
        };
        self.fetched.insert(sequence, part);
    }

    fn message(&mut self, sequence: u64, message: Message) -> Result<Outcome, Fault> {
        let Message { place, timestamp, body } = message;
        match body {
            Body::Open | Body::Fence(_) | Body::Lift(_) => Ok(self.open(sequence, place, &body)),
            Body::Part(bytes) => {
                self.keep(sequence, bytes);
                Ok(Outcome::Part)
            }
            Body::Session(_) | Body::Parted(..) => {
                let known = self.state.writers.get(&place.writer).copied();
                let Some(known) = known.filter(|it| it.epoch == place.epoch && !it.over) else {
                    return Ok(Outcome::Void(place));
                };
                if place.number != known.next {
                    return Ok(match place.number < known.next {
                        true => Outcome::Known,
                        false => Outcome::Void(place),
                    });
                }
                let bytes = match body {
                    Body::Parted(crc, parts) => self.join(sequence, crc, &parts)?,
                    Body::Session(bytes) | Body::Part(bytes) => bytes,
                    Body::Open | Body::Fence(_) | Body::Lift(_) => return Ok(Outcome::Foreign),
                };
                let session = self.session(sequence, timestamp, &bytes)?;
                self.state.timestamp = Some((session.timestamp().s(), session.timestamp().us()));
                let goes_on = Writer { next: known.next + 1, last: sequence, ..known };
                self.state.writers.insert(place.writer, goes_on);
                Ok(Outcome::Session { place, session: Arc::new(session) })
            }
        }
    }

    fn open(&mut self, sequence: u64, place: Place, body: &Body) -> Outcome {
        let Place { writer, epoch, .. } = place;
        let State { writers, fence, .. } = &mut self.state;
        let known = writers.get(&writer).copied();
        if known.is_some_and(|known| epoch <= known.epoch) {
            return Outcome::Known;
        }
        let is_up = matches!(body, Body::Fence(_));
        let takes_over = match body {
            Body::Fence(before) | Body::Lift(before) => {
                if *before != fence.sequence {
                    return Outcome::Refused { writer, epoch };
                }
                *fence = FenceState { sequence, is_up };
                // kept, for their epochs: what of them comes late stays void
                writers.values_mut().for_each(|writer| writer.over = true);
                true
            }
            _ if fence.is_up && known.is_none_or(|known| known.over) => {
                return Outcome::Refused { writer, epoch };
            }
            _ => false,
        };
        if known.is_none() && writers.len() >= MAX_WRITERS {
            let oldest = writers.iter().min_by_key(|(_, writer)| writer.last);
            if let Some(oldest) = oldest.map(|(writer, _)| *writer) {
                writers.remove(&oldest);
            }
        }
        writers.insert(writer, Writer { epoch, next: 0, last: sequence, over: false });
        match takes_over {
            true => Outcome::TakenOver { writer, epoch, is_up },
            false => Outcome::Opened { writer, epoch },
        }
    }

    fn keep(&mut self, sequence: u64, bytes: Bytes) {
        self.parts_bytes += weight(&bytes);
        self.parts.push_back((sequence, bytes));
        while self.parts_bytes > MAX_KEPT
            && let Some((_, oldest)) = self.parts.pop_front()
        {
            self.parts_bytes -= weight(&oldest);
        }
    }

    /// Puts the parts of a session together, and lets them go.
    fn join(&mut self, sequence: u64, crc: u32, names: &[u64]) -> Result<Bytes, Fault> {
        let beyond = |error| Fault::Session(sequence, error);
        if names.len() > MAX_PARTS {
            return Err(beyond(SessionError::TooManyParts(names.len())));
        }
        let (mut parts, mut len) = (Vec::with_capacity(names.len()), 0);
        for wanted in names {
            if *wanted >= sequence {
                return Err(Fault::Events(sequence));
            }
            let kept = self.parts.binary_search_by_key(wanted, |(at, _)| *at);
            let kept = kept.ok().map(|at| &self.parts[at].1);
            let part = kept.or_else(|| self.fetched.get(wanted));
            let part = part.ok_or(Fault::Needs(sequence, *wanted))?;
            len += part.len();
            if len > MAX_SESSION {
                return Err(beyond(SessionError::TooLarge(len)));
            }
            parts.push(part);
        }
        let mut whole = BytesMut::with_capacity(len);
        parts.into_iter().for_each(|part| whole.extend_from_slice(part));
        if crc32c::crc32c(&whole) != crc {
            return Err(Fault::Message(sequence, MessageError::Damaged));
        }
        let used: BTreeSet<_> = names.iter().collect();
        self.parts.retain(|(at, _)| !used.contains(at));
        self.parts_bytes = self.parts.iter().map(|(_, bytes)| weight(bytes)).sum();
        Ok(whole.freeze())
    }

    fn session(&self, sequence: u64, at: Timestamp, bytes: &Bytes) -> Result<Session, Fault> {
        let unreadable = || Fault::Events(sequence);
        let number = i64::try_from(sequence).map_err(|_| unreadable())?;
        let events = message::events(bytes).map_err(|error| Fault::Session(sequence, error))?;
        let timestamp = at.max(self.timestamp());
        let numbered = events.into_iter().zip(1..).map(|(event, instance)| Event {
            id: EventId::new(self.server_id, number, instance),
            event_type: event.event_type,
            timestamp,
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        });
        Session::new(numbered.collect()).map_err(|_| unreadable())
    }
}

/// Bytes that a part takes.
fn weight(part: &Bytes) -> usize {
    part.len() + PART
}

#[cfg(test)]
mod tests;
