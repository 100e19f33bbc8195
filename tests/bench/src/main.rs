//! The Hat protocols against other implementations and against the socket.
//!
//! Every figure is of two processes over loopback, a server and a client, and every implementation
//! runs in turn within each round: machines are noisy, so what counts is the ratio to another
//! implementation in the same round, its median and its spread.
//!
//! ```text
//! cargo run --release -p hat-bench -- all            everything; writes tests/bench/RESULTS.md
//! cargo run --release -p hat-bench -- all --quick    whether it works
//! cargo run --release -p hat-bench -- cotp           one table
//! ```

mod calls;
mod contenders;
mod cotp;
mod crowd;
mod encoding;
mod eventer;
mod figures;
mod growth;
mod juggler;
mod measure;
mod process;
mod python;
mod report;
mod runtimes;
mod side;
mod store;
mod websocket;
mod wire;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use self::contenders::Programs;
use self::measure::Rounds;
use self::report::{Report, Table};

/// Measures implementations side by side.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All tables; writes them to tests/bench/RESULTS.md, their plots to docs/src/plots, and
    /// bench.json beside the build, unless it is told another place.
    All(Options),
    /// Chatter, request and response: one and 1024 in flight, 64 B.
    Chatter(Options),
    /// Chatter, request and response on many connections at once.
    Connections(Options),
    /// Chatter, request and response with a server on one thread and on two.
    Threads(Options),
    /// Chatter, one way: 16 B to 1 MiB.
    OneWay(Options),
    /// Chatter over TLS, beside tokio-rustls.
    Tls(Options),
    /// Request and response at a fixed rate: percentiles, and whether a slow client slows others.
    Latency(Options),
    /// WebSocket echo: 64 B and 64 KiB, one in flight and pipelined.
    Websocket(Options),
    /// COTP echo: one message in flight and pipelined, 64 B to 1 MiB, TPDU size 2048.
    Cotp(Options),
    /// Juggler 0.7: a state that changes, requests, large messages; and diff and apply alone.
    Juggler(Options),
    /// A notification of 1 000 events to bytes and back: SBS, prost, postcard, bincode, serde_json,
    /// hat-sbs.
    Encoding(Options),
    /// Eventer: registering, and notifying 1 to 1 000 clients.
    Eventer(Options),
    /// Event servers that keep what they are told: registering, queries, start, size.
    Server(Options),
    /// Event servers over NATS JetStream, beside JetStream itself.
    #[cfg(feature = "cluster")]
    Cluster(Options),
    /// Cost against size: messages, clients, event types, query types.
    Growth(Options),
    /// The Python package against the deployed modules, on asyncio and uvloop, and the whole event
    /// server with it.
    Python(Options),
    /// Memory of idle connections.
    Memory(Options),
    /// Processor time of idle connections.
    Idle(Options),
    /// How many idle connections a machine holds, and what each of them takes there.
    Machine(Options),
    /// One side of a run: a server until its standard input ends.
    #[command(hide = true, subcommand)]
    Serve(Serve),
    /// One side of a run: a client; prints what it did.
    #[command(hide = true, subcommand)]
    Drive(Drive),
}

#[derive(Subcommand)]
enum Serve {
    Wire(wire::Serve),
    Websocket,
    Cotp(cotp::Serve),
    Crowd(crowd::Serve),
    Eventer(eventer::Serve),
    Juggler(juggler::Serve),
    Store(store::Serve),
}

#[derive(Subcommand)]
enum Drive {
    Wire(wire::Drive),
    Websocket(websocket::Drive),
    Cotp(cotp::Drive),
    Crowd(crowd::Drive),
    Encoding(encoding::Drive),
    Eventer(eventer::Drive),
    Growth(growth::Drive),
    Juggler(juggler::Drive),
    Machine(crowd::Machine),
    Store(store::Drive),
}

