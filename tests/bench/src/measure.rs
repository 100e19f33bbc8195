//! The one loop that measures: contenders in turn within each round, each a server and a client of
//! its own.
//!
//! ```text
//! round 1:  raw TCP   hat on Tokio   tonic   …       noise of the machine hits all alike,
//! round 2:  raw TCP   hat on Tokio   tonic   …       and ratios are of the same round
//! ```

use std::collections::HashMap;

use anyhow::Context;

use crate::contenders::{Contender, Sides};
use crate::figures::Figure;
use crate::process::{Process, Usage};
use crate::report::{FAILED, Row, Table, Target};

/// What one run of one contender came to.
pub(crate) struct Run {
    numbers: HashMap<String, f64>,
    /// Used by the server while the client measured, and the memory that it grew by; its peak is
    /// since its start. Nothing, where there is none.
    pub(crate) server: Usage,
    /// The same of the client.
    pub(crate) client: Usage,
}

impl Run {
    /// What the client printed under `name`; not a number where it printed no such thing.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.numbers.get(name).copied().unwrap_or(f64::NAN)
    }

    /// `name` in a second, by the client's clock.
    pub(crate) fn rate(&self, name: &str) -> f64 {
        self.get(name) / self.get("seconds")
    }

    /// Processor time of both sides for one of what `rate` counts in a second.
    fn cpu_of_one(&self, rate: Of) -> f64 {
        (self.client.cpu + self.server.cpu) / (rate(self) * self.get("seconds"))
    }
}

/// Bytes.
pub(crate) const MIB: f64 = 1024.0 * 1024.0;

/// A figure of a run: a column of a table.
pub(crate) type Of = fn(&Run) -> f64;

/// One kind of work, measured and compared.
pub(crate) struct Work<'a> {
    pub(crate) name: String,
    pub(crate) contenders: Vec<Contender>,
    /// As many as the table has columns; the first is what is compared.
    pub(crate) columns: &'a [Of],
    /// The first figure is better the lower it is: a time.
    pub(crate) lower_is_better: bool,
    pub(crate) goals: Vec<Goal>,
}

/// How often everything runs, and what is compared then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    /// Ratios and goals are of the processor time that both sides together take for what the first
    /// figure counts, where that is a rate: other work on the machine changes it least.
    pub(crate) by_cpu: bool,
}

impl Rounds {
    /// For figures that are the same each time.
    pub(crate) const ONE: Self = Self { count: 1, by_cpu: false };

    pub(crate) fn at_most(self, most: usize) -> Self {
        Self { count: self.count.min(most), ..self }
    }
}

/// What a contender must reach.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) contender: &'static str,
    /// Its first figure is to be at least, or where lower is better at most, so many times …
    pub(crate) factor: f64,
    /// … that of this contender in the same rounds.
    pub(crate) than: &'static str,
}

/// The runs of one contender, one a round; or why there are none.
type Runs = Result<Vec<Run>, String>;

/// Measures a kind of work in `rounds`, and adds a row for each contender.
pub(crate) fn measure(table: &mut Table, work: &Work, rounds: Rounds) {
    let all = run_all(work, rounds.count);
    eprintln!("{}, {}: done", table.title, work.name);
    let by_cpu = rounds.by_cpu && !work.lower_is_better;
    table.by_cpu |= by_cpu;
    let compared = |run: &Run| match by_cpu {
        true => run.cpu_of_one(work.columns[0]),
        false => (work.columns[0])(run),
    };
    // what is compared, by round
    let of = |runs: &Runs| Some(runs.as_ref().ok()?.iter().map(compared).collect());
    let names = work.contenders.iter().map(|contender| contender.name);
    let values = names.zip(&all).filter_map(|(name, runs)| Some((name, of(runs)?))).collect();
    let compared = Compared { values, lower_is_better: work.lower_is_better || by_cpu };
    for (contender, runs) in work.contenders.iter().zip(&all) {
        let row = match runs {
            Ok(runs) => row(contender.name, runs, work, table.reference.as_deref(), &compared),
            Err(reason) => Row::missing(&work.name, contender.name, reason),
        };
        table.rows.push(row);
    }
}

