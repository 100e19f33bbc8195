//! What is measured of Chatter and its peers, and what must be reached.

use super::Task;
use crate::Bench;
use crate::contenders::{COMPIO, Contender, RAW, SMOL, TOKIO};
use crate::measure::{Goal, MIB, Of, Work, measure};
use crate::process::Program;
use crate::report::{Plot, SizeIn, Table};
use clap::ValueEnum;
use hat_tests::certificates::{IssuedCertificate, PemFile};

const TONIC: &str = "tonic";
const TARPC: &str = "tarpc";
const NATS: &str = "async-nats";
const PYTHON: &str = "hat-drivers";

/// smol against Tokio: within 1.3 times.
const SMOL_GOAL: Goal = Goal { contender: SMOL, factor: 0.77, than: TOKIO };

const fn goal(factor: f64, than: &'static str) -> Goal {
    Goal { contender: TOKIO, factor, than }
}

/// A load: what a client is told behind its port.
#[derive(Clone, Copy)]
struct LoadShape {
    task: Task,
    size: usize,
    count: usize,
    rate: u32,
    idle: usize,
}

/// Makes the contenders of that name.
fn contenders(bench: &Bench, names: &[&'static str], asked: LoadShape) -> Vec<Contender> {
    contenders_with(bench, names, asked, &[])
}

/// The same with further arguments for both sides.
fn contenders_with(
    bench: &Bench,
    names: &[&'static str],
    asked: LoadShape,
    more: &[&str],
) -> Vec<Contender> {
    let LoadShape { task, size, count, rate, idle } = asked;
    let task = task.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned());
    // the slowest of a thousand answers is to be one of many
    let milliseconds = bench.milliseconds * if rate > 1 { 5 } else { 1 };
    let numbers = [size as u64, count as u64, milliseconds, rate.into(), idle as u64];
    let mut load = vec![task];
    load.extend(numbers.map(|number| number.to_string()));
    load.extend(more.iter().map(ToString::to_string));
    let programs = &bench.programs;
    let make = |&name: &&'static str| {
        let ours = |peer| {
            let serve = ["serve", "wire", peer].iter().chain(more).copied().collect();
            (programs.itself(), serve, vec!["drive", "wire", peer])
        };
        let (program, serve, drive) = match name {
            RAW => ours("raw"),
            TOKIO => ours("tokio"),
            SMOL => ours("smol"),
            COMPIO if cfg!(target_os = "linux") => ours("compio"),
            COMPIO => (Err("not here: Linux only".to_owned()), Vec::new(), Vec::new()),
            PYTHON => (programs.python("chatter.py"), vec!["serve"], vec!["drive"]),
            NATS => {
                let program = programs.rust_with("nats-server", "nats-server");
                (program, vec!["serve", "nats"], vec!["drive", "nats"])
            }
            peer => (programs.rust(), vec!["serve", peer], vec!["drive", peer]),
        };
        Contender::new(name, program, &serve, &drive, &load)
    };
    names.iter().map(make).collect()
}