#[derive(Args, Clone, Debug)]
struct Options {
    /// Rounds: each runs every contender once.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long one run takes, milliseconds; where a server does not keep up, longer.
    #[arg(long, default_value_t = 400)]
    milliseconds: u64,
    /// One very short round, whose figures say nothing: only whether everything works.
    #[arg(long)]
    quick: bool,
    /// Compare the processor time that a message takes on both sides, and not how many there are in
    /// a second: other work on the machine changes it least.
    #[arg(long)]
    cpu: bool,
    /// With what takes many minutes: ten million events.
    #[arg(long)]
    long: bool,
    /// Write the tables as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a plot of each table of growth into this folder, as SVG.
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Write the tables as JSON, with all spreads.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What every table needs to be measured.
struct Bench {
    programs: Programs,
    rounds: Rounds,
    milliseconds: u64,
    quick: bool,
    long: bool,
}

/// Measures one or more tables.
type Measure = fn(&Bench) -> anyhow::Result<Vec<Table>>;

/// All of them, in the order of the report. That of the Python package is asked for by name: it
/// builds a wheel; that of clusters is there with the feature `cluster`.
const TABLES: &[Measure] = &[
    encoding::tables,
    wire::chatter,
    wire::connections,
    wire::threads,
    wire::one_way,
    wire::over_tls,
    wire::latency,
    websocket::tables,
    eventer::tables,
    store::tables,
    #[cfg(feature = "cluster")]
    store::cluster::tables,
    crowd::memory,
    crowd::idle,
    crowd::machine,
    growth::tables,
    cotp::tables,
    juggler::tables,
];

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::All(mut options) => {
            if !options.quick {
                let markdown = || concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md").into();
                options.markdown.get_or_insert_with(markdown);
                let plots = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/plots").into();
                options.plots.get_or_insert_with(plots);
                let folder = std::env::current_exe()?;
                let folder = folder.ancestors().nth(2).unwrap_or(Path::new("target"));
                options.json.get_or_insert_with(|| folder.join("bench.json"));
            }
            run(&options, TABLES)
        }
        Command::Chatter(options) => run(&options, &[wire::chatter]),
        Command::Connections(options) => run(&options, &[wire::connections]),
        Command::OneWay(options) => run(&options, &[wire::one_way]),
        Command::Threads(options) => run(&options, &[wire::threads]),
        Command::Tls(options) => run(&options, &[wire::over_tls]),
        Command::Latency(options) => run(&options, &[wire::latency]),
        Command::Websocket(options) => run(&options, &[websocket::tables]),
        Command::Cotp(options) => run(&options, &[cotp::tables]),
        Command::Encoding(options) => run(&options, &[encoding::tables]),
        Command::Eventer(options) => run(&options, &[eventer::tables]),
        Command::Server(options) => run(&options, &[store::tables]),
        #[cfg(feature = "cluster")]
        Command::Cluster(options) => run(&options, &[store::cluster::tables]),
        Command::Growth(options) => run(&options, &[growth::tables]),
        Command::Python(options) => run(&options, &[python::tables]),
        Command::Memory(options) => run(&options, &[crowd::memory]),
        Command::Idle(options) => run(&options, &[crowd::idle]),
        Command::Machine(options) => run(&options, &[crowd::machine]),
        Command::Juggler(options) => run(&options, &[juggler::tables]),
        Command::Serve(Serve::Wire(it)) => wire::serve(&it),
        Command::Drive(Drive::Wire(it)) => wire::drive(&it),
        Command::Serve(Serve::Websocket) => websocket::serve(),
        Command::Drive(Drive::Websocket(it)) => websocket::drive(&it),
        Command::Serve(Serve::Cotp(it)) => cotp::serve(&it),
        Command::Serve(Serve::Crowd(it)) => crowd::serve(&it),
        Command::Serve(Serve::Eventer(it)) => eventer::serve(&it),
        Command::Serve(Serve::Juggler(it)) => juggler::serve(&it),
        Command::Serve(Serve::Store(it)) => store::serve(&it),
        Command::Drive(Drive::Store(it)) => store::drive(&it),
        Command::Drive(Drive::Cotp(it)) => cotp::drive(&it),
        Command::Drive(Drive::Crowd(it)) => crowd::drive(&it),
        Command::Drive(Drive::Encoding(it)) => encoding::drive(&it),
        Command::Drive(Drive::Eventer(it)) => eventer::drive(&it),
        Command::Drive(Drive::Growth(it)) => growth::drive(&it),
        Command::Drive(Drive::Juggler(it)) => juggler::drive(&it),
        Command::Drive(Drive::Machine(it)) => crowd::drive_machine(&it),
    }
}

fn run(options: &Options, tables: &[Measure]) -> anyhow::Result<()> {
    let &Options { rounds, milliseconds, quick, cpu, long, .. } = options;
    let (count, milliseconds) = if quick { (1, 30) } else { (rounds, milliseconds) };
    let rounds = Rounds { count, by_cpu: cpu };
    let bench = Bench { programs: Programs::default(), rounds, milliseconds, quick, long };
    let warning = match cfg!(debug_assertions) {
        _ if quick => " Too short to say anything.",
        true => " Without optimisation: the figures say nothing.",
        false => "",
    };
    let mut report = Report::new(format!("{count} rounds of {milliseconds} ms a row.{warning}"));
    for table in tables {
        report.tables.extend(table(&bench)?);
    }
    report.print();
    if let Some(file) = &options.markdown {
        report.write_markdown(file)?;
    }
    if let Some(folder) = &options.plots {
        report.write_plots(folder)?;
    }
    if let Some(file) = &options.json {
        report.write_json(file)?;
    }
    // a long run has its figures, a quick one is there for this
    let failures = report.failures();
    anyhow::ensure!(!quick || failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
