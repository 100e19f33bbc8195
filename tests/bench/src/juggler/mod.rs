//! Juggler 0.7: servers side by side, asked by one client that knows no more than WebSocket, so
//! that what is compared is the servers.
//!
//! ```text
//! Server (a process: Tokio, smol, hat-juggler) <── Client (one too; threads) ── counts
//! ```

mod client;
mod micro;
mod server;

use clap::{Args, ValueEnum};

use crate::contenders::{Contender, SMOL, TOKIO};
use crate::measure::{MIB, Of, Work, measure};
use crate::report::Table;
use crate::{Bench, runtimes, side};

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// This library on Tokio.
    Tokio,
    /// This library on smol.
    Smol,
}

/// A server until its standard input ends.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    peer: Peer,
    /// Characters of its state, about.
    state: usize,
}

/// What a client does.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drive {
    task: Task,
    port: u16,
    /// Connections, requests in flight, or characters of a message.
    count: usize,
    milliseconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Follows a state whose leaf changes 1000 times a second.
    State,
    /// Asks, with `count` requests in flight.
    Request,
    /// Asks with a message of `count` characters, one after the other.
    Large,
}

const SIZES: [(&str, usize); 2] = [("1 KiB", 1024), ("1 MB", 1_000_000)];

pub(crate) fn serve(serve: &Serve) -> anyhow::Result<()> {
    match serve.peer {
        Peer::Tokio => runtimes::tokio(server::serve::<hat_tokio::Tokio>(serve.state)),
        Peer::Smol => runtimes::smol(server::serve::<hat_smol::Smol>(serve.state)),
    }?;
    runtimes::stay()
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    let done = match drive.task {
        Task::State => client::state(drive)?,
        Task::Request => client::request(drive)?,
        Task::Large => client::large(drive)?,
    };
    let client::Done { messages, seconds, bytes } = done;
    side::done(&[
        ("messages", messages as f64),
        ("seconds", seconds),
        ("bytes", bytes as f64),
        ("clients", drive.count as f64),
    ]);
    Ok(())
}

const PYTHON: &str = "hat-juggler";

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    Ok(vec![states(bench), requests(bench), micro::table(bench)?])
}

fn states(bench: &Bench) -> Table {
    let about = "A leaf of the server's state is set 1000 times a second, and each change is flushed at once. A client that is behind gets \
                 what it lacks as one patch.";
    let titles = ["patches a client sees/s", "server CPU ms/s", "bytes a patch", "server peak MiB"];
    let columns: [Of; 4] = [
        |run| run.rate("messages") / run.get("clients"),
        |run| run.server.cpu * 1000.0 / run.get("seconds"),
        |run| run.get("bytes") / run.get("messages"),
        |run| run.server.peak / MIB,
    ];
    let mut table = Table::new("Juggler: a state that changes", about, &titles).against(PYTHON);
    for (name, size) in SIZES {
        for clients in [1, 10, 100] {
            let name = format!("{name}, clients: {clients}");
            row(bench, &mut table, name, &columns, (Task::State, size, clients));
        }
    }
    table
}

fn requests(bench: &Bench) -> Table {
    let about = "Requests that the server answers with what it got, on one connection.";
    let titles = ["round trips/s", "server CPU µs", "server peak MiB"];
    let columns: [Of; 3] = [
        |run| run.rate("messages"),
        |run| run.server.cpu * 1e6 / run.get("messages"),
        |run| run.server.peak / MIB,
    ];
    let mut table = Table::new("Juggler: requests", about, &titles).against(PYTHON);
    let tasks = [
        ("one in flight", Task::Request, 1),
        ("100 in flight", Task::Request, 100),
        ("10 MB, one in flight", Task::Large, 10_000_000),
    ];
    for (name, task, count) in tasks {
        row(bench, &mut table, name.to_owned(), &columns, (task, 1024, count));
    }
    table
}

/// Adds the rows of one kind of work: a task, the size of the server's state, and the client's
/// count.
fn row(
    bench: &Bench,
    table: &mut Table,
    name: String,
    columns: &[Of],
    (task, state, count): (Task, usize, usize),
) {
    let task = format!("{task:?}").to_lowercase();
    let (state, count) = (state.to_string(), count.to_string());
    let milliseconds = bench.milliseconds.to_string();
    // the client is the same for all of them, and is told the rest behind its port
    let contender = |name, program, serve: &[&str]| {
        let client = bench.programs.itself();
        let client = client.map(|it| it.with(["drive", "juggler", task.as_str()]));
        Contender::apart(name, program, serve, client, &[&count, &milliseconds])
    };
    let contenders = vec![
        contender(TOKIO, bench.programs.itself(), &["serve", "juggler", "tokio", &state]),
        contender(SMOL, bench.programs.itself(), &["serve", "juggler", "smol", &state]),
        contender(PYTHON, bench.programs.python("juggler.py"), &["serve", &state]),
    ];
    let work = Work { name, contenders, columns, lower_is_better: false, goals: Vec::new() };
    measure(table, &work, bench.rounds);
}

/// A state of about `size` characters: groups of a hundred points.
fn state(size: usize) -> serde_json::Value {
    let point = |n: usize| serde_json::json!({"name": format!("point {n}"), "value": n, "quality": "GOOD", "unit": "kV"});
    // a point takes about 70 characters
    let points = (size / 70).max(1);
    let groups = (0..points).step_by(100).map(|first| {
        let last = (first + 100).min(points);
        let members = (first..last).map(|n| (format!("p{n}"), point(n)));
        (format!("g{}", first / 100), serde_json::Value::Object(members.collect()))
    });
    serde_json::Value::Object(groups.collect())
}

/// The leaf of such a state that changes.
const LEAF: [&str; 3] = ["g0", "p7", "value"];