/// What is compared of each contender, by round.
struct Compared<'a> {
    values: HashMap<&'a str, Vec<f64>>,
    lower_is_better: bool,
}

/// Every contender in turn within each round; one that has failed is left out from then on.
fn run_all(work: &Work, rounds: usize) -> Vec<Runs> {
    let start = |contender: &Contender| match &contender.sides {
        Ok(_) => Ok(Vec::new()),
        Err(reason) => Err(reason.clone()),
    };
    let mut all: Vec<Runs> = work.contenders.iter().map(start).collect();
    for _ in 0..rounds.max(1) {
        for (contender, runs) in work.contenders.iter().zip(&mut all) {
            let (Ok(sides), Ok(so_far)) = (&contender.sides, &mut *runs) else { continue };
            match run(sides) {
                Ok(run) => so_far.push(run),
                Err(error) => *runs = Err(format!("{FAILED}{error:#}")),
            }
        }
    }
    all
}

/// The row of a contender that was measured.
fn row(
    name: &str,
    runs: &[Run],
    work: &Work,
    reference: Option<&str>,
    compared: &Compared<'_>,
) -> Row {
    let columns = work.columns.iter().map(|&of| Figure::of(runs.iter().map(of).collect()));
    let mut row = Row::new(&work.name, name, columns.collect());
    let ratio_to = |other: &str| {
        let rounds = compared.values.get(name)?.iter().zip(compared.values.get(other)?);
        Some(Figure::of(rounds.map(|(own, other)| own / other).collect()))
    };
    if let Some(ratio) = reference.and_then(ratio_to) {
        row = row.with_ratio(ratio);
    }
    for goal in work.goals.iter().filter(|goal| goal.contender == name) {
        let ratio = ratio_to(goal.than).map(|ratio| ratio.median);
        let of = format!("× {}", goal.than);
        row = row.with_target(match (compared.lower_is_better, work.lower_is_better) {
            (false, _) => Target::at_least(goal.factor, &of, ratio),
            (true, true) => Target::at_most(goal.factor, &of, ratio),
            // a rate was to be so many times as high: one may take as much less time
            (true, false) => Target::at_most(1.0 / goal.factor, &of, ratio),
        });
    }
    row
}

/// One run: a server, where there is one, and a client that is told the server's port.
fn run(sides: &Sides) -> anyhow::Result<Run> {
    let server = sides.server.as_ref().map(Process::start).transpose().context("the server")?;
    let line = server.as_ref().map(Process::line).transpose().context("the server")?;
    let line = line.unwrap_or_else(|| "0".to_owned());
    let port: u16 = line.trim().parse().with_context(|| format!("the server's port: `{line}`"))?;
    let used = || server.as_ref().map(Process::used).unwrap_or_default();
    let mut client = Process::start(&(sides.client)(port)).context("the client")?;
    let line = client.line().context("the client")?;
    anyhow::ensure!(line == "ready", "the client says `{line}` instead of `ready`");
    let before = (used(), client.used());
    client.say("go").context("the client")?;
    let line = client.line().context("the client")?;
    let since = |before: Usage, after: Usage| Usage {
        cpu: after.cpu - before.cpu,
        peak: after.peak,
        resident: after.resident - before.resident,
    };
    let (of_server, of_client) = (used(), client.used());
    let number = |field: &str| {
        let (name, number) = field.split_once('=')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    let numbers = line.split_whitespace().map(number).collect::<Option<_>>();
    Ok(Run {
        numbers: numbers.with_context(|| format!("the client's numbers: `{line}`"))?,
        server: since(before.0, of_server),
        client: since(before.1, of_client),
    })
}
