//! A notification of 1 000 events, encoded and decoded: SBS against what else one would take for
//! the same data.
//!
//! Each runs in a process of its own, in turn. The drop of what was made is counted everywhere.
//! Texts are owned by what prost and serde decode; SBS' point into the frame, as they do in use.

use std::hint::black_box;
use std::time::Duration;

use clap::Args;
use hat_core::eventer::message::EventsNotify;
use hat_core::sbs;

use crate::Bench;
use crate::calls;
use crate::contenders::Contender;
use crate::eventer::events;
use crate::measure::{Goal, Of, Work, measure};
use crate::report::Table;
use crate::side;

/// Events of the notification.
const EVENTS: usize = 1000;

/// Encodes or decodes, alone.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drive {
    /// Decodes, instead of encoding.
    #[arg(long)]
    decode: bool,
    milliseconds: u64,
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    let events: EventsNotify = events::registered(0..EVENTS);
    let frame = sbs::encode(&events);
    anyhow::ensure!(sbs::decode(&frame) == Ok(events.clone()), "it is not what it was");
    side::ready();
    let time = Duration::from_millis(drive.milliseconds) / 5;
    let seconds = match drive.decode {
        false => calls::seconds(time, || sbs::encode(black_box(&events))),
        true => calls::seconds(time, || sbs::decode::<EventsNotify>(black_box(&frame))),
    };
    let each = seconds.median / EVENTS as f64;
    side::done(&[("seconds", each), ("bytes", frame.len() as f64 / EVENTS as f64)]);
    Ok(())
}

const SBS: &str = "hat";
const PROST: &str = "prost";
const PYTHON: &str = "hat-sbs in C";

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let about = "A notification of 1 000 events with types of 4 segments and 60 bytes of JSON, to bytes and back, each process by itself. `hat-sbs` is the deployed one with its serializer in C, \
                 without what hat-event then makes of dictionaries.";
    let columns: [Of; 2] = [|run| run.get("seconds") * 1e9, |run| run.get("bytes")];
    let mut table =
        Table::new("Encoding", about, &["ns an event", "bytes an event"]).against(PROST);
    for way in ["encode", "decode"] {
        let peers = bench.programs.rust();
        let decode: &[&str] = if way == "decode" { &["--decode"] } else { &[] };
        let peer = |name: &'static str| {
            let drive = peers.clone().map(|it| it.with(["drive", "encoding", name]).with(decode));
            Contender::alone(name, drive, bench.milliseconds)
        };
        let drive = |program: Result<crate::process::Program, String>, start: &[&str]| {
            program.map(|it| it.with(start).with(decode))
        };
        let contenders = vec![
            peer(PROST),
            Contender::alone(
                SBS,
                drive(bench.programs.itself(), &["drive", "encoding"]),
                bench.milliseconds,
            ),
            peer("postcard"),
            peer("bincode"),
            peer("serde_json"),
            Contender::alone(
                PYTHON,
                drive(bench.programs.python("encoding.py"), &[]),
                bench.milliseconds,
            ),
        ];
        let goals = vec![
            Goal { contender: SBS, factor: 1.0, than: PROST },
            Goal { contender: SBS, factor: 1.0 / 50.0, than: PYTHON },
        ];
        let name = way.to_owned();
        let work = Work { name, contenders, columns: &columns, lower_is_better: true, goals };
        measure(&mut table, &work, bench.rounds);
    }
    Ok(vec![table])
}
