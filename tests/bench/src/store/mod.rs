//! Event servers that keep what they are told: registering until it is stored, asking, starting.

mod clients;
#[cfg(feature = "cluster")]
pub(crate) mod cluster;
mod nats;
#[cfg(feature = "cluster")]
mod nodes;
mod peers;
mod postgres;
mod queries;
mod register;
mod serve;
mod start;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hat_core::eventer::RegisterEvent;

use self::peers::Kept;
use crate::Bench;
use crate::contenders::Contender;
use crate::eventer::events;
use crate::measure::{Goal, MIB, Of, Rounds, Work, measure};
use crate::report::Table;
use crate::runtimes;

/// A server of this library.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// Where it keeps events, and how.
    #[command(subcommand)]
    kept: serve::Kept,
}

/// What a client does.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drive {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Clone, Debug)]
enum Task {
    Register(register::Drive),
    Query(queries::Drive),
    Nats(register::Drive),
    Postgres(register::Drive),
    /// A file that is written and synced alone: what the disk can do.
    Sync(register::Sync),
    Start(start::Drive),
}

pub(crate) fn serve(serve: &Serve) -> anyhow::Result<()> {
    runtimes::tokio(serve::serve(serve.kept.clone()))?;
    runtimes::stay()
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    match drive.task.clone() {
        Task::Register(it) => runtimes::tokio(register::drive(it)),
        Task::Query(it) => runtimes::tokio(queries::drive(it)),
        Task::Nats(it) => runtimes::tokio(nats::drive(it)),
        Task::Postgres(it) => runtimes::tokio(postgres::drive(it)),
        Task::Sync(it) => register::sync(&it),
        Task::Start(it) => start::drive(&it),
    }
}

pub(crate) const PYTHON: &str = "hat-event, LMDB";
const COMMIT: &str = "hat, durable";
const FLUSH: &str = "hat, flush 100 ms";
const MEMORY: &str = "hat, memory";
const NATS: &str = "NATS JetStream";
const POSTGRES: &str = "PostgreSQL";
const SYNC: &str = "sync alone";

/// Batches of events to register, so many events each, that have so many types together.
fn batches(batch: usize, types: usize) -> Vec<Vec<RegisterEvent>> {
    let count = (types / batch).clamp(1, 4_096);
    let of = |at: usize| events::to_register((0..batch).map(|one| (at * batch + one) % types));
    (0..count).map(of).collect()
}

/// Bytes that a folder takes on the disk, holes left out.
fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |path: PathBuf| match path.symlink_metadata() {
        Ok(it) if it.is_dir() => bytes_of(&path),
        Ok(it) => std::os::unix::fs::MetadataExt::blocks(&it) * 512,
        Err(_) => 0,
    };
    entries.map(|entry| of(entry.path())).sum()
}

/// A folder that goes with the run.
struct Scratch(PathBuf);

