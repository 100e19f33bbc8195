//! WebSocket echo: the machine of this library against tokio-tungstenite, both on Tokio.

mod ours;

use clap::Args;

use crate::Bench;
use crate::contenders::Contender;
use crate::measure::{Goal, Of, Work, measure};
use crate::report::Table;
use crate::runtimes;
use crate::side::load::Load;

/// A client that is told what to do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drive {
    #[command(flatten)]
    load: Load,
}

pub(crate) fn serve() -> anyhow::Result<()> {
    runtimes::tokio(ours::serve())
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    runtimes::tokio(ours::drive(drive.load.clone()))
}

const OURS: &str = "hat's machine on Tokio";
const THEIRS: &str = "tokio-tungstenite";

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "Binary messages echoed over one connection; one thread a side.";
    let titles = ["messages/s", "MB/s each way", "client CPU µs", "server CPU µs"];
    let columns: [Of; 4] = [
        |run| run.rate("messages"),
        |run| run.rate("messages") * run.get("size") / 1e6,
        |run| run.client.cpu * 1e6 / run.get("messages"),
        |run| run.server.cpu * 1e6 / run.get("messages"),
    ];
    let mut table = Table::new("WebSocket echo", about, &titles).against(THEIRS);
    // what is in flight fits into what the system buffers: both clients write before they read
    for (name, size, count) in [
        ("64 B, 1 in flight", 64, 1),
        ("64 B, 1024 in flight", 64, 1024),
        ("64 KiB, 1 in flight", 64 << 10, 1),
        ("64 KiB, 4 in flight", 64 << 10, 4),
    ] {
        let mut work = vec!["echo".to_owned()];
        let numbers = [size, count, usize::try_from(bench.milliseconds)?];
        work.extend(numbers.map(|number| number.to_string()));
        let [itself, peers] = [bench.programs.itself(), bench.programs.rust()];
        let own = "websocket";
        let contenders = vec![
            Contender::new(OURS, itself, &["serve", own], &["drive", own], &work),
            Contender::new(
                THEIRS,
                peers,
                &["serve", "tungstenite"],
                &["drive", "tungstenite"],
                &work,
            ),
        ];
        let work = Work {
            name: name.to_owned(),
            contenders,
            columns: &columns,
            lower_is_better: false,
            goals: vec![Goal { contender: OURS, factor: 1.0, than: THEIRS }],
        };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(vec![table])
}
