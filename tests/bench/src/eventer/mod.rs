//! Eventer against `hat-event`, and against the write of the same bytes: registering, and notifying
//! up to a thousand clients.

pub(crate) mod events;
mod notify;
mod raw;
mod register;
mod server;

use clap::{Args, Subcommand};

use crate::Bench;
use crate::contenders::{Contender, RAW, SMOL, TOKIO};
use crate::measure::{Goal, MIB, Of, Work, measure};
use crate::report::Table;
use crate::runtimes::{self, Peer};

/// An event server that registers and notifies.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    peer: Peer,
}

/// What clients do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drive {
    peer: Peer,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Clone, Debug)]
enum Task {
    Register(register::Drive),
    Notify(notify::Drive),
}

pub(crate) fn serve(serve: &Serve) -> anyhow::Result<()> {
    match serve.peer {
        Peer::Raw => runtimes::tokio(raw::serve()),
        Peer::Tokio => runtimes::tokio(server::serve::<hat_tokio::Tokio>()),
        Peer::Smol => runtimes::smol(server::serve::<hat_smol::Smol>()),
        #[cfg(target_os = "linux")]
        Peer::Compio => runtimes::compio(server::serve::<hat_compio::Compio>()),
    }?;
    runtimes::stay()
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    match (drive.peer, &drive.task) {
        (Peer::Raw, Task::Register(_)) => anyhow::bail!("sockets register nothing"),
        (Peer::Tokio, &Task::Register(it)) => {
            runtimes::tokio(register::drive::<hat_tokio::Tokio>(it))
        }
        (Peer::Smol, &Task::Register(it)) => runtimes::smol(register::drive::<hat_smol::Smol>(it)),
        #[cfg(target_os = "linux")]
        (Peer::Compio, &Task::Register(it)) => {
            runtimes::compio(register::drive::<hat_compio::Compio>(it))
        }
        (Peer::Raw, &Task::Notify(it)) => runtimes::tokio(raw::drive(it)),
        (Peer::Tokio, &Task::Notify(it)) => runtimes::tokio(notify::drive::<hat_tokio::Tokio>(it)),
        (Peer::Smol, &Task::Notify(it)) => runtimes::smol(notify::drive::<hat_smol::Smol>(it)),
        #[cfg(target_os = "linux")]
        (Peer::Compio, &Task::Notify(it)) => {
            runtimes::compio(notify::drive::<hat_compio::Compio>(it))
        }
    }
}

/// The deployed software.
const PYTHON: &str = "hat-event";

/// smol has to be within 1.3 times of Tokio.
const LIKE_TOKIO: Goal = Goal { contender: SMOL, factor: 1.0 / 1.3, than: TOKIO };

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    Ok(vec![registrations(bench)?, notifications(bench)?, one_more(bench)?, different(bench)?])
}

/// Both sides of this library.
fn ours(bench: &Bench, name: &'static str, peer: &str, task: &Arguments) -> Contender {
    let program = bench.programs.itself();
    let drive = ["drive", "eventer", peer, task.0];
    Contender::new(name, program, &["serve", "eventer", peer], &drive, &task.1)
}

/// So many clients on Tokio that want everything, to see what one more of them costs.
pub(crate) fn told(bench: &Bench, name: &'static str, clients: usize) -> Contender {
    ours(bench, name, "tokio", &Arguments::notify(bench, "same", clients))
}

fn python(bench: &Bench, task: &Arguments) -> Contender {
    let program = bench.programs.python("eventer.py");
    Contender::new(PYTHON, program, &["serve"], &["drive", task.0], &task.1)
}

