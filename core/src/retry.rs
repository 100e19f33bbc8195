//! The delays between attempts of a client that reconnects, for every protocol.

use crate::options::More;
use core::time::Duration;

/// When to try again, and when to give up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// The longest that the first try waits, 0.5 s: `reconnect_delay` of `hat.event.component`.
    /// Each one that fails doubles it.
    pub first_delay: Duration,
    /// The longest that any try waits, 30 s: a server that comes back is found within half a
    /// minute.
    pub max_delay: Duration,
    /// Tries that may fail one after the other before the client gives up. Default: `None`, it
    /// never does.
    pub max_failures: Option<u32>,
    /// What a server does to a client that it does not take. Default: it is tried again, as
    /// `hat.event.component` does.
    pub on_rejection: OnRejection,
    #[doc(hidden)]
    pub more: More,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            max_failures: None,
            on_rejection: OnRejection::Retry,
            more: More::default(),
        }
    }
}

/// What becomes of a client that the server refused: its token is wrong, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRejection {
    /// It tries again, like after any other failure: the server may be set up while it waits.
    Retry,
    /// It gives up: for programs with a person in front, who can mend it.
    Stop,
}

/// Why a connection could not be established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// None came about.
    Unreachable,
    /// The server refused the client.
    Rejected,
    /// It ended, after it had been up for this long.
    Lost {
        /// From the moment that the server took the client.
        up: Duration,
    },
}

/// How long to wait before each try.
///
/// ```text
/// failure   1          2            3              4
/// waits     0.25–0.5   0.5–1        1–2            2–4   …  15–30 s
/// ```
///
/// Each wait is drawn from the upper half of what it may be, so that the clients of one server do
/// not all come back in the same instant. A connection that was up for longer than the next wait
/// could be starts over; one that the server takes and drops at once does not.
#[derive(Clone, Debug)]
pub struct Retry {
    config: RetryConfig,
    /// The longest that the next try waits.
    most: Duration,
    failures: u32,
    random: u64,
}

impl Retry {
    /// The first try has not been made. `seed` decides what is drawn: two clients should not have
    /// the same.
    #[must_use]
    pub fn new(config: RetryConfig, seed: u64) -> Self {
        Self { most: config.first_delay.min(config.max_delay), config, failures: 0, random: seed }
    }

    /// How long to wait before the next try; `None` to give up.
    pub fn after(&mut self, failure: Failure) -> Option<Duration> {
        match failure {
            Failure::Rejected if self.config.on_rejection == OnRejection::Stop => return None,
            Failure::Lost { up } if up > self.most => {
                self.most = self.config.first_delay.min(self.config.max_delay);
                self.failures = 0;
            }
            _ => {}
        }
        self.failures = self.failures.saturating_add(1);
        if self.config.max_failures.is_some_and(|most| self.failures > most) {
            return None;
        }
        let most = self.most;
        self.most = most.saturating_mul(2).min(self.config.max_delay);
        // a 65 536th is fine enough
        let share = u32::from((self.draw() >> 48) as u16);
        let half = most / 2;
        Some(half + half / 65_536 * share)
    }

    /// The next number of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
    /// generators", 2014.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn retry(seed: u64) -> Retry {
        Retry::new(RetryConfig::default(), seed)
    }

    #[test]
    fn each_wait_is_in_the_upper_half_of_what_it_may_be() {
        // Miri is slow
        for seed in 0..if cfg!(miri) { 10 } else { 1000 } {
            let mut retry = retry(seed);
            for most in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
                let wait = retry.after(Failure::Unreachable).expect("never gives up");
                assert!((most / 2 * MILLI..=most * MILLI).contains(&wait), "{wait:?} of {most}");
            }
        }
    }

    #[test]
    fn two_clients_do_not_come_back_together() {
        let first = |seed| retry(seed).after(Failure::Unreachable).expect("never gives up");
        let mut waits: Vec<_> = (0..100).map(first).collect();
        waits.sort();
        waits.dedup();
        assert!(waits.len() > 95);
        assert_eq!(first(7), first(7), "the seed decides");
    }

    #[test]
    fn a_connection_that_lasted_starts_over_and_one_that_did_not_goes_on() {
        let mut retry = retry(1);
        for _ in 0..4 {
            retry.after(Failure::Unreachable);
        }
        // the next could wait for 8 s
        let dropped = retry.after(Failure::Lost { up: Duration::from_secs(8) });
        assert!(dropped.expect("a wait") >= Duration::from_secs(4));
        let lasted = retry.after(Failure::Lost { up: Duration::from_secs(17) });
        assert!(lasted.expect("a wait") <= Duration::from_millis(500));
    }

    #[test]
    fn giving_up() {
        let config = RetryConfig { max_failures: Some(2), ..RetryConfig::default() };
        let mut retry = Retry::new(config, 1);
        assert!(retry.after(Failure::Unreachable).is_some());
        assert!(retry.after(Failure::Rejected).is_some());
        assert_eq!(retry.after(Failure::Unreachable), None);
        // it had been up for long: these are new failures
        assert!(retry.after(Failure::Lost { up: Duration::from_secs(60) }).is_some());

        let config = RetryConfig { on_rejection: OnRejection::Stop, ..RetryConfig::default() };
        let mut retry = Retry::new(config, 1);
        assert!(retry.after(Failure::Unreachable).is_some());
        assert_eq!(retry.after(Failure::Rejected), None);
    }

    #[test]
    fn odd_delays() {
        let config = RetryConfig { first_delay: Duration::ZERO, ..RetryConfig::default() };
        assert_eq!(Retry::new(config, 1).after(Failure::Unreachable), Some(Duration::ZERO));
        let config = RetryConfig {
            first_delay: Duration::MAX,
            max_delay: Duration::MAX,
            ..RetryConfig::default()
        };
        assert!(Retry::new(config, 1).after(Failure::Unreachable) >= Some(Duration::MAX / 2));
    }
}
