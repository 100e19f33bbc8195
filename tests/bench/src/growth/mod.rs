//! Cost against size: messages, clients, event types, query types. What is twice as large may cost
//! twice as much, so the cost of one unit stays what it is.

mod messages;
mod store;
mod subscription;

use clap::{Args, Subcommand};

use crate::contenders::{Contender, TOKIO};
use crate::measure::{Goal, Of, Work, measure};
use crate::report::{Plot, SizeIn, Table};
use crate::{Bench, eventer, runtimes};

/// One client of a run.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drive {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Clone, Debug)]
enum Task {
    Messages(messages::Drive),
    Store(store::Drive),
    Subscription(subscription::Drive),
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    match drive.task {
        Task::Messages(it) => runtimes::tokio(messages::drive(it)),
        Task::Store(it) => runtimes::tokio(store::drive(it)),
        Task::Subscription(it) => subscription::drive(it),
    }
}

/// What grows, and how it is measured.
struct Growth<'a> {
    title: &'a str,
    about: &'a str,
    titles: &'a [&'static str],
    /// The first is the cost of one unit.
    columns: &'a [Of],
    /// The smallest first.
    sizes: &'a [Size],
    /// The file of its plot, and what grows.
    plot: (&'static str, &'static str),
    /// What one unit may cost at the largest size, in units of the smallest.
    most: f64,
}

/// A size, with its name in the table.
type Size = (&'static str, usize);

impl Growth<'_> {
    fn table(&self, bench: &Bench, contender: impl Fn(Size) -> Contender) -> Table {
        let sizes = if bench.quick { &self.sizes[..2] } else { self.sizes };
        let (smallest, largest) = (sizes[0].0, sizes[sizes.len() - 1].0);
        let (name, size) = self.plot;
        let plot =
            Plot { name, size, cost: self.titles[0], size_in: SizeIn::Contender, columns: &[0] };
        let table = Table::new(self.title, self.about, self.titles);
        let mut table = table.against(smallest).plotted(plot);
        let work = Work {
            name: TOKIO.to_owned(),
            contenders: sizes.iter().copied().map(contender).collect(),
            columns: self.columns,
            lower_is_better: true,
            goals: vec![Goal { contender: largest, factor: self.most, than: smallest }],
        };
        measure(&mut table, &work, bench.rounds.at_most(2));
        table
    }
}

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    Ok(vec![messages(bench), clients(bench), types(bench), build(bench), matching(bench)])
}

fn messages(bench: &Bench) -> Table {
    let growth = Growth {
        title: "Growth: messages",
        plot: ("messages", "messages over one connection"),
        about: "Chatter messages of 64 bytes over one connection, echoed, 256 in flight.",
        titles: &["both sides' CPU µs a message", "both sides' CPU ms"],
        columns: &[
            |run| (run.server.cpu + run.client.cpu) * 1e6 / run.get("messages"),
            |run| (run.server.cpu + run.client.cpu) * 1e3,
        ],
        sizes: &[
            ("50 000", 50_000),
            ("100 000", 100_000),
            ("200 000", 200_000),
            ("400 000", 400_000),
            ("800 000", 800_000),
        ],
        most: 1.5,
    };
    growth.table(bench, |(name, count)| {
        let program = bench.programs.itself();
        Contender::new(
            name,
            program,
            &["serve", "crowd", "chatter-tokio"],
            &["drive", "growth", "messages"],
            &[count],
        )
    })
}

fn clients(bench: &Bench) -> Table {
    let growth = Growth {
        title: "Growth: clients",
        plot: ("clients", "clients that are notified"),
        about: "Notifications of 10 events, of which every client wants all.",
        titles: &[
            "server CPU µs a client",
            "server CPU ms a notification",
            "server, KiB a client at its peak",
        ],
        columns: &[
            |run| run.server.cpu * 1e6 / run.get("notifications") / run.get("clients"),
            |run| run.server.cpu * 1e3 / run.get("notifications"),
            |run| run.server.peak / 1024.0 / run.get("clients"),
        ],
        sizes: &[
            ("625", 625),
            ("1 250", 1250),
            ("2 500", 2500),
            ("5 000", 5000),
            ("10 000", 10_000),
        ],
        most: 1.5,
    };
    growth.table(bench, |(name, clients)| eventer::told(bench, name, clients))
}

fn types(bench: &Bench) -> Table {
    let growth = Growth {
        title: "Growth: event types",
        plot: ("event-types", "event types in the store"),
        about: "`hat serve`, which keeps the latest event of every type and a series of as many, as large as that. Each type is registered once more, in batches of 1 000. The cost of an \
                event has the logarithm of the size in it, and the processor's caches.",
        titles: &["server CPU µs an event", "server CPU ms", "server bytes a type"],
        columns: &[
            |run| run.server.cpu * 1e6 / run.get("types"),
            |run| run.server.cpu * 1e3,
            |run| run.server.peak / run.get("types"),
        ],
        sizes: &[
            ("62 500", 62_500),
            ("125 000", 125_000),
            ("250 000", 250_000),
            ("500 000", 500_000),
            ("1 000 000", 1_000_000),
        ],
        most: 3.0,
    };
    growth.table(bench, |(name, types)| store::contender(bench, name, types))
}

/// Sizes of subscriptions.
const QUERY_TYPES: [Size; 5] =
    [("10", 10), ("12 500", 12_500), ("25 000", 25_000), ("50 000", 50_000), ("100 000", 100_000)];

fn build(bench: &Bench) -> Table {
    let growth = Growth {
        title: "Growth: making a subscription",
        plot: ("making", "query types"),
        about: "A subscription of query types, made of a list of them.",
        titles: &["ns a query type", "ms"],
        columns: &[|run| run.get("build") * 1e9 / run.get("types"), |run| run.get("build") * 1e3],
        sizes: &QUERY_TYPES[1..],
        most: 1.5,
    };
    growth.table(bench, |size| subscription::contender(bench, size))
}

fn matching(bench: &Bench) -> Table {
    let growth = Growth {
        title: "Growth: matching",
        plot: ("matching", "query types"),
        about: "One event type, held against a subscription of query types; event types from all over it, each time another one.",
        titles: &["ns a match"],
        columns: &[|run| run.get("match") * 1e9],
        sizes: &QUERY_TYPES,
        most: 2.0,
    };
    let mut table = growth.table(bench, |size| subscription::contender(bench, size));
    table.limit(TOKIO, QUERY_TYPES[4].0, 0, 150.0);
    table
}
