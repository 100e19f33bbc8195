//! Diff and apply in one process: this library, `json-patch`, and `hat-json` in Python.

use std::time::Duration;

use anyhow::Context;
use hat_core::json::{Limits, Patch, Pointer, Value, diff};
use hat_core::juggler::State;

use super::{LEAF, SIZES, state};
use crate::Bench;
use crate::calls::seconds;
use crate::figures::Figure;
use crate::report::{Row, Table};

/// How long each figure is measured, several times.
const TIME: Duration = Duration::from_millis(100);

const SHARED: &str = "diff of values that share what did not change";
const APPLY: &str = "apply";
const UNSHARED: &str = "diff of values that share nothing";

pub(super) fn table(bench: &Bench) -> anyhow::Result<Table> {
    let about = "One leaf changed, in one process: the time of one call.";
    let mut table = Table::new("Juggler: diff and apply", about, &["µs"]);
    let time = if bench.quick { TIME / 50 } else { TIME };
    for (name, size) in SIZES {
        let before = state(size);
        let mut after = before.clone();
        *after.pointer_mut(&format!("/{}", LEAF.join("/"))).context("a leaf")? = 1.5.into();
        let (old, new) = (Value::from(before.clone()), Value::from(after.clone()));
        let limits = Limits::default();
        let leaf = Pointer::new(LEAF);
        let mut row = |what: &str, who: &str, figure: Figure| {
            table.rows.push(Row::new(&format!("{name}: {what}"), who, vec![figure.times(1e6)]));
        };

        let mut owned = State::default();
        owned.replace(old.clone())?;
        owned.flush();
        let mut n = 0_u64;
        let set = seconds(time, || {
            n += 1;
            owned.set(&leaf, n).map(|()| owned.flush())
        });
        row("set and flush, with the patch's text", "hat", set);
        let mut shared = old.clone();
        shared.set(&leaf, 1.5, &limits)?;
        row(SHARED, "hat", seconds(time, || diff(&old, &shared)));
        row(UNSHARED, "hat", seconds(time, || diff(&old, &new)));
        row(UNSHARED, "json-patch", seconds(time, || json_patch::diff(&before, &after)));

        let patch: Patch = diff(&old, &new);
        let mut value = old.clone();
        row(APPLY, "hat", seconds(time, || patch.apply(&mut value, &limits)));
        let theirs = json_patch::diff(&before, &after);
        let mut value = before.clone();
        row(APPLY, "json-patch", seconds(time, || json_patch::patch(&mut value, &theirs)));

        for (what, task) in [(SHARED, "diff"), (UNSHARED, "diff-unshared"), (APPLY, "patch")] {
            let work = format!("{name}: {what}");
            table.rows.push(match bench.programs.python("juggler.py") {
                Ok(python) => {
                    let text = python.with(["micro", task, &size.to_string()]).output()?;
                    let figure = Figure::single(text.trim().parse()?);
                    Row::new(&work, "hat-json", vec![figure.times(1e6)])
                }
                Err(reason) => Row::missing(&work, "hat-json", &reason),
            });
        }
    }
    Ok(table)
}
