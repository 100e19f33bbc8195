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
    /// values or csv, all of them are of this type.
    #[arg(value_name = "TYPE", value_parser = json::event_type)]
    pub(crate) event_type: Option<EventType>,
    /// The payload, as JSON.
    #[arg(long, value_name = "TEXT", requires = "event_type", conflicts_with_all = ["binary", "file"])]
    pub(crate) json: Option<String>,
    /// The payload is binary, any bytes, and this is what it is called.
    #[arg(long, value_name = "NAME", requires = "event_type")]
    pub(crate) binary: Option<String>,
    /// Where the payload is; `-` is standard input, which it is without this, too.
    #[arg(long, value_name = "PATH", requires = "event_type")]
    pub(crate) file: Option<PathBuf>,
    /// No payload: standard input is not read.
    #[arg(long, requires = "event_type", conflicts_with_all = ["json", "binary", "file", "input"])]
    pub(crate) no_payload: bool,
    /// When it happened. Standard input has a time for each of its events.
    #[arg(long, value_name = "TIME", requires = "event_type", value_parser = time, allow_hyphen_values = true)]
    pub(crate) source_timestamp: Option<Timestamp>,
    /// Print the events as they were registered.
    #[arg(long)]
    pub(crate) response: bool,
    /// What comes on standard input, where that is more than one payload. Default without TYPE:
    /// jsonl.
    #[arg(long, value_enum, conflicts_with_all = ["json", "binary", "file", "source_timestamp"])]
    pub(crate) input: Option<InputFormat>,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
}

/// What the events of standard input look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// An event a line, as a JSON object.
    Jsonl,
    /// CSV with a line of names first: type (or TYPE), source_timestamp, payload_kind (json or
    /// binary), payload_type and payload (JSON, or base64), as `--format csv` prints them. Without
    /// a column payload, all others are the members of a JSON object.
    Csv,
    /// A JSON value a line: the payload of an event of TYPE.
    Values,
    /// A text a line: the payload of an event of TYPE, as a JSON string.
    Text,
}

/// How events of standard input are registered.
#[derive(Clone, Debug, Args)]
pub(crate) struct PaceArgs {
    /// Lines of standard input that may become one session. Fewer do where no more are there yet.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = at_least_one)]
    pub(crate) batch: usize,
    /// Events a second at most.
    #[arg(long, value_name = "EVENTS_PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Go on after a line that is wrong, or that the server does not register. How many there were,
    /// and which, is told at the end; the exit code is 2 or 7 then.
    #[arg(long)]
    pub(crate) keep_going: bool,
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.001..=1e9).contains(rate));
    rate.ok_or_else(|| "write a number of events a second, from 0.001 on".into())
}
