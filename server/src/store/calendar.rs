//! What time it is for rules that remove what is old. The system's clock says it, but where that is
//! years ahead, for a moment or after a start, what has been kept for years must not go.

use std::time::{Duration, Instant};

use hat_core::eventer::{QueryParams, TimeseriesParams, Timestamp};
use tracing::warn;

use super::Store;

/// How far a clock may be ahead of where it should be by what is known, 1 h.
const AHEAD: Duration = Duration::from_secs(3_600);

/// How long it has to be ahead before it is believed, 1 h: clocks that are wrong after a start are
/// set right within minutes.
const BELIEVED: Duration = Duration::from_secs(3_600);

/// A clock that is believed as far as the events of a store bear it out.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    /// What time it was, and when that was said; `None` before there was an event to go by.
    known: Option<(Timestamp, Instant)>,
    /// Since when the clock is ahead.
    ahead: Option<Instant>,
}

impl Calendar {
    /// Goes by the newest event of the store, of whatever server, where it has not gone by one yet.
    /// A store that cannot be read now is looked at the next time.
    pub(crate) fn look_at(&mut self, store: &dyn Store, instant: Instant) {
        if self.known.is_none() {
            self.known = newest(store).map(|newest| (newest, instant));
        }
    }

    /// The time, where `clock` says this. Without an event there is nothing that is old.
    pub(crate) fn now(&mut self, clock: Timestamp, instant: Instant) -> Timestamp {
        let Some((at, since)) = self.known else { return Timestamp::MIN };
        let passed = instant.saturating_duration_since(since);
        let expected = at.s().saturating_add_unsigned(passed.as_secs());
        if clock.s() <= expected.saturating_add_unsigned(AHEAD.as_secs()) {
            self.ahead = None;
        } else {
            if self.ahead.is_none() {
                warn!(
                    %clock, last = %at,
                    "the clock is far ahead of the last event: for an hour, no event is removed because of its age"
                );
            }
            let ahead = *self.ahead.get_or_insert(instant);
            if instant.saturating_duration_since(ahead) < BELIEVED {
                return Timestamp::from_secs(expected).max(at);
            }
            self.ahead = None;
        }
        self.known = Some((clock, instant));
        clock
    }
}

/// The time of the newest event, if there is one.
fn newest(store: &dyn Store) -> Option<Timestamp> {
    let newest = TimeseriesParams { max_results: Some(1), ..TimeseriesParams::default() };
    let found = store.query(&QueryParams::Timeseries(newest)).ok()?.into_result();
    found.events.first().map(|event| event.timestamp)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hat_core::eventer::{Event, EventId};

    use super::*;
    use crate::store::memory::Config;
    use crate::store::{MemoryStore, Session, Sync};

    #[test]
    fn a_clock_that_is_far_ahead_is_believed_after_an_hour() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let at = Timestamp::from_secs;
        let mut calendar = Calendar { known: Some((at(1_000), start)), ahead: None };
        assert_eq!(calendar.now(at(1_010), after(10)), at(1_010));
        // a little ahead, or back: as it says
        assert_eq!(calendar.now(at(4_000), after(20)), at(4_000));
        assert_eq!(calendar.now(at(2_000), after(30)), at(2_000));
        // years ahead for a while: time passes as it does
        assert_eq!(calendar.now(at(900_000_000), after(40)), at(2_010));
        assert_eq!(calendar.now(at(900_000_600), after(640)), at(2_610));
        assert_eq!(calendar.now(at(2_620), after(650)), at(2_620));
        // years ahead for good: after a start that comes late, or where the store stood still
        assert_eq!(calendar.now(at(900_000_000), after(660)), at(2_630));
        assert_eq!(calendar.now(at(900_003_599), after(4_259)), at(6_229));
        assert_eq!(calendar.now(at(900_003_600), after(4_260)), at(900_003_600));
        assert_eq!(calendar.now(at(900_003_601), after(4_261)), at(900_003_601));
    }

    /// One that mirrors another server, and has never registered anything itself.
    #[test]
    fn it_goes_by_the_events_of_whatever_server() {
        let start = Instant::now();
        let store = MemoryStore::new(Config::new(1));
        let mut calendar = Calendar::default();
        calendar.look_at(&store, start);
        let clock = Timestamp::from_secs(900_000_000);
        assert_eq!(calendar.now(clock, start), Timestamp::MIN, "there is nothing that is old");
        for (server, secs) in [(7, 1_000), (8, 2_000), (9, 1_500)] {
            let event = Event {
                id: EventId::new(server, 1, 1),
                event_type: "a".into(),
                timestamp: Timestamp::from_secs(secs),
                source_timestamp: None,
                payload: None,
            };
            let session = Session::new(vec![event]).expect("a session");
            store.apply(&[Arc::new(session)], &[], Sync::Now).expect("applied");
        }
        calendar.look_at(&store, start);
        assert_eq!(calendar.now(clock, start), Timestamp::from_secs(2_000));
    }
}
