//! When a server shows the monitor that it is ready to be blessed. One whose disk fails is not,
//! while another of the group is: the monitor blesses that one then. It has no clock and no socket.
//!
//! ```text
//!       the disk fails, and another is ready
//! ready ───────────────────────────────────> withdrawn
//!       <─────────────────────────────────── the disk works for `RETURN`
//!       <─────────────────────────────────── no other is ready: it stays for `RETURN`
//! ```
//!
//! An active server's disk has to fail for `withdraw_after` first.
//!
//! Of two servers whose disks both fail, one stays ready: whether it is worth it or not, nobody is
//! better. The standby withdraws first, so that the active one sees nobody to hand over to.

use std::time::{Duration, Instant};

/// How long a disk must work, or another server be missing, between two changes of mind: two
/// servers with bad disks hand over to each other this often at the most.
const RETURN: Duration = Duration::from_secs(30);

/// What is known at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Nothing can be registered because of this server's own disk.
    pub(super) disk_fails: bool,
    /// This server is blessed, or works.
    pub(super) works: bool,
    /// The monitor shows another server of the group that is ready.
    pub(super) other_is_ready: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The server is not ready any more.
    Withdrawn,
    /// It is ready again: the disk works.
    Mended,
    /// It is ready again: no other server is.
    Needed,
}

/// Whether this server is ready.
#[derive(Debug)]
pub(super) struct Readiness {
    /// See [`MonitorOptions`](super::MonitorOptions::withdraw_after).
    withdraw_after: Option<Duration>,
    withdrawn: bool,
    /// Since when the disk fails, or works: what was last known, and since when.
    disk: Option<(bool, Instant)>,
    /// It was needed: not withdrawn again before then.
    needed_until: Option<Instant>,
}

impl Readiness {
    pub(super) fn new(withdraw_after: Option<Duration>) -> Self {
        Self { withdraw_after, withdrawn: false, disk: None, needed_until: None }
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.withdrawn
    }

