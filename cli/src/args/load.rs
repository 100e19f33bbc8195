//! The arguments of `hat load` and `hat top`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use hat_core::eventer::EventType;
use hat_server::json;

use super::register::rate;
use super::{ConnectArgs, at_least_one, query_type, seconds};

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Connections, each of which registers one session after the other.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) clients: usize,
    /// How long to register.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Events a second of all connections together. Default: as many as are taken.
    ///
    /// The time of a session is counted from when it was due: what waits behind a slow answer is
    /// slow too.
    #[arg(long, value_name = "EVENTS_PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Events in a session.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) batch: usize,
    /// Event types: TYPE/0, TYPE/1, and so on, one after the other.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = at_least_one)]
    pub(crate) types: usize,
    /// What the types begin with.
    #[arg(long = "type", value_name = "TYPE", default_value = "load", value_parser = json::event_type)]
    pub(crate) prefix: EventType,
    /// Bytes of a payload, a JSON string; 0 is none.
    #[arg(long, value_name = "BYTES", default_value_t = 16)]
    pub(crate) payload: usize,
    /// Subscribe too, and count how long it takes until the events are told.
    #[arg(long)]
    pub(crate) follow: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = LoadFormat::Text)]
    pub(crate) format: LoadFormat,
}

/// How to print what a load came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadFormat {
    /// For people.
    Text,
    /// One JSON object; units are in the names.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// Event types, with `?` and `*`. Without any: all.
    #[arg(value_name = "TYPE", value_parser = query_type)]
    pub(crate) types: Vec<EventType>,
    /// Watch for so long, print the table once, and end: for scripts and for outputs that are no
    /// terminals.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) once: Option<Duration>,
}
