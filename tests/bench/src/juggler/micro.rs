//! Diff and apply in one process: this library, `json-patch`, and `hat-json` in Python.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use comfy_table::Table;
use hat_core::json::{Limits, Patch, Pointer, Value, diff};
use hat_core::juggler::State;
use hat_tests::peers::Environment;

use super::{LEAF, SIZES, state};
use crate::figures::Figure;

/// How long each figure is measured, several times.
const TIME: Duration = Duration::from_millis(100);

pub(super) fn run(python: Option<&Environment>) -> anyhow::Result<Table> {
    let mut table = super::new_table(&["one leaf changed", "state", "µs"]);
    for (name, size) in SIZES {
        let before = state(size);
        let mut after = before.clone();
        *after.pointer_mut(&format!("/{}", LEAF.join("/"))).context("a leaf")? = 1.5.into();
        let (old, new) = (Value::from(before.clone()), Value::from(after.clone()));
        let limits = Limits::default();
        let leaf = Pointer::new(LEAF);
        let mut row = |what: &str, figure: f64| {
            table.add_row([what, name, &format!("{:.1}", figure * 1e6)]);
        };

        let mut owned = State::default();
        owned.replace(old.clone())?;
        owned.flush();
        let mut n = 0_u64;
        row(
            "ours: set and flush, with the patch's text",
            of(|| {
                n += 1;
                owned.set(&leaf, n).map(|()| owned.flush())
            }),
        );
        row("ours: diff of values that share what did not change", {
            let mut shared = old.clone();
            shared.set(&leaf, 1.5, &limits)?;
            of(|| diff(&old, &shared))
        });
        row("ours: diff of values that share nothing", of(|| diff(&old, &new)));
        row("json-patch: diff", of(|| json_patch::diff(&before, &after)));
        if let Some(figure) = in_python(python, "diff", size)? {
            row("hat-json: diff of values that share what did not change", figure);
        }
        if let Some(figure) = in_python(python, "diff-unshared", size)? {
            row("hat-json: diff of values that share nothing", figure);
        }

        let patch: Patch = diff(&old, &new);
        let mut value = old.clone();
        row("ours: apply", of(|| patch.apply(&mut value, &limits)));
        let theirs = json_patch::diff(&before, &after);
        let mut value = before.clone();
        row("json-patch: apply", of(|| json_patch::patch(&mut value, &theirs)));
        if let Some(figure) = in_python(python, "patch", size)? {
            row("hat-json: apply", figure);
        }
    }
    Ok(table)
}

/// Seconds that one call takes: the median of five.
fn of<T>(mut call: impl FnMut() -> T) -> f64 {
    let mut once = || {
        let (start, mut calls) = (Instant::now(), 0_u32);
        while start.elapsed() < TIME {
            black_box(call());
            calls += 1;
        }
        start.elapsed().as_secs_f64() / f64::from(calls)
    };
    Figure::of((0..5).map(|_| once()).collect()).median
}

fn in_python(python: Option<&Environment>, what: &str, size: usize) -> anyhow::Result<Option<f64>> {
    let Some(python) = python else { return Ok(None) };
    let mut script = super::script(python);
    script.args(["micro", what, &size.to_string()]);
    let output = script.output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(Some(String::from_utf8(output.stdout)?.trim().parse()?))
}
