//! Two servers under one monitor, in simulated time: whatever order things come in, two never work
//! at once.

use super::super::task::{CONNECT, RETRY};
use super::*;

/// How long a message of the monitor is under way at the most.
const MESSAGE: u64 = 100;

/// What [`MonitorOptions::grace`](super::super::MonitorOptions) recommends.
const GRACE: Duration = Duration::from_secs(2);

/// Numbers by chance, the same again for the same seed.
struct Random(u64);

impl Random {
    /// Below `end`, which is not zero.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A server of the model.
struct Server {
    rule: Rule,
    /// Where it works: when it tries the monitor next, in milliseconds.
    tries_at: u64,
    /// When it learns what the monitor shows.
    hears_at: Option<u64>,
    /// It is connected to the monitor.
    connected: bool,
}

impl Server {
    fn new(tries_at: u64, grace: Duration) -> Self {
        let rule = Rule::new(MonitorLost::Stay, grace);
        Self { rule, tries_at, hears_at: None, connected: false }
    }
}

/// A server that worked alone loses its monitor, and comes back to it as late as it may; one that
/// is new to the group is there at once, and blessed. Gives for how many milliseconds both worked.
fn both_work(seed: u64, grace: Duration) -> u64 {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let start = Instant::now();
    let at = |millis: u64| start + Duration::from_millis(millis);
    // an attempt may have begun just before the monitor listens, and hang until its time is over
    let latest = (CONNECT + RETRY).as_millis() as u64;
    let mut old = Server::new(random.below(latest + 1), grace);
    old.rule.connected(start);
    old.rule.shown(false, false, false);
    old.rule.blessed();
    old.rule.started();
    assert!(!old.rule.monitor_lost(), "it is alone, and goes on");
    let mut new = Server::new(random.below(MESSAGE), grace);
    let mut both = 0;
    for now in 0..5_000 {
        let together = old.connected && new.connected;
        for server in [&mut old, &mut new] {
            if !server.connected && now >= server.tries_at {
                server.connected = true;
                server.rule.connected(at(now));
                server.hears_at = Some(now + random.below(MESSAGE));
            }
        }
        if !together && old.connected && new.connected {
            // the monitor shows each the other
            for server in [&mut old, &mut new] {
                server.hears_at = Some(now + random.below(MESSAGE));
            }
        }
        let others = old.connected && new.connected;
        // the monitor blesses whom it knows first, and keeps to that
        let new_is_blessed = new.tries_at <= old.tries_at;
        if old.hears_at.is_some_and(|heard| now >= heard) {
            old.hears_at = None;
            if others {
                old.rule.shown(true, new_is_blessed, !new_is_blessed);
            } else if !new_is_blessed {
                old.rule.shown(false, false, true);
                old.rule.blessed();
            }
        }
        let mut other_is_active = false;
        if new.hears_at.is_some_and(|heard| now >= heard) {
            new.hears_at = None;
            new.rule.shown(others, false, false);
            if new_is_blessed {
                new.rule.blessed();
            }
        }
        // who sees another asks it what it does
        if new.rule.has_others {
            other_is_active = old.rule.is_running();
        }
        if new.rule.step(at(now), other_is_active) == Step::Start {
            new.rule.started();
        }
        both += u64::from(old.rule.is_running() && new.rule.is_running());
    }
    assert!(old.rule.is_running() || new.rule.is_running(), "seed {seed}: nobody works");
    both
}

/// The grace is longer than the time that a server needs to come back to its monitor.
#[test]
fn a_new_server_does_not_work_beside_one_that_went_on() {
    for seed in 0..500 {
        assert_eq!(both_work(seed, GRACE), 0, "milliseconds, seed {seed}");
    }
    // the model finds what the grace is for
    assert!((0..100).any(|seed| both_work(seed, Duration::ZERO) > 0));
}

#[test]
fn a_start_waits_for_the_blessing_for_others_and_for_the_grace() {
    let (start, second) = (Instant::now(), Duration::from_secs(1));
    let mut rule = Rule::new(MonitorLost::Stay, 2 * second);
    assert_eq!(rule.step(start, false), Step::Nothing);
    rule.connected(start);
    assert_eq!(rule.step(start + 9 * second, false), Step::Nothing);
    rule.blessed();
    assert_eq!(rule.step(start + second, false), Step::In(second));
    assert_eq!(rule.step(start + 2 * second, true), Step::Nothing);
    assert_eq!(rule.step(start + 2 * second, false), Step::Start);
    rule.started();
    assert_eq!(rule.step(start + 3 * second, false), Step::Nothing);
    // a clock that goes back, or a grace without an end, is waited for and no panic
    let mut rule = Rule::new(MonitorLost::Stay, Duration::MAX);
    rule.connected(start + second);
    rule.blessed();
    assert_eq!(rule.step(start, false), Step::In(Duration::MAX));
}

#[test]
fn what_the_loss_of_the_monitor_means() {
    let working = |lost, has_others| {
        let mut rule = Rule::new(lost, Duration::ZERO);
        rule.connected(Instant::now());
        rule.shown(has_others, false, false);
        rule.blessed();
        rule.started();
        rule
    };
    assert!(!working(MonitorLost::Stay, false).monitor_lost());
    assert!(working(MonitorLost::Stay, true).monitor_lost());
    assert!(working(MonitorLost::Exit, false).monitor_lost());
    // and back again: it works on, until it sees that another was blessed
    let mut rule = working(MonitorLost::Stay, false);
    rule.monitor_lost();
    rule.connected(Instant::now());
    assert!(!rule.shown(true, false, false) && rule.is_running());
    assert!(rule.shown(true, true, false) && !rule.is_running());
}

/// Another node was faster to claim the stream, say.
#[test]
fn an_engine_that_does_not_start_is_started_again_while_the_server_is_blessed() {
    let now = Instant::now();
    let mut rule = Rule::new(MonitorLost::Stay, Duration::ZERO);
    rule.connected(now);
    rule.blessed();
    assert_eq!(rule.step(now, false), Step::Start);
    rule.started();
    assert_eq!(rule.step(now, false), Step::Nothing);
    rule.failed(now);
    assert_eq!(rule.step(now, false), Step::In(Duration::from_secs(1)));
    assert_eq!(rule.step(now + Duration::from_secs(1), true), Step::Nothing, "another is active");
    assert_eq!(rule.step(now + Duration::from_secs(1), false), Step::Start);
    rule.started();
    assert!(rule.stand_by(), "it is to be stopped, also half started");
    assert_eq!(rule.step(now + Duration::from_secs(9), false), Step::Nothing);
}
