//! Thousands of connections at once, then gone: `AcceptOptions::max_connections` allows them, and
//! nothing is left of them.

use hat_tests::on_threaded_runtimes;
use hat_tests::peers;

use crate::process::{Report, Server, crowd};
use crate::until;

const CROWD: usize = 5000;
/// As many that each leave something are a leak.
const CROWDS: usize = 8;

on_threaded_runtimes! {
    async fn five_thousand_at_once_then_gone<R>() {
        let mut server = Server::start::<R>();
        if descriptors() < CROWD + 100 {
            peers::skip("five_thousand_at_once_then_gone", "ulimit -n allows too few descriptors");
            return;
        }
        let start = server.report();
        // The allocator keeps what the first crowd took, and later ones fill its gaps, some of them
        // badly. A leak would add to it with each; 100 bytes a connection would show.
        let mut left = Vec::<Report>::new();
        loop {
            let mut clients = crowd(server.address, CROWD);
            let there = server.report();
            assert_eq!(there.connections, CROWD);
            assert!(there.descriptors >= CROWD);
            clients.kill();
            until::<R>(|| server.report().tasks == start.tasks).await;
            let after = server.report();
            assert_eq!((after.connections, after.descriptors), (0, start.descriptors));
            let before = left.last().map_or(0, |before| before.resident);
            left.push(after);
            if after.resident.saturating_sub(before) < CROWD * 100 {
                break;
            }
            assert!(left.len() < CROWDS, "every crowd leaves something: {start:?} {left:?}");
        }
    }
}

/// Descriptors that a process may have.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    line.split_whitespace().nth(4).and_then(|hard| hard.parse().ok()).unwrap_or(usize::MAX)
}
