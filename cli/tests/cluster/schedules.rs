//! Random faults while clients register and listen at all nodes. `HAT_CLUSTER_SCHEDULES` says how
//! many schedules, `HAT_CLUSTER_SCHEDULE` which one alone.

use std::thread::sleep;
use std::time::Duration;

use hat_core::eventer::Event;

use crate::Cluster;
use crate::nats::until;
use crate::nodes::{events, events_after};
use crate::oracle::Oracle;

/// Numbers by xorshift64*: the same for a seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % end
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// One thing that goes wrong, and how it is set right.
fn fault(cluster: &mut Cluster, random: &mut Random) -> String {
    let node = random.below(3) as usize;
    // who leads now, or anyone where nobody does
    let leader = cluster.nats.leader().unwrap_or(node);
    match random.below(7) {
        0 => {
            cluster.nodes[node].kill();
            sleep(random.millis(0, 2_000));
            cluster.nodes[node].run();
            format!("kill -9 of node {node}")
        }
        1 => {
            cluster.nats.kill(leader);
            sleep(random.millis(0, 6_000));
            cluster.nats.run(leader);
            format!("kill -9 of NATS server {leader}, the leader")
        }
        2 => {
            let other = (leader + 1) % 3;
            cluster.nats.kill(leader);
            cluster.nats.kill(other);
            sleep(random.millis(0, 4_000));
            cluster.nats.run(other);
            cluster.nats.run(leader);
            format!("kill -9 of NATS servers {leader} and {other}")
        }
        3 => {
            cluster.nats.stop(leader);
            sleep(random.millis(10_000, 13_000));
            cluster.nats.go_on(leader);
            format!("SIGSTOP of NATS server {leader}, the leader, for longer than an election")
        }
        4 => {
            cluster.nodes[node].signal("STOP");
            sleep(random.millis(500, 6_000));
            cluster.nodes[node].signal("CONT");
            format!("SIGSTOP of node {node}")
        }
        5 => {
            for number in 0..3 {
                cluster.nodes[number].end();
                cluster.nodes[number].run();
                cluster.nats.kill(number);
                cluster.nats.run(number);
                // the next one goes once this one is back
                until("a leader", || cluster.nats.leader());
            }
            "a rolling restart".into()
        }
        _ => {
            cluster.nodes[node].kill();
            cluster.nats.kill(leader);
            sleep(random.millis(0, 3_000));
            cluster.nats.run(leader);
            cluster.nodes[node].run();
            format!("kill -9 of node {node} and of NATS server {leader}, the leader")
        }
    }
}

fn run(test: &str, seed: u64) -> bool {
    let Some(mut cluster) = Cluster::start(test, 3, "") else { return false };
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    cluster.nodes.iter().for_each(|node| drop(node.ready(&cluster.runtime)));
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.address.clone()).collect();
    let guard = cluster.runtime.enter();
    let mut oracle = Oracle::start(&addresses);
    drop(guard);
    let mut faults = Vec::new();
    for _ in 0..2 {
        sleep(random.millis(500, 2_000));
        faults.push(fault(&mut cluster, &mut random));
    }
    // all is well again, and registrations are answered
    let before = oracle.answered();
    until("registrations are answered", || (oracle.answered() > before + 20).then_some(()));
    cluster.runtime.block_on(oracle.end());
    let mut histories = Vec::new();
    let last: Vec<Event> = {
        let client = cluster.nodes[0].ready(&cluster.runtime);
        let mut attempts = 0;
        until("the last one is registered", || {
            attempts += 1;
            let last = events(&[&format!("last{attempts}/0")]);
            cluster.runtime.block_on(client.register_with_response(&last)).ok()?
        })
    };
    for node in &cluster.nodes {
        let client = node.ready(&cluster.runtime);
        histories.push(until("the last one is there", || {
            let found = cluster.runtime.block_on(events_after(&client, None))?;
            found.contains(&last[0]).then_some(found)
        }));
    }
    let answered = oracle.answered();
    println!("schedule {seed}: {answered} answers, {} events: {faults:?}", histories[0].len());
    if let Err(wrong) = oracle.judge(&histories) {
        panic!("HAT_CLUSTER_SCHEDULE={seed} shows it again, after {faults:?}: {wrong}");
    }
    true
}

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_answer_is_lost_doubled_or_reordered_whatever_goes_wrong() {
    let test = "no_answer_is_lost_doubled_or_reordered_whatever_goes_wrong";
    let seeds = match of_environment("HAT_CLUSTER_SCHEDULE") {
        Some(seed) => seed..seed + 1,
        None => 0..of_environment("HAT_CLUSTER_SCHEDULES").unwrap_or(5),
    };
    for seed in seeds {
        if !run(test, seed) {
            return;
        }
    }
}
