//! Ten thousand connections that say nothing: the memory of each, on both sides, and what their
//! pings cost.
//!
//! Memory is the growth of what is resident (`VmRSS`) while the connections come: user space only,
//! the system's socket buffers are not in it, but what the allocator keeps is. A few hundred
//! connections are there before, so that what a process needs once is not counted.

mod clients;
mod machine;
mod servers;

use clap::{Args, ValueEnum};
use hat_aio::SocketOptions;

use self::clients::{Chatter, Eventer, Juggler, Raw, drive as drive_as};
pub(crate) use self::machine::{Machine, drive as drive_machine};
use crate::Bench;
use crate::contenders::{COMPIO, Contender, RAW, SMOL, TOKIO};
use crate::measure::{Goal, Of, Rounds, Run, Work, measure};
use crate::report::Table;
use crate::runtimes;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// Tokio's TCP: a socket and a task.
    Raw,
    /// Chatter on Tokio.
    ChatterTokio,
    /// Chatter on smol.
    ChatterSmol,
    /// Chatter on compio.
    #[cfg(target_os = "linux")]
    ChatterCompio,
    /// Eventer clients on Tokio; the server is that of [`crate::eventer`].
    EventerTokio,
    /// The same on smol.
    EventerSmol,
    /// Juggler clients on Tokio; the server is that of [`crate::juggler`].
    JugglerTokio,
    /// The same on smol.
    JugglerSmol,
}

/// Options of the sockets of Chatter, which has pings of its own. Without keepalive: the probes of
/// so many connections that are all on this machine come together, loopback's queue has room for
/// 1 000 packets (`net.core.netdev_max_backlog`), and whose two probes are lost there is cut by the
/// system.
fn socket() -> SocketOptions {
    SocketOptions { keepalive: None, ..SocketOptions::default() }
}

/// A server that echoes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    peer: Peer,
}

/// What the clients do.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Drive {
    peer: Peer,
    port: u16,
    /// Connections that are made before anything is measured.
    before: usize,
    /// Connections that are made then.
    more: usize,
    /// Bytes that each of them sends and gets back, one connection after the other; 0: none.
    burst: usize,
    /// How long they are idle at the end.
    milliseconds: u64,
}

pub(crate) fn serve(serve: &Serve) -> anyhow::Result<()> {
    match serve.peer {
        Peer::Raw => runtimes::tokio(servers::raw()),
        Peer::ChatterTokio => runtimes::tokio(servers::chatter::<hat_tokio::Tokio>()),
        Peer::ChatterSmol => runtimes::smol(servers::chatter::<hat_smol::Smol>()),
        #[cfg(target_os = "linux")]
        Peer::ChatterCompio => runtimes::compio(servers::chatter::<hat_compio::Compio>()),
        Peer::EventerTokio | Peer::EventerSmol => anyhow::bail!("see `serve eventer`"),
        Peer::JugglerTokio | Peer::JugglerSmol => anyhow::bail!("see `serve juggler`"),
    }?;
    runtimes::stay()
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    use hat_smol::Smol;
    use hat_tokio::Tokio;

    let it = *drive;
    match it.peer {
        Peer::Raw => runtimes::tokio(drive_as::<Tokio, Raw>(it)),
        Peer::ChatterTokio => runtimes::tokio(drive_as::<Tokio, Chatter<Tokio>>(it)),
        Peer::ChatterSmol => runtimes::smol(drive_as::<Smol, Chatter<Smol>>(it)),
        #[cfg(target_os = "linux")]
        Peer::ChatterCompio => {
            use hat_compio::Compio;
            runtimes::compio(drive_as::<Compio, Chatter<Compio>>(it))
        }
        Peer::EventerTokio => runtimes::tokio(drive_as::<Tokio, Eventer<Tokio>>(it)),
        Peer::EventerSmol => runtimes::smol(drive_as::<Smol, Eventer<Smol>>(it)),
        Peer::JugglerTokio => runtimes::tokio(drive_as::<Tokio, Juggler<Tokio>>(it)),
        Peer::JugglerSmol => runtimes::smol(drive_as::<Smol, Juggler<Smol>>(it)),
    }
}

/// The protocols whose connections' memory is measured, and the bytes that each may take on a side.
const MEMORY: [(&str, f64); 3] =
    [("chatter", 4.0 * 1024.0), ("eventer", 6.0 * 1024.0), ("juggler", 8.0 * 1024.0)];

/// Characters of the state that Juggler's clients follow, about: next to nothing.
const STATE: &str = "100";

/// Who has the connections, for one protocol.
fn contenders(bench: &Bench, protocol: &str, work: &[usize]) -> Vec<Contender> {
    let ours = |name, runtime: &str| {
        let peer = format!("{protocol}-{runtime}");
        let serve: &[&str] = match protocol {
            "eventer" => &["serve", "eventer", runtime],
            "juggler" => &["serve", "juggler", runtime, STATE],
            _ => &["serve", "crowd", &peer],
        };
        Contender::new(name, bench.programs.itself(), serve, &["drive", "crowd", &peer], work)
    };
    let mut contenders = vec![ours(TOKIO, "tokio"), ours(SMOL, "smol")];
    if protocol == "chatter" && cfg!(target_os = "linux") {
        contenders.push(ours(COMPIO, "compio"));
    }
    contenders
}

