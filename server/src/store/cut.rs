//! Answers that grow to their limits.

use hat_core::eventer::Event;
use hat_core::sbs::Encode;

/// The events of an answer, taken one by one until there is no room: so no more than the answer is
/// ever there.
#[derive(Debug)]
pub(super) struct Cut<T> {
    /// The most events.
    pub(super) most: usize,
    bytes_left: usize,
    events: Vec<T>,
    more: bool,
}

impl<T: Encode> Cut<T> {
    /// None yet. At most `asked` events where so many are asked for, and within the limits of the
    /// store, of which the bytes are those of encoded events. A negative number is none at all,
    /// where the deployed server fails.
    pub(super) fn new(asked: Option<i64>, max_results: usize, max_bytes: usize) -> Self {
        let most = asked.map_or(max_results, |asked| {
            usize::try_from(asked.max(0)).map_or(max_results, |asked| asked.min(max_results))
        });
        Self { most, bytes_left: max_bytes, events: Vec::new(), more: false }
    }

    /// False once there is no room for it: then more follows. One event has room always, whatever
    /// its size.
    pub(super) fn take(&mut self, event: T) -> bool {
        let len = event.encoded_len();
        let fits = self.events.is_empty() || len <= self.bytes_left;
        if self.events.len() >= self.most || !fits {
            self.more = true;
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(len);
        self.events.push(event);
        true
    }

    /// What was taken, and whether more follows.
    pub(super) fn into_parts(self) -> (Vec<T>, bool) {
        (self.events, self.more)
    }
}

impl Cut<Event> {
    /// Takes of `events` what there is room for.
    pub(super) fn take_all<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>) {
        for event in events {
            if !self.take(event.clone()) {
                break;
            }
        }
    }
}
