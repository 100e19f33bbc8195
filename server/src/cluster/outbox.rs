//! What a node has to publish, and what became of it: which session goes next, which again, and
//! when one is given up. No clock, no socket.
//!
//! ```text
//! push ─> Waiting ── next ──> Sent ── stored ──> Stored ── applied ──> its ticket, the session
//!            ^                 │                   │
//!            └── failed, void ─┴───────────────────┘     expire ──> its ticket: given up
//!
//! Closed ── open ──> Opening ── the node sees it in the stream ──> Open
//!    ^ given up: what was sent may be in the stream, so the next epoch ends this one
//! ```
//!
//! Where a monitor decides which node registers, an epoch is opened by a fence at first: see
//! [`Role`](super::role::Role).
//!
//! A session is settled when this node sees it in the stream, which is when a majority has it. What
//! is given up after it was sent is uncertain: until the next epoch opens it may come, and never
//! after that.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hat_core::eventer::Timestamp;
use hat_core::time::{Instant, earliest};

use super::message::{Body, Message, Place};

/// What the outbox is allowed to do.
#[derive(Clone, Copy, Debug)]
pub struct OutboxOptions {
    /// Sessions that are sent and not settled, 1 024.
    pub max_sent: usize,
    /// Their bytes, 32 MiB; one is sent always.
    pub max_sent_bytes: usize,
    /// How long a session may take before it is given up, 10 s.
    pub limit: Duration,
    /// How long to wait after something failed, 100 ms.
    pub pause: Duration,
}

impl Default for OutboxOptions {
    fn default() -> Self {
        Self {
            max_sent: 1_024,
            max_sent_bytes: 32 << 20,
            limit: Duration::from_secs(10),
            pause: Duration::from_millis(100),
        }
    }
}

/// The sessions of a node that are not settled. `T` is who waits for one.
#[derive(Debug)]
pub struct Outbox<T> {
    options: OutboxOptions,
    writer: u64,
    /// 0 before the first.
    epoch: u32,
    phase: Phase,
    items: VecDeque<Item<T>>,
    /// The number of the next session.
    next: u64,
    sent: usize,
    sent_bytes: usize,
    /// Something failed: one at a time, until one is applied.
    recovering: bool,
    not_before: Option<Instant>,
    /// The first time by which a session is to be sent or not at all, of those that have one.
    hurry: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    /// When its opening was published, where it was.
    Opening {
        sent: Option<Instant>,
        by: Opening,
    },
    Open,
}

/// How an epoch opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Beside those of other writers, or behind one's own fence.
    Plain,
    /// By a fence, behind the fence at this sequence.
    Fence(u64),
    /// The same, and others may open again.
    Lift(u64),
}

#[derive(Debug)]
struct Item<T> {
    ticket: T,
    body: Bytes,
    /// Decided when it is sent first.
    timestamp: Option<Timestamp>,
    /// Its place among the sessions of an epoch, once it was sent.
    place: Option<Place>,
    step: Step,
    /// How often it was void: as often it needs a new id.
    round: u32,
    since: Instant,
    /// By then it is sent for the first time, or not at all.
    until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Waiting,
    Sent,
    Stored,
}

/// Something to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The message.
    pub message: Message,
    /// Its id, by which JetStream knows a retry.
    pub id: String,
    /// Which it is, for [`Outbox::stored`] and [`Outbox::failed`].
    pub key: Key,
}

/// Which message of an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    place: Place,
    is_opening: bool,
    round: u32,
}

/// A session that is given up.
#[derive(Debug, PartialEq, Eq)]
pub struct GivenUp<T> {
    /// Who waits.
    pub ticket: T,
    /// It was sent, and may be in the stream.
    pub uncertain: bool,
    /// JetStream has acknowledged it, and this node has not applied it.
    pub is_stored: bool,
}

impl<T> Item<T> {
    /// It is what was published as `key`.
    fn is(&self, key: Key) -> bool {
        !key.is_opening && self.place == Some(key.place) && self.round == key.round
    }

    /// It was to be sent by now, and never was.
    fn is_late(&self, now: Instant) -> bool {
        self.place.is_none() && self.until.is_some_and(|until| until <= now)
    }

    fn give_up(self) -> GivenUp<T> {
        let (uncertain, is_stored) = (self.place.is_some(), self.step == Step::Stored);
        GivenUp { ticket: self.ticket, uncertain, is_stored }
    }
}

impl<T> Outbox<T> {
    /// Nothing yet; sessions wait until an epoch opens. Nobody else is the same `writer`, at no
    /// time.
    #[must_use]
    pub fn new(writer: u64, options: OutboxOptions) -> Self {
        Self {
            options,
            writer,
            epoch: 0,
            phase: Phase::Closed,
            items: VecDeque::new(),
            next: 0,
            sent: 0,
            sent_bytes: 0,
            recovering: false,
            not_before: None,
            hurry: None,
        }
    }

