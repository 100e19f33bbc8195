//! Events that a rule keeps by two orders: within its limits by their timestamps, or within others
//! by their source timestamps.
//!
//! ```text
//! by timestamp    1  2  3 │ 4  5  6  7    behind a mark are those that are kept because of the
//! by source       2  5  1 │ 6  3  7       order; an event goes that is behind neither: 1, 2
//! ```
//!
//! A mark moves on over the oldest events. One that it passes goes, unless the other mark has yet
//! to pass it. The mark of the source timestamps moves only while that can remove something.

use hat_core::eventer::{Event, OrderBy, Timestamp};
use hat_core::sbs;
use redb::ReadableDatabase;

use super::{LOOK, Picked, Rule, Rules, SourceLimits, oldest_time};
use crate::store::disk::blocks::{self, Damaged, Keys};
use crate::store::disk::drain::ALL;
use crate::store::disk::part::Parts;
use crate::store::disk::tables::{self, PARTS};
use crate::store::disk::write::ChangeError;
use crate::store::index::{Key, Range};

/// Where the marks of a rule are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Windows {
    /// Events that have a source timestamp.
    sourced: i64,
    /// The last key that each mark has passed.
    by_timestamp: Option<Key>,
    by_source: Option<Key>,
    /// Events that the first mark has passed and the second one has not, and their bytes.
    passed: i64,
    passed_bytes: i64,
    /// Events that the second mark has passed and the first one has not.
    passed_by_source: i64,
}

impl Windows {
    /// Of a rule that has so many events with a source timestamp.
    pub(super) fn new(sourced: i64) -> Self {
        Self { sourced, ..Self::default() }
    }

    /// An event came into the indexes.
    pub(super) fn came(&mut self, key: Key, source: Option<Timestamp>, size: i64) {
        let by_source = source.map(|source| (source, key.1));
        let is_passed = Some(key) <= self.by_timestamp;
        let is_passed_by_source = by_source.is_some() && by_source <= self.by_source;
        self.sourced += i64::from(by_source.is_some());
        match (is_passed, is_passed_by_source || by_source.is_none()) {
            // nothing would come by it any more
            (true, true) => *self = Self::new(self.sourced),
            (true, false) => {
                self.passed += 1;
                self.passed_bytes += size;
            }
            (false, _) => self.passed_by_source += i64::from(is_passed_by_source),
        }
    }
}

/// What an order keeps.
struct Window {
    min_entries: i64,
    max_entries: Option<i64>,
    max_bytes: Option<i64>,
    before: Option<Timestamp>,
}

impl Window {
    fn of(limits: SourceLimits, now: Timestamp) -> Self {
        let count = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
        Self {
            min_entries: count(limits.min_entries),
            max_entries: limits.max_entries.map(count),
            max_bytes: limits.max_bytes.map(count),
            before: limits.max_age.and_then(|age| oldest_time(age, now)),
        }
    }

    /// Whether the oldest of so many events is one too many, or may be too old.
    fn may_lose(&self, events: i64, bytes: i64) -> bool {
        events > self.min_entries && (self.before.is_some() || self.is_over(events, bytes))
    }

    fn is_over(&self, events: i64, bytes: i64) -> bool {
        self.max_entries.is_some_and(|most| events > most)
            || self.max_bytes.is_some_and(|most| bytes > most)
    }

    /// Whether the order does not keep the oldest of so many events, which is of that time.
    fn loses(&self, at: Timestamp, events: i64, bytes: i64) -> bool {
        let is_old = self.before.is_some_and(|before| at < before);
        events > self.min_entries && (is_old || self.is_over(events, bytes))
    }
}

/// A step of one rule.
pub(super) struct Step {
    limits: [Window; 2],
    /// Events of the rule, and their bytes.
    events: i64,
    bytes: i64,
    pub(super) at: Windows,
    pub(super) picked: Picked,
    /// There is more to do at once.
    pub(super) more: bool,
}

impl Step {
    pub(super) fn new(
        rule: &Rule,
        by_source: SourceLimits,
        (events, bytes): (i64, i64),
        at: Windows,
        now: Timestamp,
    ) -> Self {
        let by_timestamp = SourceLimits {
            max_entries: rule.max_entries,
            min_entries: rule.min_entries,
            max_age: rule.max_age,
            max_bytes: rule.max_bytes,
        };
        let limits = [by_timestamp, by_source].map(|limits| Window::of(limits, now));
        Self { limits, events, bytes, at, picked: Picked::default(), more: false }
    }

