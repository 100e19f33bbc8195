//! Cost against size, as SVG for the guide.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;

use super::{Outcome, Row, Table};

/// What a plot of a table shows, both axes logarithmic.
#[derive(Clone, Copy)]
pub(crate) struct Plot {
    /// The file, without its ending.
    pub(crate) name: &'static str,
    /// What grows to the right.
    pub(crate) size: &'static str,
    /// What costs.
    pub(crate) cost: &'static str,
    /// Where a row has its size; the other name is that of the line.
    pub(crate) size_in: SizeIn,
    /// The columns whose sum is the cost.
    pub(crate) columns: &'static [usize],
}

#[derive(Clone, Copy)]
pub(crate) enum SizeIn {
    Work,
    Contender,
}

const SIZE: (u32, u32) = (760, 420);

/// Of lines that are told apart without colours, too: by their order in the legend and their ends.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0xd6, 0x27, 0x28),
    RGBColor(0x2c, 0xa0, 0x2c),
    RGBColor(0x94, 0x67, 0xbd),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0x55, 0x55, 0x55),
];

/// Points by line, in the order of the rows.
type Lines = Vec<(String, Vec<(f64, f64)>)>;

/// Writes the plot of `table` into `folder`, if it has one.
pub(super) fn write(table: &Table, folder: &Path) -> anyhow::Result<()> {
    let Some(plot) = &table.plot else { return Ok(()) };
    let lines = lines(table, plot);
    let file = folder.join(plot.name).with_extension("svg");
    fs::create_dir_all(folder)?;
    draw(&file, plot, &lines).with_context(|| format!("cannot write {}", file.display()))
}

fn lines(table: &Table, plot: &Plot) -> Lines {
    let mut lines = Lines::new();
    for row in &table.rows {
        let (size, line) = match plot.size_in {
            SizeIn::Work => (&row.work, &row.contender),
            SizeIn::Contender => (&row.contender, &row.work),
        };
        let Some(point) = number(size).zip(cost(row, plot.columns)) else { continue };
        match lines.iter_mut().find(|(name, _)| name == line) {
            Some((_, points)) => points.push(point),
            None => lines.push((line.clone(), vec![point])),
        }
    }
    lines
}

/// None where the row was not measured, or costs nothing that could be counted.
fn cost(row: &Row, columns: &[usize]) -> Option<f64> {
    let Outcome::Measured { figures, .. } = &row.outcome else { return None };
    let sum: f64 = columns.iter().map(|&column| figures[column].median).sum();
    (sum.is_finite() && sum > 0.0).then_some(sum)
}

/// `16 B`, `4 KiB`, `100 000`.
fn number(size: &str) -> Option<f64> {
    let (digits, unit) = match size.find(char::is_alphabetic) {
        Some(at) => size.split_at(at),
        None => (size, ""),
    };
    let factor = match unit {
        "" | "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        _ => return None,
    };
    Some(digits.replace(' ', "").parse::<f64>().ok()? * factor)
}

fn draw(file: &Path, plot: &Plot, lines: &Lines) -> anyhow::Result<()> {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let values = || all().map(of);
        (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max))
    };
    let ((x0, x1), (y0, y1)) = (range(|it| it.0), range(|it| it.1));
    anyhow::ensure!(x0 < x1, "there are no two sizes");
    // whole decades: a line that is level has numbers beside it, too
    let (y0, y1) = (10_f64.powf(y0.log10().floor()), 10_f64.powf((y1 * 1.01).log10().ceil()));
    let sizes: BTreeSet<u64> = all().map(|it| it.0 as u64).collect();
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(40)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(
            (x0..x1).log_scale().with_key_points(sizes.iter().map(|it| *it as f64).collect()),
            (y0..y1).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc(plot.size)
        .y_desc(plot.cost)
        .x_label_formatter(&|x| written(*x))
        .y_label_formatter(&|y| crate::figures::short(*y))
        .draw()?;
    for ((name, points), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
    }
    if lines.len() > 1 {
        let mut legend = chart.configure_series_labels();
        legend.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).draw()?;
    }
    Ok(root.present()?)
}

fn written(size: f64) -> String {
    let in_units = |unit: f64| (size >= unit && size % unit == 0.0).then_some(size / unit);
    match (in_units(1_048_576.0), in_units(1_024.0)) {
        (Some(count), _) => format!("{count} Mi"),
        (_, Some(count)) => format!("{count} Ki"),
        _ if size >= 1e6 => format!("{} M", size / 1e6),
        _ if size >= 1e3 => format!("{} k", size / 1e3),
        _ => size.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figure;

    #[test]
    fn sizes_are_read_as_the_tables_write_them() {
        let read = ["16 B", "4 KiB", "1 MiB", "12 500", "fast"].map(number);
        assert_eq!(read, [Some(16.0), Some(4096.0), Some(1048576.0), Some(12500.0), None]);
    }

    #[test]
    fn a_plot_has_a_line_for_each_name_and_leaves_out_what_was_not_measured() {
        let plot = Plot {
            name: "cost",
            size: "bytes",
            cost: "µs",
            size_in: SizeIn::Work,
            columns: &[0, 1],
        };
        let mut table = Table::new("", "", &["a", "b"]).plotted(plot);
        let figures = |value| vec![Figure::single(value), Figure::single(1.0)];
        table.rows.push(Row::new("16 B", "hat", figures(2.0)));
        table.rows.push(Row::new("4 KiB", "hat", figures(3.0)));
        table.rows.push(Row::missing("4 KiB", "other", "not here"));
        let lines = lines(&table, &plot);
        assert_eq!(lines, [("hat".to_owned(), vec![(16.0, 3.0), (4096.0, 4.0)])]);
        let folder = std::env::temp_dir().join(format!("hat-plot-{}", std::process::id()));
        write(&table, &folder).expect("written");
        let text = fs::read_to_string(folder.join("cost.svg")).expect("there");
        assert!(text.contains("polyline") && text.contains("bytes"), "{text}");
        fs::remove_dir_all(folder).expect("removed");
    }
}
