//! Medians and spreads, and how they are written.

use std::fmt;

/// A figure over all rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Figure {
    /// Of at least one value.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self {
            least: at(0),
            median: at(values.len() / 2),
            most: at(values.len().saturating_sub(1)),
        }
    }

    /// In another unit, of which there are `factor` in one.
    pub(crate) fn times(self, factor: f64) -> Self {
        let Self { least, median, most } = self;
        Self { least: least * factor, median: median * factor, most: most * factor }
    }

    /// Of a single value, which has no spread.
    pub(crate) fn single(value: f64) -> Self {
        Self { least: value, median: value, most: value }
    }
}

/// `98.1 k (95.0 k–99.9 k)`: the median, and the spread where there is one.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, median, most } = *self;
        if !median.is_finite() {
            return Ok(());
        }
        write!(f, "{}", short(median))?;
        if short(least) != short(most) {
            write!(f, " ({}–{})", short(least), short(most))?;
        }
        Ok(())
    }
}

/// Three digits, and thousands by their letters: `0.25`, `3.14`, `159`, `26.5 k`, `3.59 M`.
pub(crate) fn short(value: f64) -> String {
    let (value, letter) = match value.abs() {
        it if it >= 999.5e6 => (value / 1e9, " G"),
        it if it >= 999.5e3 => (value / 1e6, " M"),
        it if it >= 9_999.5 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let decimals = match value.abs() {
        it if it >= 99.95 => 0,
        it if it >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_letter() {
        let written =
            [0.251, 9.996, 31.41, 999.7, 9_999.0, 26_535.0, 999_600.0, 3.589e6, 2e9].map(short);
        let wanted =
            ["0.25", "10.0", "31.4", "1000", "9999", "26.5 k", "1.00 M", "3.59 M", "2.00 G"];
        assert_eq!(written, wanted);
    }

    #[test]
    fn the_median_stands_before_the_spread() {
        assert_eq!(Figure::of(vec![3.0, 1.0, 2.0]).to_string(), "2.00 (1.00–3.00)");
        assert_eq!(Figure::single(2.0).to_string(), "2.00");
        assert_eq!(Figure::of(vec![]).to_string(), "");
    }
}
