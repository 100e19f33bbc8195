//! What was measured: titled tables of figures, with the machine and the date, for the terminal and
//! as Markdown and JSON.

mod json;
mod machine;
mod plot;
mod text;

use std::fs;
use std::path::Path;

use anyhow::Context;

pub(crate) use self::machine::Machine;
pub(crate) use self::plot::{Plot, SizeIn};
use crate::figures::{Figure, short};

/// All tables of one run of the bench.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// How it was measured: rounds and times.
    pub(crate) how: String,
    pub(crate) tables: Vec<Table>,
}

/// One table: work and who does it, down; figures, across.
pub(crate) struct Table {
    pub(crate) title: String,
    /// What is measured, in a few sentences.
    pub(crate) about: String,
    /// The figures' titles, with their units. Ratios are of the first one.
    pub(crate) columns: Vec<String>,
    /// The contender whose first figure is 1 in the column of ratios; none, no such column.
    pub(crate) reference: Option<String>,
    /// Ratios are of the processor time that a unit of the first figure takes.
    pub(crate) by_cpu: bool,
    /// The plot that is made of it, if one is.
    pub(crate) plot: Option<Plot>,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(title: &str, about: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            about: about.to_owned(),
            columns: columns.iter().map(|&it| it.to_owned()).collect(),
            reference: None,
            by_cpu: false,
            plot: None,
            rows: Vec::new(),
        }
    }

    /// With a column of ratios of the first figure to that of `contender`, of the same work and the
    /// same round.
    pub(crate) fn against(mut self, contender: &str) -> Self {
        self.reference = Some(contender.to_owned());
        self
    }

    /// With a plot.
    pub(crate) fn plotted(mut self, plot: Plot) -> Self {
        self.plot = Some(plot);
        self
    }

    /// A target for a figure by itself: that of the column of this number may be `most` in all rows
    /// of `contender` whose work starts with `work`.
    pub(crate) fn limit(&mut self, work: &str, contender: &str, column: usize, most: f64) {
        self.aim(work, contender, column, |title, it| Target::at_most(most, title, Some(it)));
    }

    /// The other way: it must be `least`.
    pub(crate) fn floor(&mut self, work: &str, contender: &str, column: usize, least: f64) {
        self.aim(work, contender, column, |title, it| Target::at_least(least, title, Some(it)));
    }

    fn aim(
        &mut self,
        work: &str,
        contender: &str,
        column: usize,
        target: impl Fn(&str, f64) -> Target,
    ) {
        let title = &self.columns[column];
        let of_work = |row: &&mut Row| row.contender == contender && row.work.starts_with(work);
        for row in self.rows.iter_mut().filter(of_work) {
            if let Outcome::Measured { figures, targets, .. } = &mut row.outcome {
                targets.push(target(title, figures[column].median));
            }
        }
    }
}

/// What one contender reached in one kind of work.
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) contender: String,
    pub(crate) outcome: Outcome,
}

/// How the reason of a row begins whose contender is here.
pub(crate) const FAILED: &str = "failed: ";

/// Figures, or why there are none.
pub(crate) enum Outcome {
    Measured {
        /// As many as the table has columns; one that is not finite has an empty place.
        figures: Vec<Figure>,
        /// The first figure by that of the table's reference.
        ratio: Option<Figure>,
        targets: Vec<Target>,
    },
    /// "not here: …", or how it failed.
    Missing(String),
}

impl Row {
    /// A row that is measured elsewhere than in [`crate::measure`].
    pub(crate) fn new(work: &str, contender: &str, figures: Vec<Figure>) -> Self {
        let outcome = Outcome::Measured { figures, ratio: None, targets: Vec::new() };
        Self { work: work.to_owned(), contender: contender.to_owned(), outcome }
    }

    /// A row that says why it has no figures.
    pub(crate) fn missing(work: &str, contender: &str, reason: &str) -> Self {
        let outcome = Outcome::Missing(reason.to_owned());
        Self { work: work.to_owned(), contender: contender.to_owned(), outcome }
    }

    /// With a ratio to the table's reference.
    pub(crate) fn with_ratio(mut self, to_reference: Figure) -> Self {
        if let Outcome::Measured { ratio, .. } = &mut self.outcome {
            *ratio = Some(to_reference);
        }
        self
    }

    /// With a target.
    pub(crate) fn with_target(mut self, target: Target) -> Self {
        if let Outcome::Measured { targets, .. } = &mut self.outcome {
            targets.push(target);
        }
        self
    }
}

/// What must be reached, and whether it was.
pub(crate) struct Target {
    /// `≥ 5 × tonic`.
    pub(crate) text: String,
    /// What was measured of it; none, where what it is compared with is missing.
    pub(crate) reached: Option<f64>,
    pub(crate) met: bool,
}

impl Target {
    /// `reached` must be at least `least`.
    pub(crate) fn at_least(least: f64, of: &str, reached: Option<f64>) -> Self {
        let met = reached.is_some_and(|it| it >= least);
        Self { text: format!("≥ {} {of}", rounded(least)), reached, met }
    }

    /// `reached` must be at most `most`.
    pub(crate) fn at_most(most: f64, of: &str, reached: Option<f64>) -> Self {
        let met = reached.is_some_and(|it| it <= most);
        Self { text: format!("≤ {} {of}", rounded(most)), reached, met }
    }
}

/// Without the digits that a division leaves behind, and short where it is large: `0.9`, `2.00 M`.
fn rounded(value: f64) -> String {
    if value < 1e4 { ((value * 1000.0).round() / 1000.0).to_string() } else { short(value) }
}

impl Report {
    /// An empty one, of this machine and now.
    pub(crate) fn new(how: String) -> Self {
        Self { machine: Machine::this(), how, tables: Vec::new() }
    }

    /// What did not run to its end, though it is here.
    pub(crate) fn failures(&self) -> Vec<String> {
        let rows =
            self.tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)));
        let failure = |(table, row): (&Table, &Row)| match &row.outcome {
            Outcome::Missing(reason) if reason.starts_with(FAILED) => {
                Some(format!("{}, {}, {}: {reason}", table.title, row.work, row.contender))
            }
            _ => None,
        };
        rows.filter_map(failure).collect()
    }

    /// For a terminal.
    pub(crate) fn print(&self) {
        print!("{}", text::terminal(self));
    }

    pub(crate) fn write_markdown(&self, file: &Path) -> anyhow::Result<()> {
        write(file, &text::markdown(self))
    }

    /// An SVG for each table that has a plot.
    pub(crate) fn write_plots(&self, folder: &Path) -> anyhow::Result<()> {
        self.tables.iter().try_for_each(|table| plot::write(table, folder))
    }

    pub(crate) fn write_json(&self, file: &Path) -> anyhow::Result<()> {
        write(file, &format!("{:#}\n", json::report(self)))
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