    /// Sessions that are not settled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the node's epoch is in the stream: what is pushed now is published at once.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whose sessions they are.
    #[must_use]
    pub fn writer(&self) -> u64 {
        self.writer
    }

    /// Whether a new epoch has to be opened.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Opens the next epoch: what is not settled goes on in it.
    pub fn open(&mut self, by: Opening) {
        self.phase = Phase::Opening { sent: None, by };
        self.epoch += 1;
        self.next = 0;
    }

    /// Adds a session: its events as SBS. Where it is not sent `until` then, it never is.
    pub fn push(&mut self, ticket: T, body: Bytes, until: Option<Instant>, now: Instant) {
        let (step, round, since) = (Step::Waiting, 0, now);
        self.hurry = earliest(self.hurry, until);
        self.items.push_back(Item {
            ticket,
            body,
            timestamp: None,
            place: None,
            step,
            round,
            since,
            until,
        });
    }

    /// What to publish next, if anything may be published now. A session that is published for the
    /// first time gets its timestamp from `clock`.
    pub fn next(&mut self, now: Instant, clock: impl FnOnce() -> Timestamp) -> Option<Publish> {
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.not_before = None;
        match self.phase {
            Phase::Closed | Phase::Opening { sent: Some(_), .. } => None,
            Phase::Opening { sent: None, by } => {
                self.phase = Phase::Opening { sent: Some(now), by };
                let body = match by {
                    Opening::Plain => Body::Open,
                    Opening::Fence(before) => Body::Fence(before),
                    Opening::Lift(before) => Body::Lift(before),
                };
                Some(self.publish(self.place(0), 0, clock(), body))
            }
            Phase::Open => self.next_session(now, clock),
        }
    }

    fn next_session(&mut self, now: Instant, clock: impl FnOnce() -> Timestamp) -> Option<Publish> {
        let most = if self.recovering { 1 } else { self.options.max_sent };
        let at = self.items.iter().position(|item| item.step == Step::Waiting)?;
        if self.recovering && at > 0 {
            // what is before it has to be settled first
            return None;
        }
        let next = self.place(self.next);
        let item = &mut self.items[at];
        if item.is_late(now) {
            // for `late`, which comes before what is behind it
            return None;
        }
        let fits = self.sent_bytes + item.body.len() <= self.options.max_sent_bytes;
        if self.sent > 0 && (self.sent >= most || !fits) {
            return None;
        }
        if item.place.is_none() {
            item.place = Some(next);
            self.next += 1;
        }
        let place = item.place.unwrap_or(next);
        let timestamp = *item.timestamp.get_or_insert_with(clock);
        item.step = Step::Sent;
        self.sent += 1;
        self.sent_bytes += item.body.len();
        let (round, body) = (item.round, Body::Session(item.body.clone()));
        Some(self.publish(place, round, timestamp, body))
    }

    fn place(&self, number: u64) -> Place {
        Place { writer: self.writer, epoch: self.epoch, number }
    }

    fn publish(&self, place: Place, round: u32, timestamp: Timestamp, body: Body) -> Publish {
        let Place { writer, epoch, number } = place;
        let is_opening = matches!(body, Body::Open | Body::Fence(_) | Body::Lift(_));
        let id = match is_opening {
            true => format!("{writer:016x}-{epoch}-open"),
            false => format!("{writer:016x}-{epoch}-{number}-{round}"),
        };
        let key = Key { place, is_opening, round };
        Publish { message: Message { place, timestamp, body }, id, key }
    }

    /// JetStream has stored it: it is certain to come.
    pub fn stored(&mut self, key: Key) {
        if let Some(item) = self.item(key)
            && item.step == Step::Sent
        {
            item.step = Step::Stored;
        }
    }

    /// It can never be stored. Returns who waits for it; what is behind it goes on in the next
    /// epoch, where no number is missing.
    pub fn impossible(&mut self, key: Key) -> Option<T> {
        let at = self.items.iter().position(|item| item.is(key))?;
        let item = self.items.remove(at)?;
        if key.place.epoch == self.epoch {
            self.close();
        }
        Some(item.ticket)
    }

    /// Whether it was stored is not known, or it was not: it is published again, with the same id.
    pub fn failed(&mut self, key: Key, now: Instant) {
        let pause = now + self.options.pause;
        if key.is_opening {
            if let Phase::Opening { sent: Some(_), by } = self.phase
                && key.place.epoch == self.epoch
            {
                self.phase = Phase::Opening { sent: None, by };
                self.not_before = Some(pause);
            }
            return;
        }
        let Some(item) = self.item(key).filter(|item| item.step == Step::Sent) else { return };
        item.step = Step::Waiting;
        let len = item.body.len();
        self.not_in_flight(len);
        self.recovering = true;
        self.not_before = Some(pause);
    }

