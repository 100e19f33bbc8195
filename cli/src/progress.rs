//! How far something is, for a person who looks: on standard error, and nothing where that is no
//! terminal.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Whether somebody looks. What `prints` its result to the same terminal shows no progress: the
/// lines come between.
pub(crate) fn is_shown(prints: bool) -> bool {
    io::stderr().is_terminal() && !(prints && io::stdout().is_terminal())
}

/// A bar that is full at `total`.
pub(crate) fn bar(shown: bool, total: u64, template: &str) -> ProgressBar {
    match shown {
        true => ProgressBar::new(total).with_style(styled(template)),
        false => ProgressBar::hidden(),
    }
}

/// What turns, where nobody knows how much there is.
pub(crate) fn spinner(shown: bool, template: &str) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_style(styled(template));
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}

/// Events of `total`, which are `checked` or `copied`.
pub(crate) fn events_of(prints: bool, total: u64, what: &'static str) -> ProgressBar {
    let template = "{wide_bar} {pos} of {len} events {msg} in {elapsed}, {eta} left";
    let bar = bar(is_shown(prints), total, template).with_message(what);
    // there from the beginning, also where it is full at once
    bar.tick();
    bar
}

/// Events, which are `imported` or `exported`.
pub(crate) fn events(prints: bool, what: &'static str) -> ProgressBar {
    let template = "{spinner} {pos} events {msg} in {elapsed}, {per_sec}";
    spinner(is_shown(prints), template).with_message(what)
}

fn styled(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
