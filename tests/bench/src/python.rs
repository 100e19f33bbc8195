//! The Python package against the deployed modules: by the same calls of the same API, both ends in
//! one process and one event loop, or with the whole event server as a process of its own.
//!
//! What is measured stands in `python/bench/bench.py`, and runs in Python.

use hat_tests::peers::package::{self, command, succeed};
use serde_json::Value;

use crate::Bench;
use crate::figures::Figure;
use crate::report::{FAILED, Row, Table, Target};

const DEPLOYED: &str = "deployed";
const OURS: &str = "hat-native";

pub(crate) fn tables(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let python = package::installed(package::TODAY.0, package::TODAY.1);
    let mut tables = Vec::new();
    for event_loop in ["asyncio", "uvloop"] {
        let about = "The same calls of the same API, with the deployed modules and with ours in turns, both ends in one process and one event loop; of \
                     `hat-event-server`, the server is a process of its own, and its clients are ours for both.";
        let mut table = Table::new(&format!("Python, {event_loop}"), about, &["a second"]);
        table.reference = Some(DEPLOYED.to_owned());
        let output = python.clone().and_then(|python| {
            let mut run = command(python);
            run.current_dir(package::FOLDER).args([
                "bench/bench.py",
                "--json",
                "--loop",
                event_loop,
            ]);
            run.args(["--rounds", &bench.rounds.count.to_string()]);
            succeed(run.args(bench.quick.then_some("--quick")), "python/bench/bench.py")
        });
        match output {
            Ok(output) => {
                for line in output.lines() {
                    table.rows.extend(rows(&serde_json::from_str(line)?));
                }
            }
            Err(error) => {
                let reason = error.lines().last().unwrap_or_default();
                table.rows.push(Row::missing("all", OURS, &format!("{FAILED}{reason}")));
            }
        }
        tables.push(table);
    }
    Ok(tables)
}

/// Both rows of a line of the script.
fn rows(line: &Value) -> [Row; 2] {
    let figures = |of: &str| -> Vec<f64> {
        line[of].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let (theirs, ours) = (figures("theirs"), figures("ours"));
    let ratio = Figure::of(ours.iter().zip(&theirs).map(|(our, their)| our / their).collect());
    let unit = line["unit"].as_str().unwrap_or_default();
    let work = format!("{}, {unit}", line["work"].as_str().unwrap_or_default());
    let least = line["target"].as_f64().unwrap_or_default();
    let target = Target::at_least(least, &format!("× {DEPLOYED}"), Some(ratio.median));
    [
        Row::new(&work, DEPLOYED, vec![Figure::of(theirs)]).with_ratio(Figure::single(1.0)),
        Row::new(&work, OURS, vec![Figure::of(ours)]).with_ratio(ratio).with_target(target),
    ]
}
