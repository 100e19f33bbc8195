//! Juggler 0.7: servers side by side, asked by one client that knows no more than WebSocket, so that what is compared is the servers.
//!
//! ```text
//! Server (a process: ours on Tokio, on smol, hat-juggler) <── Client (a process: a thread a connection) ── counts
//! ```

mod client;
mod micro;
mod server;

use std::process::Command;

use clap::{Args, ValueEnum};
use comfy_table::Table;
use hat_tests::peers::Environment;

use crate::figures::Figure;
use crate::process::{self, Server};

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// This library on Tokio.
    Tokio,
    /// This library on smol.
    Smol,
    /// `hat-juggler`, in Python.
    Python,
}

const PEERS: [Peer; 3] = [Peer::Tokio, Peer::Smol, Peer::Python];

/// A server until it is killed.
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
        Peer::Tokio => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(server::serve::<hat_tokio::Tokio>(serve.state)),
        Peer::Smol => smol::block_on(server::serve::<hat_smol::Smol>(serve.state)),
        Peer::Python => anyhow::bail!("it is a script of its own"),
    }
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    let done = match drive.task {
        Task::State => client::state(drive)?,
        Task::Request => client::request(drive)?,
        Task::Large => client::large(drive)?,
    };
    println!("{} {} {}", done.messages, done.seconds, done.bytes);
    Ok(())
}

pub(crate) fn run(rounds: usize, milliseconds: u64) -> anyhow::Result<()> {
    let bench = Bench { python: Environment::today(), rounds, milliseconds };
    if let Err(error) = &bench.python {
        eprintln!("without hat-juggler: {error}");
    }
    let mut table = new_table(&[
        "state",
        "clients",
        "server",
        "patches a client sees in a second",
        "server's CPU ms a second",
        "bytes a patch",
    ]);
    for (name, size) in SIZES {
        for clients in [1, 10, 100] {
            bench.rows(Task::State, size, clients, |peer, runs| {
                let each = |run: &Run| run.messages / clients as f64 / run.seconds;
                table.add_row([
                    name.to_owned(),
                    clients.to_string(),
                    peer,
                    spread(runs, each),
                    spread(runs, |run| run.cpu * 1000.0 / run.seconds),
                    format!("{:.0}", median(runs, |run| run.bytes / run.messages)),
                ]);
            })?;
        }
    }
    println!("{table}\n");

    let mut table =
        new_table(&["request", "server", "there and back in a second", "server's CPU µs each"]);
    let tasks = [
        ("one in flight", Task::Request, 1),
        ("100 in flight", Task::Request, 100),
        ("10 MB, one in flight", Task::Large, 10_000_000),
    ];
    for (name, task, count) in tasks {
        bench.rows(task, 1024, count, |peer, runs| {
            let rate = spread(runs, |run| run.messages / run.seconds);
            let cpu = format!("{:.0}", median(runs, |run| run.cpu * 1e6 / run.messages));
            table.add_row([name.to_owned(), peer, rate, cpu]);
        })?;
    }
    println!("{table}\n");
    println!("{}", micro::run(bench.python.as_ref().ok())?);
    Ok(())
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(header);
    table
}

/// What one run came to.
struct Run {
    messages: f64,
    seconds: f64,
    bytes: f64,
    /// Seconds of the server.
    cpu: f64,
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    Figure::of(runs.iter().map(of).collect()).median
}

fn spread(runs: &[Run], of: impl Fn(&Run) -> f64) -> String {
    let figure = Figure::of(runs.iter().map(of).collect());
    format!("{:.0} ({:.0}–{:.0})", figure.median, figure.least, figure.most)
}

struct Bench {
    python: Result<Environment, hat_tests::peers::SetupError>,
    rounds: usize,
    milliseconds: u64,
}

impl Bench {
    /// Runs every implementation in turn within each round, and gives all runs of each.
    fn rows(
        &self,
        task: Task,
        state: usize,
        count: usize,
        mut row: impl FnMut(String, &[Run]),
    ) -> anyhow::Result<()> {
        let mut all: Vec<Vec<Run>> = PEERS.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (peer, runs) in PEERS.iter().zip(&mut all) {
                runs.extend(self.one(*peer, task, state, count)?);
            }
        }
        for (peer, runs) in PEERS.iter().zip(&all) {
            if !runs.is_empty() {
                row(format!("{peer:?}"), runs);
            }
        }
        eprintln!("{task:?}, state {state}, {count}: done");
        Ok(())
    }

    fn one(
        &self,
        peer: Peer,
        task: Task,
        state: usize,
        count: usize,
    ) -> anyhow::Result<Option<Run>> {
        let itself = std::env::current_exe()?;
        let mut serve = match (peer, &self.python) {
            (Peer::Python, Ok(python)) => script(python),
            (Peer::Python, Err(_)) => return Ok(None),
            _ => Command::new(&itself),
        };
        let name = format!("{peer:?}").to_lowercase();
        serve.args(["serve-juggler", &name, &state.to_string()]);
        let server = Server::start(serve)?;
        let mut drive = Command::new(itself);
        let task_name = format!("{task:?}").to_lowercase();
        drive.args(["drive-juggler", &task_name]);
        let numbers = [usize::from(server.port), count, usize::try_from(self.milliseconds)?];
        drive.args(numbers.map(|number| number.to_string()));
        let before = server.cpu();
        let done = process::numbers(drive)?.and_then(|it| <[f64; 3]>::try_from(it).ok());
        let cpu = server.cpu() - before;
        let Some([messages, seconds, bytes]) = done else {
            eprintln!("{peer:?} did not get through {task:?} with {count}");
            return Ok(None);
        };
        Ok(Some(Run { messages, seconds, bytes, cpu }))
    }
}

/// The interpreter with its packages, and not the peer of the tests.
fn script(python: &Environment) -> Command {
    let mut command = Command::new(python.command().get_program());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/juggler.py"));
    command
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
