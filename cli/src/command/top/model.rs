//! The model of `hat top`: what is known of each type.

use std::collections::BTreeMap;
use std::time::Duration;

use hat_core::eventer::{Event, EventType, Payload, Status, Timestamp};

/// Types that are shown; of others only the whole is counted.
const MOST: usize = 100_000;

/// How much of a rate is that of the last moment: the rest is what it was before.
const NEW: f64 = 0.4;

/// In which order types stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Rate,
    Name,
    Age,
}

/// All that is shown.
pub(super) struct Model {
    pub(super) address: String,
    pub(super) status: Status,
    pub(super) sort: Sort,
    /// The picture stays as it is; counting goes on.
    pub(super) paused: bool,
    /// The first row that is shown.
    pub(super) first: usize,
    pub(super) total: Rate,
    /// There were more types than are shown.
    pub(super) cut: bool,
    types: BTreeMap<EventType, Row>,
    shown: Vec<(EventType, Row)>,
}

/// How many events there were, and there are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) count: u64,
    /// Since the last moment.
    new: u64,
    /// Events a second.
    pub(super) rate: f64,
    /// There was a moment before.
    settled: bool,
}

impl Rate {
    fn add(&mut self) {
        self.count += 1;
        self.new += 1;
    }

    fn tick(&mut self, time: Duration) {
        let now = self.new as f64 / time.as_secs_f64().max(1e-6);
        self.rate = if self.settled { self.rate * (1.0 - NEW) + now * NEW } else { now };
        if self.rate < 0.005 {
            self.rate = 0.0;
        }
        (self.new, self.settled) = (0, true);
    }
}

/// One type.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) rate: Rate,
    pub(super) timestamp: Timestamp,
    pub(super) payload: Option<Payload>,
}

impl Model {
    pub(super) fn new(address: String, status: Status) -> Self {
        Self {
            address,
            status,
            sort: Sort::Rate,
            paused: false,
            first: 0,
            total: Rate::default(),
            cut: false,
            types: BTreeMap::new(),
            shown: Vec::new(),
        }
    }

    /// An event that was there before.
    pub(super) fn known(&mut self, event: Event) {
        self.row(event);
    }

    /// An event that came now.
    pub(super) fn told(&mut self, event: Event) {
        self.total.add();
        if let Some(row) = self.row(event) {
            row.rate.add();
        }
    }

    fn row(&mut self, event: Event) -> Option<&mut Row> {
        if self.types.len() >= MOST && !self.types.contains_key(&event.event_type) {
            self.cut = true;
            return None;
        }
        // it is kept for long, and its frame is not
        let Event { event_type, timestamp, payload, .. } = event.detached();
        let new = Row { rate: Rate::default(), timestamp, payload: None };
        let row = self.types.entry(event_type).or_insert(new);
        // what was known may be older than what came meanwhile
        if timestamp >= row.timestamp {
            (row.timestamp, row.payload) = (timestamp, payload);
        }
        Some(row)
    }

    /// So much time has passed since the last moment.
    pub(super) fn tick(&mut self, time: Duration) {
        self.total.tick(time);
        self.types.values_mut().for_each(|row| row.rate.tick(time));
    }

    pub(super) fn scroll(&mut self, rows: isize) {
        let most = self.types.len().saturating_sub(1);
        self.first = self.first.saturating_add_signed(rows).min(most);
    }

    pub(super) fn count(&self) -> usize {
        self.types.len()
    }

    /// The rows from the first that is shown on, as many as fit.
    pub(super) fn rows(&mut self, most: usize) -> &[(EventType, Row)] {
        if !self.paused {
            let mut rows: Vec<_> = self.types.iter().collect();
            match self.sort {
                Sort::Name => {}
                // stable: rows that are alike stay where they are
                Sort::Rate => rows.sort_by(|(_, a), (_, b)| b.rate.rate.total_cmp(&a.rate.rate)),
                Sort::Age => rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.timestamp)),
            }
            let shown = rows.into_iter().skip(self.first).take(most);
            self.shown = shown.map(|(name, row)| (name.clone(), row.clone())).collect();
        }
        &self.shown
    }
}
