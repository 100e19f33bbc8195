//! The arguments of `hat export`, `hat import` and `hat replay`.

use std::path::PathBuf;
use std::time::Duration;

use super::query::WhichArgs;
use super::time::{self, while_of};
use super::{ConnectArgs, PaceArgs};
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(after_help = time::HELP)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// The output format: JSON lines, for import and replay, or CSV, for register.
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
}

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One event per line, as a JSON object.
    Jsonl,
    /// CSV that begins with a line of names.
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The output of `export`. Default: standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// What to do with timestamps.
    #[arg(long, value_enum, default_value_t = Times::Original)]
    pub(crate) times: Times,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The output of `export`. Default: standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The speed, as a multiple of the original: 10, or 0.5.
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = speed)]
    pub(crate) speed: f64,
    /// The longest pause, before --speed is applied: 90s, 15m, 1h.
    #[arg(long, value_name = "DURATION", value_parser = pause)]
    pub(crate) max_pause: Option<Duration>,
    /// What to do with timestamps.
    #[arg(long, value_enum, default_value_t = Times::Original)]
    pub(crate) times: Times,
    /// Continue after a line that is invalid, or that the server does not register.
    #[arg(long)]
    pub(crate) keep_going: bool,
}

/// What becomes of the times of an event that was registered before. Its timestamp is always the
/// server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Times {
    /// The source timestamp is kept; if there is none, the old timestamp becomes the source
    /// timestamp.
    Original,
    /// As with original, but moved to the present: as long before the registration as it was
    /// originally.
    Now,
    /// The source timestamp is kept as it is, even if there is none.
    Source,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.001..=1e6).contains(speed));
    speed.ok_or_else(|| "write a speed from 0.001 to 1000000".into())
}

fn pause(text: &str) -> Result<Duration, String> {
    let seconds = while_of(text).filter(|seconds| (0.0..=1e9).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "write a duration such as 500ms, 90s, 15m or 1h".into())
}