    /// To be asked at each change, and once a second.
    pub(super) fn look(&mut self, now: Instant, known: Known) -> Option<Change> {
        let withdraw_after = self.withdraw_after?;
        let since = match self.disk {
            Some((failed, since)) if failed == known.disk_fails => since,
            _ => now,
        };
        self.disk = Some((known.disk_fails, since));
        let lasted = now.saturating_duration_since(since);
        if self.withdrawn {
            let mended = !known.disk_fails && lasted >= RETURN;
            if !mended && known.other_is_ready {
                return None;
            }
            self.withdrawn = false;
            if mended {
                return Some(Change::Mended);
            }
            self.needed_until = now.checked_add(RETURN);
            return Some(Change::Needed);
        }
        let enough = if known.works { withdraw_after } else { Duration::ZERO };
        let is_needed = self.needed_until.is_some_and(|until| now < until);
        if !known.disk_fails || !known.other_is_ready || is_needed || lasted < enough {
            return None;
        }
        self.withdrawn = true;
        Some(Change::Withdrawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(3);

    /// A server, its clock, and what it knows.
    struct Server {
        readiness: Readiness,
        now: Instant,
        known: Known,
    }

    impl Server {
        fn new(now: Instant, works: bool) -> Self {
            let known = Known { disk_fails: false, works, other_is_ready: true };
            Self { readiness: Readiness::new(Some(AFTER)), now, known }
        }

        /// What changes within so many seconds, and after how many.
        fn within(&mut self, seconds: u64) -> Vec<(u64, Change)> {
            let mut changes = Vec::new();
            for second in 0..seconds {
                changes.extend(
                    self.readiness.look(self.now, self.known).map(|change| (second, change)),
                );
                self.now += Duration::from_secs(1);
            }
            changes
        }
    }

    #[test]
    fn an_active_server_hands_over_when_its_disk_has_failed_for_long_enough() {
        let mut server = Server::new(Instant::now(), true);
        assert_eq!(server.within(10), []);
        // once, and not again
        server.known.disk_fails = true;
        assert_eq!(server.within(2), []);
        server.known.disk_fails = false;
        assert_eq!(server.within(2), []);
        server.known.disk_fails = true;
        assert_eq!(server.within(100), [(3, Change::Withdrawn)]);
        assert!(!server.readiness.is_ready());
        server.known = Known { disk_fails: false, works: false, ..server.known };
        assert_eq!(server.within(100), [(30, Change::Mended)]);
        assert!(server.readiness.is_ready());
    }

    #[test]
    fn a_standby_is_not_ready_as_long_as_its_disk_fails() {
        let mut server = Server::new(Instant::now(), false);
        server.known.disk_fails = true;
        assert_eq!(server.within(50), [(0, Change::Withdrawn)]);
        // a disk that works now and then does not count
        server.known.disk_fails = false;
        assert_eq!(server.within(20), []);
        server.known.disk_fails = true;
        assert_eq!(server.within(20), []);
        server.known.disk_fails = false;
        assert_eq!(server.within(50), [(30, Change::Mended)]);
    }

    #[test]
    fn where_no_other_is_ready_it_stays() {
        let mut server = Server::new(Instant::now(), true);
        server.known = Known { disk_fails: true, other_is_ready: false, ..server.known };
        assert_eq!(server.within(100), []);
        server.known.other_is_ready = true;
        assert_eq!(server.within(10), [(0, Change::Withdrawn)]);
        server.known = Known { works: false, other_is_ready: false, ..server.known };
        assert_eq!(server.within(1), [(0, Change::Needed)]);
        // another one that comes and goes does not make it change its mind each time
        server.known.other_is_ready = true;
        assert_eq!(server.within(100), [(29, Change::Withdrawn)]);
    }

    /// Two servers that see each other's readiness a second later.
    #[test]
    fn of_two_with_bad_disks_one_is_ready_and_none_changes_its_mind_for_ever() {
        let start = Instant::now();
        for active_first in [true, false] {
            let mut active = Server::new(start, true);
            let mut standby = Server::new(start, false);
            (active.known.disk_fails, standby.known.disk_fails) = (true, true);
            let mut changes = 0;
            for _ in 0..300 {
                let seen = [active.readiness.is_ready(), standby.readiness.is_ready()];
                assert!(seen[0] || seen[1], "one is ready");
                (active.known.other_is_ready, standby.known.other_is_ready) = (seen[1], seen[0]);
                let mut both = [&mut active, &mut standby];
                if !active_first {
                    both.reverse();
                }
                changes += both.map(|server| server.within(1).len()).iter().sum::<usize>();
            }
            assert!(active.readiness.is_ready() && !standby.readiness.is_ready());
            assert_eq!(changes, 1, "the standby has withdrawn");
        }
    }

    /// Both in standby, at once: nobody is active to stay.
    #[test]
    fn two_that_withdraw_at_once_do_so_rarely() {
        let start = Instant::now();
        let mut servers = [Server::new(start, false), Server::new(start, false)];
        let mut changes = Vec::new();
        for second in 0..70 {
            let seen = [0, 1].map(|at| servers[at].readiness.is_ready());
            for (server, other) in servers.iter_mut().zip([seen[1], seen[0]]) {
                server.known = Known { disk_fails: true, other_is_ready: other, ..server.known };
                changes.extend(server.within(1).into_iter().map(|(_, change)| (second, change)));
            }
        }
        let twice = |at, change| [(at, change); 2];
        let expected = [
            twice(0, Change::Withdrawn),
            twice(1, Change::Needed),
            twice(31, Change::Withdrawn),
            twice(32, Change::Needed),
            twice(62, Change::Withdrawn),
            twice(63, Change::Needed),
        ];
        assert_eq!(changes, expected.concat());
    }
}
