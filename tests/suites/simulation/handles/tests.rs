//! The scenarios, and that a seed stands for one run.

use hat_aio::{chatter, cotp, tcp, tpkt};
use hat_tests::simulated::run;
use hat_tests::simulation::{Random, Seed, simulate_by};

use super::endings::{endings, prompt};
use super::eventer::eventer;
use super::juggler::juggler;
use super::lines::lines;
use super::{once, simulate_handles};

const LINES: [&str; 5] = ["messages", "orderly ends", "failed", "given up", "calm worlds"];

#[test]
fn chatter_handles() {
    simulate_handles("chatter_handles", &LINES, lines::<chatter::Connection>);
}

#[test]
fn tcp_handles() {
    simulate_handles("tcp_handles", &LINES, lines::<tcp::Connection>);
}

#[test]
fn tpkt_handles() {
    simulate_handles("tpkt_handles", &LINES, lines::<tpkt::Connection>);
}

#[test]
fn cotp_handles() {
    simulate_handles("cotp_handles", &LINES, lines::<cotp::Connection>);
}

#[test]
fn eventer_handles() {
    let expected = ["registered", "given", "caught up", "outages", "restarts", "calm worlds"];
    simulate_handles("eventer_handles", &expected, eventer);
}

#[test]
fn juggler_handles() {
    let expected = ["changes", "answers", "given up", "lost", "calm worlds"];
    simulate_handles("juggler_handles", &expected, juggler);
}

/// Seeds of what is said last unless told otherwise: a run is a short one.
const ENDINGS: u64 = 300;

#[test]
fn endings_of_handles() {
    let expected = ["hung up", "last messages", "error reports", "close codes"];
    simulate_by(ENDINGS, "endings_of_handles", &expected, |seed| {
        run(seed, prompt(&mut Random::new(!seed.number)), endings()).0
    });
}

/// Seeds of 100 000 that have found something.
#[test]
fn what_was_found_stays_mended() {
    // of the answer to an upgrade the socket took 64 bytes of 160, and hyper forgot the others
    once(Seed { number: 1_119, is_traced: false }, juggler);
}

/// Everything in a run comes from its seed: the same seed is the same run, step by step, and
/// another is another.
#[test]
fn a_seed_stands_for_one_run() {
    let seed = |number| Seed { number, is_traced: false };
    let mut digests = std::collections::BTreeSet::new();
    for number in 0..20 {
        let (tally, report) = once(seed(number), lines::<chatter::Connection>);
        let again = once(seed(number), lines::<chatter::Connection>);
        assert_eq!(again, (tally, report), "seed {number}");
        digests.insert(report.digest);
        assert_eq!(once(seed(number), eventer), once(seed(number), eventer), "seed {number}");
        assert_eq!(once(seed(number), juggler), once(seed(number), juggler), "seed {number}");
    }
    assert_eq!(digests.len(), 20);
}
