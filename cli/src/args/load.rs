//! The arguments of `hat load` and `hat top`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use hat_core::eventer::EventType;
use hat_server::json;

use super::register::rate;
use super::{ConnectArgs, at_least_one, limited, query_type, seconds};

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The number of connections; each registers one session after another. At most 100000.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clients)]
    pub(crate) clients: usize,
    /// How long to register.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Events per second, over all connections. Default: as many as
    /// the server accepts.
    ///
    /// The time of a session is measured from when it was due, so a session that waits for a slow
    /// response counts as slow, too.
    #[arg(long, value_name = "EVENTS_PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// The number of events in a session, at most 1000000.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = batch)]
    pub(crate) batch: usize,
    /// The number of event types: TYPE/0, TYPE/1, and so on, in turn.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = at_least_one)]
    pub(crate) types: usize,
    /// The beginning of the event types.
    #[arg(long = "type", value_name = "TYPE", default_value = "load", value_parser = json::event_type)]
    pub(crate) prefix: EventType,
    /// The size of the payload, a JSON string, in bytes, at most 67108864 (64 MiB); 0 means no
    /// payload.
    #[arg(long, value_name = "BYTES", default_value_t = 16, value_parser = payload)]
    pub(crate) payload: usize,
    /// Also subscribe, and measure the time until the events are notified.
    #[arg(long)]
    pub(crate) follow: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t = LoadFormat::Text)]
    pub(crate) format: LoadFormat,
}

/// More than one system has ports for.
fn clients(text: &str) -> Result<usize, String> {
    limited(text, 1..=100_000)
}

/// At the slowest rate, and with as many clients as there may be, times of sessions are numbers of
/// seconds that there are.
fn batch(text: &str) -> Result<usize, String> {
    limited(text, 1..=1_000_000)
}

/// What a message may hold.
fn payload(text: &str) -> Result<usize, String> {
    limited(text, 0..=64 * 1024 * 1024)
}

/// How to print what a load came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadFormat {
    /// Text for people.
    Text,
    /// One JSON object, with units in the names.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Event types, with `?` and `*`. Default: all events.
    #[arg(value_name = "TYPE", value_parser = query_type)]
    pub(crate) types: Vec<EventType>,
    /// Watch for this long, print the table once, and end: for scripts and for output that is not a
    /// terminal.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) once: Option<Duration>,
}
