//! The stored counts: a line of name and instructions an operation, and what has moved.

use std::fmt;

use anyhow::{Context, Result};

/// How far a count may move, either way, in percent. One that fell by more is stored anew, or it
/// could rise again unseen.
pub const MARGIN: u64 = 5;

/// Instructions an operation, by name, in the order that they were counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What counted them: versions of the compiler and of valgrind. Others count a little
    /// differently.
    pub tools: String,
    /// The counts.
    pub rows: Vec<(String, u64)>,
}

/// A difference between what is stored and what was counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// By more than [`MARGIN`].
    Count {
        /// Which.
        name: String,
        /// As stored.
        was: u64,
        /// As counted.
        is: u64,
    },
    /// Counted and not stored.
    New(String),
    /// Stored and not counted.
    Gone(String),
}

impl Table {
    /// Reads what [`Display`](fmt::Display) wrote.
    ///
    /// # Errors
    ///
    /// Which line is no name and number.
    pub fn parse(text: &str) -> Result<Self> {
        let mut table = Self::default();
        for (index, line) in text.lines().enumerate() {
            if let Some(tools) = line.strip_prefix("# by ") {
                tools.clone_into(&mut table.tools);
            } else if !line.starts_with('#') && !line.trim().is_empty() {
                let row = line.split_whitespace().collect::<Vec<_>>();
                let [name, count] = row[..] else {
                    anyhow::bail!("line {}: a name and a number expected, not {line:?}", index + 1);
                };
                let count =
                    count.parse().with_context(|| format!("line {}: {line:?}", index + 1))?;
                table.rows.push((name.to_owned(), count));
            }
        }
        Ok(table)
    }

    /// The count of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.rows.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// What has moved from here to `now`.
    #[must_use]
    pub fn moved(&self, now: &Self) -> Vec<Difference> {
        let mut moved = Vec::new();
        for (name, is) in &now.rows {
            match self.get(name) {
                None => moved.push(Difference::New(name.clone())),
                Some(was) if was.abs_diff(*is) * 100 > was * MARGIN => {
                    moved.push(Difference::Count { name: name.clone(), was, is: *is });
                }
                Some(_) => {}
            }
        }
        let gone = self.rows.iter().filter(|(name, _)| now.get(name).is_none());
        moved.extend(gone.map(|(name, _)| Difference::Gone(name.clone())));
        moved
    }
}

fn percent(was: u64, is: u64) -> f64 {
    (is as f64 / was.max(1) as f64 - 1.0) * 100.0
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Instructions an operation. Written by: cargo run --profile guard -p hat-guard -- --bless"
        )?;
        writeln!(f, "# by {}", self.tools)?;
        for (name, count) in &self.rows {
            writeln!(f, "{name:<32} {count:>10}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { name, was, is } => {
                let verdict = if is > was { "more work" } else { "less work" };
                write!(
                    f,
                    "{name}: {was} instructions became {is}, {:+.1} %: {verdict}",
                    percent(*was, *is)
                )
            }
            Self::New(name) => write!(f, "{name}: not in the table yet"),
            Self::Gone(name) => write!(f, "{name}: in the table, but nothing counts it any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, u64)]) -> Table {
        let rows = rows.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
        Table { tools: "rustc 1, valgrind 2".to_owned(), rows }
    }

    #[test]
    fn what_is_written_is_read() {
        let table = table(&[("a/b", 1), ("c", 123_456_789_012)]);
        assert_eq!(Table::parse(&table.to_string()).expect("own text"), table);
        let error = Table::parse("a 1\n\nb\n").expect_err("no number");
        assert_eq!(error.to_string(), "line 3: a name and a number expected, not \"b\"");
    }

    #[test]
    fn five_percent_either_way_is_let_pass() {
        let was = table(&[("up", 100), ("down", 100), ("same", 100)]);
        assert_eq!(was.moved(&table(&[("up", 105), ("down", 95), ("same", 100)])), []);
        let moved = was.moved(&table(&[("up", 106), ("down", 94), ("same", 100)]));
        let texts: Vec<_> = moved.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "up: 100 instructions became 106, +6.0 %: more work",
                "down: 100 instructions became 94, -6.0 %: less work",
            ]
        );
    }

    #[test]
    fn rows_that_come_and_go_are_told() {
        let moved = table(&[("old", 1)]).moved(&table(&[("new", 1)]));
        assert_eq!(moved, [Difference::New("new".to_owned()), Difference::Gone("old".to_owned())]);
    }
}