/// Request and response.
pub(crate) fn chatter(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "Requests of 64 B that are answered with the same, on one connection; one thread a side. Raw TCP has the same bytes and as many \
                 round trips; NATS has its server between the two, whose time and memory count as the server's.";
    let titles =
        ["round trips/s", "client CPU µs", "server CPU µs", "client peak MiB", "server peak MiB"];
    let columns: [Of; 5] = [
        |run| run.rate("messages"),
        |run| run.client.cpu * 1e6 / run.get("messages"),
        |run| run.server.cpu * 1e6 / run.get("messages"),
        |run| run.client.peak / MIB,
        |run| run.server.peak / MIB,
    ];
    let mut table = Table::new("Chatter: request and response", about, &titles).against(RAW);
    let works = [
        (1, vec![goal(0.9, RAW), SMOL_GOAL]),
        (1024, vec![goal(5.0, TONIC), goal(2.0, NATS), goal(50.0, PYTHON), SMOL_GOAL]),
    ];
    for (count, goals) in works {
        let asked = LoadShape { task: Task::Echo, size: 64, count, rate: 1, idle: 0 };
        let names = [RAW, TOKIO, SMOL, COMPIO, TONIC, TARPC, NATS, PYTHON];
        let work = Work {
            name: format!("{count} in flight"),
            contenders: contenders(bench, &names, asked),
            columns: &columns,
            lower_is_better: false,
            goals,
        };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(vec![table])
}

const ROUND_TRIPS: [&str; 3] = ["round trips/s", "client CPU µs", "server CPU µs"];
const ROUND_TRIPS_OF: [Of; 3] = [
    |run| run.rate("messages"),
    |run| run.client.cpu * 1e6 / run.get("messages"),
    |run| run.server.cpu * 1e6 / run.get("messages"),
];

/// Many connections at once.
pub(crate) fn connections(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "Requests of 64 B that are answered with the same, on 100 connections at once with one in flight on each, alone and beside \
                 connections that say nothing; one thread a side.";
    let mut table = Table::new("Chatter: many connections", about, &ROUND_TRIPS).against(RAW);
    let beside = if bench.quick { 100 } else { 9_900 };
    for (name, idle, factor) in [("100", 0, 1.1), ("100 of 10 000", beside, 1.3)] {
        let asked = LoadShape { task: Task::Each, size: 64, count: 100, rate: 1, idle };
        let work = Work {
            name: name.to_owned(),
            contenders: contenders(bench, &[RAW, TOKIO, SMOL, COMPIO], asked),
            columns: &ROUND_TRIPS_OF,
            lower_is_better: false,
            goals: vec![SMOL_GOAL, Goal { contender: COMPIO, factor, than: TOKIO }],
        };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(vec![table])
}

const RAW_2: &str = "raw TCP, 2 threads";
const TOKIO_2: &str = "hat on Tokio, 2 threads";
const SMOL_2: &str = "hat on smol, 2 threads";

/// A server on one thread and on two.
pub(crate) fn threads(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "The same 100 connections to a server with one thread and with two; the clients have one thread. Where they take one core of two, two threads cannot answer \
                 twice as much: whether they disturb each other is what the server's processor time says.";
    let mut table = Table::new("Chatter: two threads a server", about, &ROUND_TRIPS).against(RAW);
    let asked = LoadShape { task: Task::Each, size: 64, count: 100, rate: 1, idle: 0 };
    let names = [RAW, TOKIO, SMOL];
    let mut all = contenders(bench, &names, asked);
    let on_two = |server: Program| server.with(["--threads", "2"]).with_variable("SMOL_THREADS", 2);
    let two = [RAW_2, TOKIO_2, SMOL_2].into_iter().zip(contenders(bench, &names, asked));
    all.extend(two.map(|(name, it)| it.serving(name, on_two)));
    let goals = [(RAW_2, RAW), (TOKIO_2, TOKIO), (SMOL_2, SMOL)];
    let work = Work {
        name: "100".to_owned(),
        contenders: all,
        columns: &ROUND_TRIPS_OF,
        lower_is_better: false,
        goals: goals.map(|(contender, than)| Goal { contender, factor: 1.7, than }).to_vec(),
    };
    measure(&mut table, &work, bench.rounds);
    Ok(vec![table])
}

/// Messages that are not answered.
pub(crate) fn one_way(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "Messages from the client to the server, which counts them; one thread a side. The time is until the server has said that it has \
                 everything. Raw TCP has the same bytes in writes of 64 KiB; tonic streams; NATS publishes to a subscriber, and the publisher \
                 waits for it every few MB, or messages would be lost.";
    let titles = [
        "messages/s",
        "MB/s",
        "client CPU µs",
        "server CPU µs",
        "client peak MiB",
        "server peak MiB",
    ];
    let columns: [Of; 6] = [
        |run| run.rate("messages"),
        |run| run.rate("messages") * run.get("size") / 1e6,
        |run| run.client.cpu * 1e6 / run.get("messages"),
        |run| run.server.cpu * 1e6 / run.get("messages"),
        |run| run.client.peak / MIB,
        |run| run.server.peak / MIB,
    ];
    let plot = Plot {
        name: "one-way",
        size: "bytes of a message",
        cost: "both sides' CPU µs a message",
        size_in: SizeIn::Work,
        columns: &[2, 3],
    };
    let mut table = Table::new("Chatter: one way", about, &titles).against(RAW).plotted(plot);
    for (name, size) in [("16 B", 16), ("256 B", 256), ("4 KiB", 4 << 10), ("1 MiB", 1 << 20)] {
        let mut goals = vec![SMOL_GOAL];
        goals.extend((size >= 4 << 10).then(|| goal(0.9, RAW)));
        let asked = LoadShape { task: Task::OneWay, size, count: 1, rate: 1, idle: 0 };
        let work = Work {
            name: name.to_owned(),
            contenders: contenders(bench, &[RAW, TOKIO, SMOL, TONIC, NATS, PYTHON], asked),
            columns: &columns,
            lower_is_better: false,
            goals,
        };
        measure(&mut table, &work, bench.rounds);
    }
    table.floor("16 B", TOKIO, 0, 2e6);
    Ok(vec![table])
}

/// The same over TLS.
pub(crate) fn over_tls(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "The rows above over TLS 1.3, with one configuration of rustls for all; raw TCP is tokio-rustls there. What is in flight, or goes one way, is \
                 of 64 B, and as the row says.";
    let titles = ["messages/s", "MB/s", "client CPU µs", "server CPU µs"];
    let columns: [Of; 4] = [
        |run| run.rate("messages"),
        |run| run.rate("messages") * run.get("size") / 1e6,
        |run| run.client.cpu * 1e6 / run.get("messages"),
        |run| run.server.cpu * 1e6 / run.get("messages"),
    ];
    let pem = PemFile::new(&IssuedCertificate::by_itself(&["127.0.0.1"], false).pem());
    let tls = ["--tls", &*pem.path().to_string_lossy()];
    let mut table = Table::new("Chatter: over TLS", about, &titles).against(RAW);
    let works = [
        ("1 in flight", Task::Echo, 64, 1),
        ("1024 in flight", Task::Echo, 64, 1024),
        ("one way, 256 B", Task::OneWay, 256, 1),
        ("one way, 4 KiB", Task::OneWay, 4 << 10, 1),
        ("one way, 1 MiB", Task::OneWay, 1 << 20, 1),
    ];
    for (name, task, size, count) in works {
        let asked = LoadShape { task, size, count, rate: 1, idle: 0 };
        let work = Work {
            name: name.to_owned(),
            contenders: contenders_with(bench, &[RAW, TOKIO, SMOL, COMPIO], asked, &tls),
            columns: &columns,
            lower_is_better: false,
            goals: if count == 1024 { vec![] } else { vec![goal(1.0, RAW), SMOL_GOAL] },
        };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(vec![table])
}

/// Requests at a fixed rate, and a client that is slow.
pub(crate) fn latency(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    Ok(vec![fixed_rate(bench), slow_client(bench)])
}

const PERCENTILES: [&str; 4] = ["p99 µs", "p50 µs", "p99.9 µs", "answers/s"];
const PERCENTILES_OF: [Of; 4] =
    [|run| run.get("p99"), |run| run.get("p50"), |run| run.get("p999"), |run| run.rate("messages")];

/// Requests a second of all clients together, and what Python can do.
const RATE: u32 = 10_000;
const PYTHON_RATE: u32 = 1_000;

fn fixed_rate(bench: &Bench) -> Table {
    let about = "Requests of 64 B at 10 000 a second, of all clients together; hat-drivers at 1 000. Each is sent when it is due and \
                 its time counts from then, also where it had to wait to be sent. The client spins, so that it is never late by itself.";
    let mut table = Table::new("Latency", about, &PERCENTILES).against(RAW);
    for count in [1, 100] {
        let asked = LoadShape { task: Task::Latency, size: 64, count, rate: RATE, idle: 0 };
        let mut all = contenders(bench, &[RAW, TOKIO, SMOL, TONIC, NATS], asked);
        all.extend(contenders(bench, &[PYTHON], LoadShape { rate: PYTHON_RATE, ..asked }));
        let work = Work {
            name: format!("clients: {count}"),
            contenders: all,
            columns: &PERCENTILES_OF,
            lower_is_better: true,
            goals: vec![Goal { contender: SMOL, factor: 1.3, than: TOKIO }],
        };
        measure(&mut table, &work, bench.rounds);
    }
    table
}

const TOKIO_SLOW: &str = "hat on Tokio, one more is slow";
const SMOL_SLOW: &str = "hat on smol, one more is slow";

fn slow_client(bench: &Bench) -> Table {
    let about = "The same with 10 clients; and again while one more has asked for messages of 64 KiB without end, receives nothing for half of \
                 the time, and then ten a second.";
    let mut table = Table::new("Latency beside a slow client", about, &PERCENTILES);
    let asked = LoadShape { task: Task::Latency, size: 64, count: 10, rate: RATE, idle: 0 };
    let mut all = contenders(bench, &[TOKIO, SMOL], asked);
    let slow = contenders(bench, &[TOKIO, SMOL], LoadShape { task: Task::LatencySlow, ..asked });
    let names = [TOKIO_SLOW, SMOL_SLOW];
    all.extend(names.into_iter().zip(slow).map(|(name, it)| Contender { name, ..it }));
    let work = Work {
        name: "clients: 10".to_owned(),
        contenders: all,
        columns: &PERCENTILES_OF,
        lower_is_better: true,
        goals: vec![
            Goal { contender: TOKIO_SLOW, factor: 2.0, than: TOKIO },
            Goal { contender: SMOL_SLOW, factor: 2.0, than: SMOL },
        ],
    };
    measure(&mut table, &work, bench.rounds);
    table
}
