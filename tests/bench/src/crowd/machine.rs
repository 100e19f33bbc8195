//! As many connections as a machine holds, in several processes a side, since the system gives one
//! process only so many sockets: this one starts all of them, and asks what they have used.

use std::ops::Add;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;

use crate::process::{self, Process, Program, Usage};
use crate::side;

/// For servers to take what waits with the system: clients are connected before that.
const ACCEPTING: Duration = Duration::from_secs(2);

/// What the processes do together.
#[derive(Args, Clone, Debug)]
pub(crate) struct Machine {
    /// Who has the connections, a peer of `drive crowd`.
    peer: String,
    /// Connections of all processes.
    connections: usize,
    /// Of one process at most.
    each: usize,
    /// How long they are idle at the end.
    milliseconds: u64,
}

/// Processes of one kind.
struct Crowd(Vec<Process>);

impl Crowd {
    /// The next line of each of them.
    fn lines(&self) -> anyhow::Result<Vec<String>> {
        self.0.iter().map(Process::line).collect()
    }

    fn open_files(&self) -> usize {
        self.0.iter().map(Process::open_files).sum()
    }

    fn used(&self) -> Usage {
        self.0.iter().map(Process::used).fold(Usage::default(), Usage::add)
    }
}

pub(crate) fn drive(machine: &Machine) -> anyhow::Result<()> {
    let Machine { peer, connections, each, milliseconds } = machine;
    let itself = Program::itself()?;
    let count = connections.div_ceil(*each);
    let server = itself.clone().with(["serve", "crowd", peer]);
    let servers = Crowd((0..count).map(|_| Process::start(&server)).collect::<Result<_, _>>()?);
    let ports = servers.lines().context("a server")?;
    let client = |port: &str, size: usize| {
        let drive = itself.clone().with(["drive", "crowd", peer, port]);
        Process::start(&drive.with([size, 0, 0]).with([milliseconds]))
    };
    // what a client takes without connections
    let nobody = Crowd(vec![client(&ports[0], 0)?]);
    nobody.lines().context("a client")?;
    let empty = nobody.used();
    drop(nobody);

    let (before, available, files) = (servers.used(), process::available()?, servers.open_files());
    let mut clients = Crowd(Vec::new());
    for (at, port) in ports.iter().enumerate() {
        let size = (connections - at * each).min(*each);
        clients.0.push(client(port.trim(), size)?);
    }
    clients.lines().context("a client")?;
    thread::sleep(ACCEPTING);
    let (connected, of_clients) = (servers.used(), clients.used());
    let system = available - process::available()?;
    side::ready();
    clients.0.iter_mut().try_for_each(|it| it.say("go"))?;
    clients.lines().context("a client")?;
    let (server, client) = (servers.used(), clients.used());
    let held = servers.open_files().saturating_sub(files);
    ensure!(held >= *connections, "of {connections} connections {held} are left");
    let started = count as f64;
    let server_bytes = connected.resident - before.resident;
    let client_bytes = of_clients.resident - empty.resident * started;
    side::done(&[
        ("connections", *connections as f64),
        ("seconds", *milliseconds as f64 / 1e3),
        ("server", server_bytes),
        ("client", client_bytes),
        ("system", system - server_bytes - of_clients.resident),
        ("connecting", connected.cpu - before.cpu + of_clients.cpu - empty.cpu * started),
        ("idle", server.cpu - connected.cpu + client.cpu - of_clients.cpu),
    ]);
    Ok(())
}