/// A task of clients, and what it is told.
struct Arguments(&'static str, Vec<String>);

impl Arguments {
    fn register(bench: &Bench, batch: usize, open: usize) -> Self {
        Self("register", vec![batch.to_string(), open.to_string(), bench.milliseconds.to_string()])
    }

    fn notify(bench: &Bench, wanted: &str, clients: usize) -> Self {
        let milliseconds = bench.milliseconds.to_string();
        Self("notify", vec![wanted.to_owned(), clients.to_string(), milliseconds])
    }
}

fn registrations(bench: &Bench) -> anyhow::Result<Table> {
    let about = "One client registers events with a response, so many requests open at a time. The server gives them ids and keeps nothing.";
    let titles = ["events/s", "client CPU µs an event", "server CPU µs an event"];
    let columns: [Of; 3] = [
        |run| run.rate("events"),
        |run| run.client.cpu * 1e6 / run.get("events"),
        |run| run.server.cpu * 1e6 / run.get("events"),
    ];
    let mut table = Table::new("Eventer: register with a response", about, &titles).against(PYTHON);
    for (batch, open) in [(1, 1), (10, 1), (1000, 1), (1, 256), (10, 64), (1000, 8)] {
        let arguments = Arguments::register(bench, batch, open);
        let contenders = vec![
            ours(bench, TOKIO, "tokio", &arguments),
            ours(bench, SMOL, "smol", &arguments),
            python(bench, &arguments),
        ];
        let factor = if batch == 1 { 30.0 } else { 50.0 };
        let goals = vec![Goal { contender: TOKIO, factor, than: PYTHON }, LIKE_TOKIO];
        let name = format!("batches of {batch}, {open} open");
        let work = Work { name, contenders, columns: &columns, lower_is_better: false, goals };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(table)
}

fn notifications(bench: &Bench) -> anyhow::Result<Table> {
    let about = "A server notifies 10 events at a time to clients that want all of them, which are in one process together. Delivered: by all clients together.";
    let titles = [
        "events/s delivered",
        "clients' CPU µs an event",
        "server CPU µs an event",
        "server peak MiB",
    ];
    let columns: [Of; 4] = [
        |run| run.rate("events"),
        |run| run.client.cpu * 1e6 / run.get("events"),
        |run| run.server.cpu * 1e6 / run.get("events"),
        |run| run.server.peak / MIB,
    ];
    let mut table =
        Table::new("Eventer: notify, same subscription", about, &titles).against(PYTHON);
    for clients in [1, 10, 100, 1000] {
        let arguments = Arguments::notify(bench, "same", clients);
        let contenders = vec![
            ours(bench, TOKIO, "tokio", &arguments),
            ours(bench, SMOL, "smol", &arguments),
            python(bench, &arguments),
        ];
        let mut goals = vec![LIKE_TOKIO];
        if clients == 100 {
            goals.push(Goal { contender: TOKIO, factor: 50.0, than: PYTHON });
        }
        let name = format!("{clients} clients");
        let work = Work { name, contenders, columns: &columns, lower_is_better: false, goals };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(table)
}

fn one_more(bench: &Bench) -> anyhow::Result<Table> {
    let about = "What a notification of 10 events costs the server for each client, one at a time, against raw TCP: the write of the same bytes to as many sockets.";
    let titles = ["server CPU µs a client", "clients' CPU µs each"];
    let columns: [Of; 2] = [
        |run| run.server.cpu * 1e6 / run.get("notifications") / run.get("clients"),
        |run| run.client.cpu * 1e6 / run.get("notifications") / run.get("clients"),
    ];
    let mut table = Table::new("Eventer: one more client", about, &titles).against(RAW);
    for clients in [10, 100, 1000] {
        let arguments = Arguments::notify(bench, "same", clients);
        let contenders = [(RAW, "raw"), (TOKIO, "tokio"), (SMOL, "smol")];
        let contenders = contenders.map(|(name, peer)| ours(bench, name, peer, &arguments)).into();
        let goals = [TOKIO, SMOL].map(|contender| Goal { contender, factor: 1.5, than: RAW });
        // with few clients the encoding of the events counts too, which is done once
        let goals = if clients < 100 { Vec::new() } else { goals.into() };
        let name = format!("{clients} clients");
        let work = Work { name, contenders, columns: &columns, lower_is_better: true, goals };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(table)
}

fn different(bench: &Bench) -> anyhow::Result<Table> {
    const ONE: &str = "1 client";
    const MOST: &str = "1000 clients";
    let about = "10 000 event types, of which each client subscribes to its share, by name; a notification of 10 events is for one of them. The cost should be that of \
                 the events delivered, however many clients do not want them.";
    let titles = ["server CPU µs an event delivered", "events/s delivered"];
    let columns: [Of; 2] =
        [|run| run.server.cpu * 1e6 / run.get("events"), |run| run.rate("events")];
    let mut table =
        Table::new("Eventer: notify, different subscriptions", about, &titles).against(ONE);
    for (name, peer) in [(TOKIO, "tokio"), (SMOL, "smol")] {
        let clients = [(ONE, 1), ("10 clients", 10), ("100 clients", 100), (MOST, 1000)];
        let contender = |(name, clients)| {
            ours(bench, name, peer, &Arguments::notify(bench, "different", clients))
        };
        let contenders = clients.map(contender).into();
        let goals = vec![Goal { contender: MOST, factor: 2.0, than: ONE }];
        let name = name.to_owned();
        let work = Work { name, contenders, columns: &columns, lower_is_better: true, goals };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(table)
}