    /// Events that the first mark has not passed, and their bytes.
    fn kept(&self) -> (i64, i64) {
        (self.events - self.at.passed, self.bytes - self.at.passed_bytes)
    }

    /// The same of the second one; of their bytes it is known what events have on average.
    fn kept_by_source(&self) -> (i64, i64) {
        let events = self.at.sourced - self.at.passed_by_source;
        let bytes = i128::from(events) * i128::from(self.bytes) / i128::from(self.events.max(1));
        (events, i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// Whether one of the marks may move.
    pub(super) fn is_anything(&self) -> bool {
        self.may_move(OrderBy::Timestamp) || self.may_move(OrderBy::SourceTimestamp)
    }

    /// Moves both marks on, until `step` events go.
    pub(super) fn look(
        &mut self,
        database: &redb::Database,
        rules: &Rules,
        rule: usize,
        step: usize,
    ) -> Result<(), ChangeError> {
        let transaction = database.begin_read()?;
        let indexes = transaction.open_table(blocks::TABLE)?;
        let mut parts = Parts::new(transaction.open_table(PARTS)?);
        // neither takes what the other one needs
        for (by, most) in [(OrderBy::Timestamp, step.div_ceil(2)), (OrderBy::SourceTimestamp, step)]
        {
            let after = match by {
                OrderBy::Timestamp => self.at.by_timestamp,
                OrderBy::SourceTimestamp => self.at.by_source,
            };
            let mut keys = Keys::new(&indexes, tables::prefix(0, by), Range { after, ..ALL(by) })?;
            let mut left = (LOOK / 2).max(step);
            while self.may_move(by) {
                if left == 0 || self.picked.events.len() >= most {
                    self.more = true;
                    break;
                }
                left -= 1;
                let Some(key) = keys.next()? else { break };
                let stored = parts.find(key.1)?;
                let event: Event = sbs::decode(&stored).map_err(|_| Damaged)?;
                let is_ours = rules.of(&event.event_type) == Some(rule);
                if is_ours && !self.passes(by, key, &event, stored.len()) {
                    break;
                }
                match by {
                    OrderBy::Timestamp => self.at.by_timestamp = Some(key),
                    OrderBy::SourceTimestamp => self.at.by_source = Some(key),
                }
            }
        }
        Ok(())
    }

    /// Whether the mark of this order may move.
    fn may_move(&self, by: OrderBy) -> bool {
        match by {
            OrderBy::Timestamp => {
                let (events, bytes) = self.kept();
                self.limits[0].may_lose(events, bytes)
            }
            OrderBy::SourceTimestamp => {
                let (events, bytes) = self.kept_by_source();
                self.at.passed > 0 && self.limits[1].may_lose(events, bytes)
            }
        }
    }

    /// Whether a mark passes this event, the next one; it goes where both have.
    fn passes(&mut self, by: OrderBy, key: Key, event: &Event, size: usize) -> bool {
        match by {
            OrderBy::Timestamp => self.passes_by_timestamp(key, event, size),
            OrderBy::SourceTimestamp => self.passes_by_source(key, event, size),
        }
    }

    fn passes_by_timestamp(&mut self, key: Key, event: &Event, size: usize) -> bool {
        let (events, bytes) = self.kept();
        if !self.limits[0].loses(key.0, events, bytes) {
            return false;
        }
        let by_source: Option<Key> = event.source_timestamp.map(|source| (source, event.id));
        if by_source > self.at.by_source {
            self.at.passed += 1;
            self.at.passed_bytes += size as i64;
        } else {
            self.at.passed_by_source -= i64::from(by_source.is_some());
            self.pick(event, size);
        }
        true
    }

    fn passes_by_source(&mut self, key: Key, event: &Event, size: usize) -> bool {
        let (events, bytes) = self.kept_by_source();
        if !self.limits[1].loses(key.0, events, bytes) {
            return false;
        }
        if Some((event.timestamp, event.id)) <= self.at.by_timestamp {
            self.at.passed -= 1;
            self.at.passed_bytes -= size as i64;
            self.pick(event, size);
        } else {
            self.at.passed_by_source += 1;
        }
        true
    }

    fn pick(&mut self, event: &Event, size: usize) {
        self.events -= 1;
        self.bytes -= size as i64;
        self.at.sourced -= i64::from(event.source_timestamp.is_some());
        self.picked.add(event, size as u64);
    }
}