impl Scratch {
    /// Beside the build, where the disk is the one that people build on.
    fn new() -> anyhow::Result<Self> {
        let itself = std::env::current_exe()?;
        let folder = itself.ancestors().nth(2).unwrap_or(Path::new("target"));
        let folder = folder.join(format!("bench-store-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let scratch = Scratch::new()?;
    let mut tables = vec![registrations(bench, &scratch)?, queries(bench, &scratch)?];
    tables.push(starts(bench, &scratch)?);
    Ok(tables)
}

fn registrations(bench: &Bench, scratch: &Scratch) -> anyhow::Result<Table> {
    let about = "Clients with one request each register events with a response. The time is until everything is on the disk, by a query for persisted events; both timestamps \
                 indexed. NATS: a message for each request, synced always. PostgreSQL: INSERT … RETURNING with indexes by type and both times. Sync alone: the bytes of one request \
                 written into a file that has its length, and synced, by one process, for as many requests as are in flight. What `hat, memory` and `hat, flush` answer is not durable then.";
    let titles = [
        "events/s stored",
        "events/s answered",
        "server CPU µs an event",
        "client CPU µs an event",
        "bytes an event on disk",
        "server peak MiB",
    ];
    let columns: [Of; 6] = [
        |run| run.rate("events"),
        |run| run.get("events") / run.get("answered"),
        |run| run.server.cpu * 1e6 / run.get("events"),
        |run| run.client.cpu * 1e6 / run.get("events"),
        |run| run.get("bytes"),
        |run| run.server.peak / MIB,
    ];
    let mut table =
        Table::new("Event servers: register until stored", about, &titles).against(PYTHON);
    let all = [
        (1, 1, 1_000),
        (1, 64, 1_000),
        (10, 1, 1_000),
        (10, 64, 1_000),
        (1_000, 1, 1_000),
        (1_000, 64, 1_000),
        (1_000, 4, 100_000),
    ];
    let quick = [(1_000, 4, 1_000)];
    let works = if bench.quick { &quick[..] } else { &all[..] };
    for &(batch, open, types) in works {
        let work = [batch, open, usize::try_from(bench.milliseconds)?, types];
        let ours = |name, kept| peers::ours(bench, scratch, name, kept, &work);
        let mut contenders = vec![
            peers::hat_event(bench, scratch, PYTHON, &["register"], &work),
            ours(COMMIT, Kept::Commit),
            ours(FLUSH, Kept::Flush),
            ours(MEMORY, Kept::Memory),
            peers::nats(bench, scratch, NATS, &work),
            peers::postgres(bench, scratch, POSTGRES, &work),
        ];
        let one = batch == 1 && open == 1;
        contenders.push(peers::sync(bench, scratch, SYNC, &work));
        let mut goals = Vec::new();
        match (batch, types) {
            (1, _) if one => goals.push(Goal { contender: COMMIT, factor: 0.77, than: SYNC }),
            (1, _) => goals.push(Goal { contender: COMMIT, factor: 15.0, than: PYTHON }),
            (1_000, 1_000) if open > 1 => {
                goals.push(Goal { contender: COMMIT, factor: 40.0, than: PYTHON });
            }
            (_, 100_000) => goals.push(Goal { contender: COMMIT, factor: 15.0, than: PYTHON }),
            _ => {}
        }
        let name = format!("batches of {batch}, {open} in flight, {types} types");
        let work = Work { name, contenders, columns: &columns, lower_is_better: false, goals };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(table)
}

fn queries(bench: &Bench, scratch: &Scratch) -> anyhow::Result<Table> {
    let about = "One client asks, one query at a time, over events of 1 000 types; the median of its times. The first figure is the newest 100 events of one type.";
    let titles = [
        "newest 100 of a type, ms",
        "newest 100, ms",
        "newest 4096, ms",
        "all of a type, ms",
        "a type without events, ms",
        "100 by source time, ms",
        "server page of 4096, ms",
        "latest of 1 000 types, ms",
        "a page by id in the middle, ms",
        "server peak MiB",
    ];
    let columns: [Of; 10] = [
        |run| run.get("type"),
        |run| run.get("newest"),
        |run| run.get("page"),
        |run| run.get("all"),
        |run| run.get("none"),
        |run| run.get("source"),
        |run| run.get("server"),
        |run| run.get("latest"),
        |run| run.get("deep"),
        |run| run.server.peak / MIB,
    ];
    let mut table = Table::new("Event servers: queries", about, &titles).against(PYTHON);
    let sizes: &[usize] = match (bench.quick, bench.long) {
        (true, _) => &[5_000],
        (_, false) => &[100_000, 1_000_000],
        (_, true) => &[100_000, 1_000_000, 10_000_000],
    };
    for &size in sizes {
        let ours = |name, kept: Kept| peers::asked(bench, scratch, name, kept, size);
        let mut contenders = vec![ours(COMMIT, Kept::Commit)];
        if size <= 1_000_000 {
            contenders.push(ours(MEMORY, Kept::Memory));
        }
        // a million takes it two minutes to store
        let asked = peers::hat_event(bench, scratch, PYTHON, &["query"], &[size]);
        contenders.push(match size {
            0..=100_000 => asked,
            _ => Contender {
                name: PYTHON,
                sides: Err("left out: it takes minutes to store so many".into()),
            },
        });
        let name = format!("{size} events");
        let work =
            Work { name, contenders, columns: &columns, lower_is_better: true, goals: Vec::new() };
        measure(&mut table, &work, Rounds::ONE);
    }
    table.limit("", COMMIT, 0, 1.0);
    Ok(table)
}

fn starts(bench: &Bench, scratch: &Scratch) -> anyhow::Result<Table> {
    let about = "A store is filled, in one process and without a server; then opened again. Closed: after everything went into the tables. Killed: the journal is full, and is read again. \
                 Memory: what the process has grown by when it is open.";
    let titles = [
        "open after a kill, ms",
        "open after a clean end, ms",
        "bytes an event on disk",
        "MiB once open",
        "events/s while filled",
        "CPU µs an event while filled",
    ];
    let columns: [Of; 6] = [
        |run| run.get("killed"),
        |run| run.get("closed"),
        |run| run.get("bytes"),
        |run| run.get("resident") / MIB,
        |run| run.rate("events"),
        |run| run.get("cpu") * 1e6 / run.get("events"),
    ];
    let mut table = Table::new("Stores: start and size", about, &titles);
    let sizes: &[(usize, usize)] = match (bench.quick, bench.long) {
        (true, _) => &[(5_000, 100)],
        (_, false) => &[(1_000_000, 1_000), (1_000_000, 100_000)],
        (_, true) => &[(1_000_000, 1_000), (1_000_000, 100_000), (10_000_000, 100_000)],
    };
    for &(size, types) in sizes {
        let contenders = vec![peers::start(bench, scratch, COMMIT, size, types)];
        let name = format!("{size} events, {types} types");
        let work =
            Work { name, contenders, columns: &columns, lower_is_better: true, goals: Vec::new() };
        measure(&mut table, &work, Rounds::ONE);
    }
    table.limit("", COMMIT, 0, 2_000.0);
    table.limit("", COMMIT, 1, 1_000.0);
    table.limit("", COMMIT, 2, 250.0);
    Ok(table)
}
