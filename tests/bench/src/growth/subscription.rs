//! Subscriptions of many query types: made, and looked up in.

use std::hint::black_box;
use std::time::Duration;

use clap::Args;
use hat_core::eventer::Subscription;

use super::Size;
use crate::contenders::Contender;
use crate::eventer::events;
use crate::{Bench, calls, side};

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Drive {
    types: usize,
    milliseconds: u64,
}

/// Event types that are looked up, in turn.
const LOOKED_UP: usize = 1000;

pub(super) fn contender(bench: &Bench, (name, types): Size) -> Contender {
    let program = bench.programs.itself();
    let drive = program.map(|it| it.with(["drive", "growth", "subscription"]).with([types]));
    Contender::alone(name, drive, bench.milliseconds)
}

pub(super) fn drive(drive: Drive) -> anyhow::Result<()> {
    let types: Vec<_> = (0..drive.types).map(events::event_type).collect();
    let subscription = Subscription::new(&types)?;
    // from all over the subscription, whatever its size
    let looked_up: Vec<_> =
        (0..LOOKED_UP).map(|index| events::event_type(index * 7919 % drive.types)).collect();
    side::ready();
    // two figures, of five measurements each
    let time = Duration::from_millis(drive.milliseconds) / 10;
    let build = calls::seconds(time, || Subscription::new(black_box(&types)));
    let all = calls::seconds(time, || {
        looked_up.iter().filter(|it| subscription.matches(black_box(it))).count()
    });
    side::done(&[
        ("types", drive.types as f64),
        ("build", build.median),
        ("match", all.median / LOOKED_UP as f64),
    ]);
    Ok(())
}
