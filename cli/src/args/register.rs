//! The arguments of `hat register`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hat_core::eventer::{EventType, Timestamp};
use hat_server::json;

use super::time::{self, time};
use super::{ConnectArgs, OutputArgs, at_least_one};

#[derive(Debug, Args)]
#[command(after_help = time::HELP)]
pub(crate) struct RegisterArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// The event's type, a/b/c. Without it, events are read from standard input; with --input text,
    /// values or csv, they all have this type.
    #[arg(value_name = "TYPE", value_parser = json::event_type)]
    pub(crate) event_type: Option<EventType>,
    /// The payload, as JSON.
    #[arg(long, value_name = "TEXT", requires = "event_type", conflicts_with_all = ["binary", "file"])]
    pub(crate) json: Option<String>,
    /// The payload is binary, and this is the name of its type.
    #[arg(long, value_name = "NAME", requires = "event_type")]
    pub(crate) binary: Option<String>,
    /// The file with the payload; `-` is standard input, the default.
    #[arg(long, value_name = "PATH", requires = "event_type")]
    pub(crate) file: Option<PathBuf>,
    /// No payload: standard input is not read.
    #[arg(long, requires = "event_type", conflicts_with_all = ["json", "binary", "file", "input"])]
    pub(crate) no_payload: bool,
    /// The source timestamp. On standard input, each event has its own.
    #[arg(long, value_name = "TIME", requires = "event_type", value_parser = time, allow_hyphen_values = true)]
    pub(crate) source_timestamp: Option<Timestamp>,
    /// Print the registered events.
    #[arg(long)]
    pub(crate) response: bool,
    /// The format of the events on standard input. Default without TYPE: jsonl.
    #[arg(long, value_enum, conflicts_with_all = ["json", "binary", "file", "source_timestamp"])]
    pub(crate) input: Option<InputFormat>,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
}

/// What the events of standard input look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// One event per line, as a JSON object.
    Jsonl,
    /// CSV that begins with a line of names: type (unless TYPE is given), source_timestamp,
    /// payload_kind (json or binary), payload_type and payload (JSON or base64), as `--format csv`
    /// prints them. Without a column payload, all other columns become the members of a JSON
    /// object. A type is a/b, or ["a", "b"] if a segment has a slash in it.
    Csv,
    /// One JSON value per line: the payload of an event of TYPE.
    Values,
    /// One text per line: the payload of an event of TYPE, as a JSON string.
    Text,
}

/// How events of standard input are registered.
#[derive(Clone, Debug, Args)]
pub(crate) struct PaceArgs {
    /// The maximum number of lines of standard input in one session. A session has fewer if no more
    /// lines have arrived.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = at_least_one)]
    pub(crate) batch: usize,
    /// The maximum number of events per second.
    #[arg(long, value_name = "EVENTS_PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Continue after a line that is invalid, or that the server does not register. Their number
    /// and line numbers are printed at the end, and the exit code is 2 or 7.
    #[arg(long)]
    pub(crate) keep_going: bool,
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.001..=1e9).contains(rate));
    rate.ok_or_else(|| "write a number of events per second of at least 0.001".into())
}
