//! Events registered in each of the last 300 seconds, as a ring: second `s` is element `s % 300`,
//! so that nothing is ever shifted.

use hat_core::json::{Object, Value};

/// Seconds in the ring: what the page's chart shows.
const SECONDS: i64 = 300;

/// The state's part of a server that starts in `second`.
pub(super) fn before(second: i64) -> Value {
    let counts: Value = (0..SECONDS).map(|_| Value::Null).collect();
    Object::from([("at", Value::from(second - 1)), ("counts", counts)]).into()
}

/// Counts what was registered from one second to the next.
#[derive(Debug)]
pub(super) struct Rate {
    /// The one that is not over yet.
    second: i64,
    /// Events registered before it.
    registered: u64,
}

/// What became of the ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The second is not over.
    None,
    /// So many elements changed, from this one on; `at` is the newest second that is over.
    Over { at: i64, elements: Vec<(usize, u64)> },
    /// The clock was set back: what there was is of another time.
    Back,
}

impl Rate {
    /// Nothing was registered before `second`.
    pub(super) fn new(second: i64) -> Self {
        Self { second, registered: 0 }
    }

    /// It is `now`, and so many were registered since the start.
    ///
    /// What was registered since the last call counts for the second of that; seconds that were
    /// slept through since then had none.
    pub(super) fn step(&mut self, now: i64, registered: u64) -> Step {
        if now < self.second {
            *self = Self { second: now, registered };
            return Step::Back;
        }
        if now == self.second {
            return Step::None;
        }
        let count = registered.saturating_sub(self.registered);
        // after a long sleep the ring is overwritten once, not many times
        let first = self.second.max(now - SECONDS);
        let count_of = |second| if second == self.second { count } else { 0 };
        let elements = (first..now).map(|second| (slot(second), count_of(second))).collect();
        *self = Self { second: now, registered };
        Step::Over { at: now - 1, elements }
    }
}

/// Never negative, also before 1970.
fn slot(second: i64) -> usize {
    second.rem_euclid(SECONDS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(at: i64, elements: &[(usize, u64)]) -> Step {
        Step::Over { at, elements: elements.to_vec() }
    }

    #[test]
    fn a_second_that_is_over_is_one_element() {
        let mut rate = Rate::new(600);
        assert_eq!(rate.step(600, 5), Step::None);
        assert_eq!(rate.step(601, 7), over(600, &[(0, 7)]));
        assert_eq!(rate.step(601, 8), Step::None);
        assert_eq!(rate.step(602, 8), over(601, &[(1, 1)]));
        assert_eq!(rate.step(603, 8), over(602, &[(2, 0)]));
    }

    #[test]
    fn what_was_slept_through_is_nothing() {
        let mut rate = Rate::new(899);
        assert_eq!(rate.step(902, 4), over(901, &[(299, 4), (0, 0), (1, 0)]));
        let Step::Over { at, elements } = rate.step(10_000, 9) else { panic!("seconds are over") };
        assert_eq!((at, elements.len()), (9_999, 300));
        assert!(elements.iter().all(|(_, count)| *count == 0), "its second has left the ring");
    }

    #[test]
    fn a_clock_that_is_set_back_starts_anew() {
        let mut rate = Rate::new(600);
        assert_eq!(rate.step(500, 3), Step::Back);
        assert_eq!(rate.step(501, 5), over(500, &[(200, 2)]));
        assert_eq!(slot(-1), 299);
    }
}
