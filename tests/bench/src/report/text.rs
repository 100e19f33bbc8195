//! Tables for people: in a terminal, and in Markdown, which is the same in other clothes.

use std::fmt::Write;

use super::{Outcome, Report, Row, Table, Target};
use crate::figures::short;

pub(super) fn terminal(report: &Report) -> String {
    let mut text = format!("{}\n{}\n", report.machine.text(), report.how);
    for table in &report.tables {
        let grid = grid(table, comfy_table::presets::UTF8_FULL_CONDENSED);
        // into a string, which takes everything
        let _ = write!(text, "\n{}\n{}\n{grid}\n", table.title, table.about);
    }
    text
}

pub(super) fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Figures\n\nWritten by `cargo run --release -p hat-bench`; what the columns say is in its [README](README.md).\n\n\
         {}. {}\n",
        report.machine.text(),
        report.how
    );
    for table in &report.tables {
        let grid = grid(table, comfy_table::presets::ASCII_MARKDOWN);
        let _ = write!(text, "\n## {}\n\n{}\n\n{grid}\n", table.title, table.about);
    }
    text
}

fn grid(table: &Table, style: comfy_table::TableStyle) -> comfy_table::Table {
    let mut grid = comfy_table::Table::new();
    grid.load_style(style);
    let mut header = vec!["work".to_owned(), "who".to_owned()];
    header.extend(table.columns.iter().cloned());
    let of = if table.by_cpu { ", processor time" } else { "" };
    header.extend(table.reference.iter().map(|it| format!("× {it}{of}")));
    let targets = table.rows.iter().any(|row| !targets_of(row).is_empty());
    header.extend(targets.then(|| "target".to_owned()));
    let width = header.len();
    grid.set_header(header);
    for row in &table.rows {
        let mut cells = vec![row.work.clone(), row.contender.clone()];
        match &row.outcome {
            Outcome::Missing(reason) => cells.push(reason.clone()),
            Outcome::Measured { figures, ratio, .. } => {
                cells.extend(figures.iter().map(ToString::to_string));
                if table.reference.is_some() {
                    cells.push(ratio.map_or_else(String::new, |it| it.to_string()));
                }
                let targets: Vec<_> = targets_of(row).iter().map(target).collect();
                cells.push(targets.join("; "));
            }
        }
        cells.resize(width, String::new());
        grid.add_row(cells);
    }
    grid
}

fn targets_of(row: &Row) -> &[Target] {
    match &row.outcome {
        Outcome::Measured { targets, .. } => targets,
        Outcome::Missing(_) => &[],
    }
}

/// `≥ 5 × tonic: 7.21, met`.
fn target(target: &Target) -> String {
    let Target { text, reached, met } = target;
    match reached {
        None => format!("{text}: not measured"),
        Some(it) => format!("{text}: {}, {}", short(*it), if *met { "met" } else { "MISSED" }),
    }
}