    /// The node has seen that an epoch does not open. Whether it is the one that this opens, which
    /// is closed then.
    pub fn refused(&mut self, writer: u64, epoch: u32) -> bool {
        let is_opening = matches!(self.phase, Phase::Opening { .. });
        let is_ours = (writer, epoch) == (self.writer, self.epoch) && is_opening;
        if is_ours {
            self.close();
        }
        is_ours
    }

    /// The node has seen another writer take over: what is not settled was not applied, and never
    /// will be. Returns who waits for it. What is being opened is not closed: the stream decides.
    pub fn fenced(&mut self) -> Vec<T> {
        if self.phase == Phase::Open {
            self.close();
        }
        (self.sent, self.sent_bytes, self.recovering) = (0, 0, false);
        self.items.drain(..).map(|item| item.ticket).collect()
    }

    /// The node has seen an epoch open.
    pub fn opened(&mut self, writer: u64, epoch: u32) {
        let is_opening = matches!(self.phase, Phase::Opening { .. });
        if (writer, epoch) != (self.writer, self.epoch) || !is_opening {
            return;
        }
        self.phase = Phase::Open;
        (self.sent, self.sent_bytes, self.recovering, self.not_before) = (0, 0, false, None);
        // what was sent in the epoch before and is still here was not applied, and never will be
        for item in &mut self.items {
            (item.place, item.step, item.round) = (None, Step::Waiting, 0);
            self.hurry = earliest(self.hurry, item.until);
        }
    }

    /// The node has applied a session. Returns who waits for it, where it is one of these.
    pub fn applied(&mut self, place: Place) -> Option<T> {
        let at = self.items.iter().position(|item| item.place == Some(place))?;
        let item = self.items.remove(at)?;
        if item.step != Step::Waiting {
            self.not_in_flight(item.body.len());
        }
        self.recovering = false;
        Some(item.ticket)
    }

    /// The node has seen a session out of turn: it is published again. Where it was its turn, the
    /// writer is not known any more, and has to open again.
    pub fn void(&mut self, place: Place) {
        let at = self.items.iter().position(|item| item.place == Some(place));
        let Some(at) = at.filter(|_| self.phase == Phase::Open) else { return };
        if at == 0 {
            self.close();
            return;
        }
        let item = &mut self.items[at];
        let was = std::mem::replace(&mut item.step, Step::Waiting);
        item.round += 1;
        let len = item.body.len();
        if was != Step::Waiting {
            self.not_in_flight(len);
        }
        self.recovering = true;
    }

    /// The epoch ends: the next one is to be opened.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
    }

    /// Gives up what was to be sent by now, and never was: who waits for it. It is certain not to
    /// be registered.
    pub fn late(&mut self, now: Instant) -> Vec<T> {
        if self.hurry.is_none_or(|at| now < at) {
            return Vec::new();
        }
        let (mut late, mut hurry) = (Vec::new(), None);
        for item in std::mem::take(&mut self.items) {
            if item.is_late(now) {
                late.push(item.ticket);
                continue;
            }
            hurry = earliest(hurry, item.until.filter(|_| item.place.is_none()));
            self.items.push_back(item);
        }
        self.hurry = hurry;
        late
    }

    /// Gives up what has taken too long: sessions, and the opening of an epoch, which the next one
    /// takes the place of. A stream that loses what it has acknowledged may have lost it.
    pub fn expire(&mut self, now: Instant) -> Vec<GivenUp<T>> {
        if let Phase::Opening { sent: Some(since), .. } = self.phase
            && now >= since + self.options.limit
        {
            self.close();
        }
        let (mut given_up, mut at) = (Vec::new(), 0);
        while let Some(item) = self.items.get(at) {
            if now < item.since + self.options.limit {
                at += 1;
                continue;
            }
            let Some(item) = self.items.remove(at) else { break };
            if item.place.is_some_and(|place| place.epoch == self.epoch) {
                // a number that never comes would be waited for
                self.close();
            }
            given_up.push(item.give_up());
        }
        given_up
    }

    /// When [`expire`](Self::expire), [`late`](Self::late) or [`next`](Self::next) has something to
    /// do, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let first = self.items.front().map(|item| item.since + self.options.limit);
        let opening = match self.phase {
            Phase::Opening { sent, .. } => sent.map(|since| since + self.options.limit),
            _ => None,
        };
        [first, self.not_before, opening, self.hurry].into_iter().flatten().min()
    }

    /// Gives up everything.
    pub fn drain(&mut self) -> Vec<GivenUp<T>> {
        self.close();
        self.items.drain(..).map(Item::give_up).collect()
    }

    fn item(&mut self, key: Key) -> Option<&mut Item<T>> {
        self.items.iter_mut().find(|item| item.is(key))
    }

    fn not_in_flight(&mut self, len: usize) {
        self.sent = self.sent.saturating_sub(1);
        self.sent_bytes = self.sent_bytes.saturating_sub(len);
    }
}

#[cfg(test)]
mod tests;
