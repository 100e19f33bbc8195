//! What will happen, in the order of virtual time; what is due at the same time comes in the order
//! of planning.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use hat_core::time::Instant;

use super::end::EndId;
use super::network::ClockId;

/// Something that is planned.
#[derive(Debug)]
pub(super) enum Plan<T> {
    /// Something arrives at an end.
    Arrive(EndId),
    /// An end has something to do: its deadline has come, it may write again, it is no longer held
    /// or frozen.
    Wake(EndId),
    /// The connection is up at this end, or refused.
    Up(EndId),
    Refused(EndId),
    /// The network fails at this end.
    Fail(EndId),
    Jump(ClockId, std::time::Duration),
    /// A timer of the application.
    Timer(T),
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    order: u64,
    plan: Plan<T>,
}

#[derive(Debug)]
pub(super) struct Agenda<T> {
    entries: BinaryHeap<Reverse<Entry<T>>>,
    planned: u64,
}

impl<T> Agenda<T> {
    pub(super) fn new() -> Self {
        Self { entries: BinaryHeap::new(), planned: 0 }
    }

    pub(super) fn plan(&mut self, at: Instant, plan: Plan<T>) {
        self.planned += 1;
        self.entries.push(Reverse(Entry { at, order: self.planned, plan }));
    }

    pub(super) fn next(&mut self) -> Option<(Instant, Plan<T>)> {
        self.entries.pop().map(|Reverse(entry)| (entry.at, entry.plan))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}
