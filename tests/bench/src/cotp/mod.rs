//! COTP echo, against raw TCP of the same bytes, `rusty-cotp` and `hat-drivers`.

mod ours;
mod raw;
mod rusty;

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::Bench;
use crate::contenders::{Contender, RAW, SMOL, TOKIO};
use crate::measure::{Of, Work, measure};
use crate::report::Table;
use crate::runtimes;

/// Who echoes and who asks: both sides are of the same implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// Tokio's TCP with the bytes of the packets, and no protocol: the limit.
    Raw,
    /// This library on Tokio.
    Tokio,
    /// This library on smol.
    Smol,
    /// `rusty-cotp`.
    Rusty,
}

const SIZES: [(&str, usize); 4] =
    [("64 B", 64), ("2 KiB", 2048), ("64 KiB", 64 * 1024), ("1 MiB", 1024 * 1024)];

/// User data of one DT at a TPDU size of 2048.
const PER_TPDU: usize = 2045;

/// An echo server.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    peer: Peer,
}

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

pub(crate) fn serve(serve: &Serve) -> anyhow::Result<()> {
    match serve.peer {
        Peer::Raw => runtimes::tokio(raw::serve()),
        Peer::Tokio => runtimes::tokio(ours::serve::<hat_tokio::Tokio>()),
        Peer::Smol => runtimes::smol(ours::serve::<hat_smol::Smol>()),
        Peer::Rusty => runtimes::tokio(rusty::serve()),
    }?;
    runtimes::stay()
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    let it = drive.clone();
    let done = match drive.peer {
        Peer::Raw => runtimes::tokio(raw::drive(it)),
        Peer::Tokio => runtimes::tokio(ours::drive::<hat_tokio::Tokio>(it)),
        Peer::Smol => runtimes::smol(ours::drive::<hat_smol::Smol>(it)),
        Peer::Rusty => runtimes::tokio(rusty::drive(it)),
    }?;
    done.tell();
    Ok(())
}

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "Messages echoed over one connection, TPDU size 2048. Raw TCP has the same bytes.";
    let titles = ["messages/s", "client CPU µs", "server CPU µs"];
    let columns: [Of; 3] = [
        |run| run.rate("messages"),
        |run| run.client.cpu * 1e6 / run.get("messages"),
        |run| run.server.cpu * 1e6 / run.get("messages"),
    ];
    let mut table = Table::new("COTP echo", about, &titles).against(RAW);
    for (name, size) in SIZES {
        for window in [1, (4 << 20 >> size.ilog2()).clamp(4, 256)] {
            let work = [size, window, usize::try_from(bench.milliseconds)?];
            let ours = |name, peer| {
                let program = bench.programs.itself();
                Contender::new(
                    name,
                    program,
                    &["serve", "cotp", peer],
                    &["drive", "cotp", peer],
                    &work,
                )
            };
            let python = bench.programs.python("cotp.py");
            let contenders = vec![
                ours(RAW, "raw"),
                ours(TOKIO, "tokio"),
                ours(SMOL, "smol"),
                ours("rusty-cotp", "rusty"),
                Contender::new("hat-drivers", python, &["serve"], &["drive"], &work),
            ];
            let name = format!("{name}, {window} in flight");
            let goals = Vec::new();
            let work = Work { name, contenders, columns: &columns, lower_is_better: false, goals };
            measure(&mut table, &work, bench.rounds);
        }
    }
    Ok(vec![table])
}
