//! COTP echo, against raw TCP of the same bytes, `rusty-cotp` and `hat-drivers`.

mod ours;
mod raw;
mod rusty;

use std::process::Command;
use std::time::Duration;

use clap::{Args, ValueEnum};
use comfy_table::Table;
use hat_tests::peers::Environment;

use crate::figures::Figure;
use crate::process::{self, Server};

/// Who echoes and who asks: both sides are of the same implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// Tokio's TCP with the bytes of the packets, and no protocol: the limit.
    Raw,
    /// This library on Tokio.
    Tokio,
    /// This library on smol.
    Smol,
    /// `rusty-cotp`.
    Rusty,
    /// `hat-drivers`, in Python.
    Python,
}

const PEERS: [Peer; 5] = [Peer::Raw, Peer::Tokio, Peer::Smol, Peer::Rusty, Peer::Python];

const SIZES: [(&str, usize); 4] =
    [("64 B", 64), ("2 KiB", 2048), ("64 KiB", 64 * 1024), ("1 MiB", 1024 * 1024)];

/// User data of one DT at a TPDU size of 2048.
const PER_TPDU: usize = 2045;

/// What a client does.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drive {
    peer: Peer,
    port: u16,
    /// Octets of a message.
    size: usize,
    /// Messages in flight.
    window: usize,
    milliseconds: u64,
}

impl Drive {
    fn time(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }

    /// Octets that a message takes in TPKT packets.
    fn wire_len(&self) -> usize {
        self.size + 7 * self.size.div_ceil(PER_TPDU)
    }
}

/// What a client did: messages there and back, and how long it took.
struct Done {
    messages: usize,
    seconds: f64,
}

pub(crate) fn serve(peer: Peer) -> anyhow::Result<()> {
    match peer {
        Peer::Raw => current_thread(raw::serve()),
        Peer::Tokio => current_thread(ours::serve::<hat_tokio::Tokio>()),
        Peer::Smol => smol::block_on(ours::serve::<hat_smol::Smol>()),
        Peer::Rusty => current_thread(rusty::serve()),
        Peer::Python => anyhow::bail!("it is a script of its own"),
    }
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    let done = match drive.peer {
        Peer::Raw => current_thread(raw::drive(drive)),
        Peer::Tokio => current_thread(ours::drive::<hat_tokio::Tokio>(drive)),
        Peer::Smol => smol::block_on(ours::drive::<hat_smol::Smol>(drive)),
        Peer::Rusty => current_thread(rusty::drive(drive)),
        Peer::Python => anyhow::bail!("it is a script of its own"),
    }?;
    println!("{} {} {}", done.messages, done.seconds, process::own_cpu());
    Ok(())
}

/// One core a side.
fn current_thread<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// One run of one implementation.
struct Run {
    messages_a_second: f64,
    client_cpu: f64,
    server_cpu: f64,
}

pub(crate) fn run(rounds: usize, milliseconds: u64) -> anyhow::Result<()> {
    let python = Environment::today();
    if let Err(error) = &python {
        eprintln!("without hat-drivers: {error}");
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "message",
        "in flight",
        "implementation",
        "messages/s",
        "slower than raw TCP",
        "CPU µs a message, client + server",
    ]);
    for (name, size) in SIZES {
        for window in [1, (4 << 20 >> size.ilog2()).clamp(4, 256)] {
            let mut runs: Vec<Vec<Run>> = PEERS.iter().map(|_| Vec::new()).collect();
            for _ in 0..rounds {
                for (peer, runs) in PEERS.iter().zip(&mut runs) {
                    let drive = Drive { peer: *peer, port: 0, size, window, milliseconds };
                    if let Some(run) = one(drive, python.as_ref().ok())? {
                        runs.push(run);
                    }
                }
            }
            for (peer, of_peer) in PEERS.iter().zip(&runs) {
                if of_peer.is_empty() {
                    table.add_row([
                        name,
                        &window.to_string(),
                        &format!("{peer:?}"),
                        "missing",
                        "",
                        "",
                    ]);
                    continue;
                }
                let ratios = runs[0].iter().zip(of_peer);
                let ratio = Figure::of(
                    ratios.map(|(raw, it)| raw.messages_a_second / it.messages_a_second).collect(),
                );
                let rate = Figure::of(of_peer.iter().map(|it| it.messages_a_second).collect());
                let cpu = |of: fn(&Run) -> f64| {
                    let per_message = of_peer.iter().map(|it| of(it) * 1e6);
                    Figure::of(per_message.collect()).median
                };
                table.add_row([
                    name.into(),
                    window.to_string(),
                    format!("{peer:?}"),
                    format!("{:.0}", rate.median),
                    format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.least, ratio.most),
                    format!("{:.1} + {:.1}", cpu(|it| it.client_cpu), cpu(|it| it.server_cpu)),
                ]);
            }
            eprintln!("{name}, {window} in flight: done");
        }
    }
    println!("{table}");
    Ok(())
}

fn one(mut drive: Drive, python: Option<&Environment>) -> anyhow::Result<Option<Run>> {
    let itself = std::env::current_exe()?;
    let command = |arguments: &[&str]| {
        let mut command = match (drive.peer, python) {
            (Peer::Python, Some(python)) => {
                // the interpreter with its packages, and not the peer of the tests
                let mut command = Command::new(python.command().get_program());
                command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/cotp.py"));
                command
            }
            _ => Command::new(&itself),
        };
        command.args(arguments);
        command
    };
    if drive.peer == Peer::Python && python.is_none() {
        return Ok(None);
    }
    let peer = format!("{:?}", drive.peer).to_lowercase();
    let server = Server::start(command(&["serve", &peer]))?;
    drive.port = server.port;
    let before = server.cpu();
    let numbers = [drive.port as usize, drive.size, drive.window, drive.milliseconds as usize];
    let mut arguments = vec!["drive".to_owned(), peer];
    arguments.extend(numbers.map(|number| number.to_string()));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let Some([messages, seconds, cpu]) =
        process::numbers(command(&arguments))?.and_then(|it| <[f64; 3]>::try_from(it).ok())
    else {
        eprintln!("{:?} did not get through with {} in flight", drive.peer, drive.window);
        return Ok(None);
    };
    let server_cpu = server.cpu() - before;
    Ok(Some(Run {
        messages_a_second: messages / seconds,
        client_cpu: cpu / messages,
        server_cpu: server_cpu / messages,
    }))
}
