//! Event servers over a replicated log, beside what the log itself takes.

use super::peers::{client, nats_server, with};
use super::{PYTHON, Scratch, peers};
use crate::Bench;
use crate::contenders::Contender;
use crate::measure::{Goal, Of, Work, measure};
use crate::report::Table;

const NATS_1: &str = "JetStream, 1 server";
const HAT_1: &str = "hat, 1 node over 1 server";
const NATS_3: &str = "JetStream, 3 servers";
const HAT_3: &str = "hat, 3 nodes over 3 servers";

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let scratch = Scratch::new()?;
    let about = "Clients of one node with one request each register events with a response, which comes once a majority of the NATS servers has synced them and the node has applied \
                 them. JetStream: the same messages published to it, as many in flight, until each is acknowledged. All servers and all nodes are on this machine and share its disk and \
                 its cores; the processor time is that of all of them together. hat-event has no copy on a second disk when it answers, and has not synced.";
    let titles = [
        "events/s stored",
        "answer p50 ms",
        "answer p99 ms",
        "servers' CPU µs an event",
        "bytes an event on all disks",
    ];
    let columns: [Of; 5] = [
        |run| run.rate("events"),
        |run| run.get("p50") / 1e3,
        |run| run.get("p99") / 1e3,
        |run| run.server.cpu * 1e6 / run.get("events"),
        |run| run.get("bytes"),
    ];
    let mut table =
        Table::new("A cluster: register until a majority has it", about, &titles).against(NATS_3);
    let all = [(1, 1), (1, 64), (10, 64), (100, 64), (1_000, 16)];
    let quick = [(100, 4)];
    let works = if bench.quick { &quick[..] } else { &all[..] };
    for &(batch, open) in works {
        let work = [batch, open, usize::try_from(bench.milliseconds)?, 1_000];
        let of = |name, servers, nodes| contender(bench, &scratch, name, (servers, nodes), &work);
        let contenders = vec![
            of(NATS_1, 1, 0),
            of(HAT_1, 1, 1),
            of(NATS_3, 3, 0),
            of(HAT_3, 3, 3),
            peers::hat_event(bench, &scratch, PYTHON, &["register"], &work),
        ];
        let goals = [(HAT_1, NATS_1), (HAT_3, NATS_3)]
            .map(|(contender, than)| Goal { contender, factor: 1.0 / 1.3, than })
            .to_vec();
        let name = format!("batches of {batch}, {open} in flight");
        let work = Work { name, contenders, columns: &columns, lower_is_better: false, goals };
        measure(&mut table, &work, bench.rounds);
    }
    for batch in [100, 1_000] {
        table.floor(&format!("batches of {batch},"), HAT_3, 0, 150_000.0);
    }
    Ok(vec![table])
}

/// So many NATS servers and nodes over them; with no nodes, a client of NATS itself.
fn contender(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    (servers, nodes): (usize, usize),
    work: &[usize],
) -> Contender {
    let folder = scratch.0.join("cluster");
    let program = nats_server().and_then(|nats| {
        let itself = bench.programs.itself()?.with(["serve", "store", "cluster"]);
        let itself = itself.with([nats.display(), folder.display()]);
        Ok(itself.with(["--servers", &servers.to_string(), "--nodes", &nodes.to_string()]))
    });
    let task: &[&str] = match nodes {
        0 => &["nats", "--replicas", if servers == 1 { "1" } else { "3" }],
        _ => &["register"],
    };
    Contender::apart(name, program, &[], client(bench, task), &with(work, &folder))
}