fn raw(bench: &Bench, work: &[usize]) -> Contender {
    let program = bench.programs.itself();
    Contender::new(RAW, program, &["serve", "crowd", "raw"], &["drive", "crowd", "raw"], work)
}

/// Connections, and a few of them that come first.
fn sizes(bench: &Bench) -> (usize, usize) {
    if bench.quick { (100, 20) } else { (10_000, 500) }
}

pub(crate) fn memory(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let (connections, before) = sizes(bench);
    let about = "Growth of the resident memory with 10 000 connections, each side by itself: sockets and their tasks, user space only. The server of Chatter has a task for each that \
                 waits for messages. After a burst: each connection has sent 64 KiB and got them back, one after the other.";
    let titles = ["server, bytes a connection", "client, bytes a connection"];
    let columns: [Of; 2] = [
        |run| run.server.resident / run.get("connections"),
        |run| run.client.resident / run.get("connections"),
    ];
    let mut table = Table::new("Memory", about, &titles);
    for (protocol, most) in MEMORY {
        for (name, burst) in [("idle", 0), ("after a burst", 64 * 1024)] {
            let arguments = [before, connections, burst, 300];
            let mut contenders = contenders(bench, protocol, &arguments);
            if protocol == "chatter" {
                contenders.insert(0, raw(bench, &arguments));
            }
            let (name, goals) = (format!("{protocol}, {name}"), Vec::new());
            let work = Work { name, contenders, columns: &columns, lower_is_better: true, goals };
            // memory is the same each time
            measure(&mut table, &work, Rounds::ONE);
        }
        for contender in [TOKIO, SMOL] {
            table.limit(protocol, contender, 0, most);
            table.limit(protocol, contender, 1, most);
        }
    }
    Ok(vec![table])
}

pub(crate) fn idle(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let (connections, _) = sizes(bench);
    let about = "Processor time of 10 000 connections that are idle but for their pings, with the default of one after 20 s of silence, for as long: each has one ping and its answer.";
    let titles = ["server, % of a core", "client, % of a core"];
    let columns: [Of; 2] = [
        |run| 100.0 * run.server.cpu / run.get("seconds"),
        |run| 100.0 * run.client.cpu / run.get("seconds"),
    ];
    let mut table = Table::new("Idle", about, &titles);
    let milliseconds = if bench.quick { 100 } else { 20_000 };
    for protocol in ["chatter", "eventer"] {
        let contenders = contenders(bench, protocol, &[connections, 0, 0, milliseconds]);
        let (name, goals) = (protocol.to_owned(), Vec::new());
        let work = Work { name, contenders, columns: &columns, lower_is_better: true, goals };
        measure(&mut table, &work, Rounds::ONE);
        for contender in [TOKIO, SMOL] {
            table.limit(protocol, contender, 0, 2.0);
            table.limit(protocol, contender, 1, 2.0);
        }
    }
    Ok(vec![table])
}

/// Connections of one process of [`machine()`]: less than a system lets it have without being
/// asked.
const EACH: usize = 12_500;

fn each(run: &Run, name: &str) -> f64 {
    run.get(name) / run.get("connections")
}

/// How many connections a machine holds, and whether one costs more where there are many.
pub(crate) fn machine(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "Connections of Chatter that are idle but for their pings (one after 20 s of silence, for 20 s), in processes of 12 500 a side, all on this machine. The memory of the \
                 system is what is no longer available to programs beside that of both sides: it says nothing where the system dropped its caches meanwhile.";
    let titles = [
        "both sides' bytes",
        "server, bytes",
        "client, bytes",
        "system, bytes",
        "connecting, both sides' CPU µs",
        "idle, both sides' % of a core for 10 000",
    ];
    let columns: [Of; 6] = [
        |run| each(run, "server") + each(run, "client"),
        |run| each(run, "server"),
        |run| each(run, "client"),
        |run| each(run, "system"),
        |run| each(run, "connecting") * 1e6,
        |run| each(run, "idle") / run.get("seconds") * 1e6,
    ];
    let all = [("25 000", 25_000), ("50 000", 50_000), ("100 000", 100_000), ("200 000", 200_000)];
    let (sizes, process, milliseconds) = match bench.quick {
        true => ([("100", 100), ("200", 200)].to_vec(), 50, 100),
        false => (all.to_vec(), EACH, 20_000),
    };
    let (smallest, largest) = (sizes[0].0, sizes[sizes.len() - 1].0);
    let mut table = Table::new("Connections a machine holds", about, &titles).against(smallest);
    for (name, peer) in [(TOKIO, "chatter-tokio"), (SMOL, "chatter-smol")] {
        let contender = |&(size, count): &(&'static str, usize)| {
            let drive = bench.programs.itself().map(|it| it.with(["drive", "machine", peer]));
            let drive = drive.map(|it| it.with([count, process]));
            Contender::alone(size, drive, milliseconds)
        };
        let work = Work {
            name: name.to_owned(),
            contenders: sizes.iter().map(contender).collect(),
            columns: &columns,
            lower_is_better: true,
            goals: vec![Goal { contender: largest, factor: 1.1, than: smallest }],
        };
        measure(&mut table, &work, Rounds::ONE);
    }
    Ok(vec![table])
}
