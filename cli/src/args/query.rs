//! The arguments of `hat query`.

use clap::{Args, Subcommand, ValueEnum};
use hat_core::eventer::{EventId, EventType, Order, OrderBy, Timestamp};

use super::time::{self, time};
use super::{ConnectArgs, OutputArgs, query_type};

#[derive(Debug, Subcommand)]
pub(crate) enum QueryCommand {
    /// The latest event of every type.
    Latest(LatestArgs),
    /// Events in order of their timestamps.
    #[command(after_help = time::HELP)]
    Timeseries(Box<TimeseriesArgs>),
    /// The events of one server, in the order in which it
    /// registered them.
    Server(ServerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LatestArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Event types, with `?` and `*`. Default: all events.
    #[arg(value_name = "TYPE", value_parser = query_type)]
    pub(crate) types: Vec<EventType>,
}

#[derive(Debug, Args)]
pub(crate) struct TimeseriesArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// The earliest source timestamp, inclusive.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub(crate) source_from: Option<Timestamp>,
    /// The latest source timestamp, inclusive.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub(crate) source_to: Option<Timestamp>,
    /// The order of the events.
    #[arg(long, value_enum, default_value_t = OrderName::Desc)]
    pub(crate) order: OrderName,
    /// The timestamp to order by. By the source timestamp, events without one are omitted.
    #[arg(long, value_enum, default_value_t = OrderByName::Timestamp)]
    pub(crate) order_by: OrderByName,
}

/// [`Order`], as it is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OrderName {
    /// Newest first.
    #[value(alias = "descending")]
    Desc,
    /// Oldest first.
    #[value(alias = "ascending")]
    Asc,
}

impl From<OrderName> for Order {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::Desc => Self::Descending,
            OrderName::Asc => Self::Ascending,
        }
    }
}

/// [`OrderBy`], as it is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OrderByName {
    /// When the server registered the event.
    Timestamp,
    /// When the event happened, according to its source.
    #[value(name = "source_timestamp", alias = "source-timestamp", alias = "sourceTimestamp")]
    SourceTimestamp,
}

impl From<OrderByName> for OrderBy {
    fn from(name: OrderByName) -> Self {
        match name {
            OrderByName::Timestamp => Self::Timestamp,
            OrderByName::SourceTimestamp => Self::SourceTimestamp,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// The server's id.
    #[arg(long, value_name = "ID", default_value_t = 1)]
    pub(crate) server_id: i64,
    /// Only persisted events.
    #[arg(long)]
    pub(crate) persisted: bool,
}

/// Which events: their types, and when they were registered.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Event types, with `?` and `*`. Default: all events.
    #[arg(value_name = "TYPE", value_parser = query_type)]
    pub(crate) types: Vec<EventType>,
    /// The earliest timestamp, inclusive.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub(crate) from: Option<Timestamp>,
    /// The latest timestamp, inclusive.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub(crate) to: Option<Timestamp>,
}

/// How much of an answer.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PageArgs {
    /// The maximum number of events in a response, and in each page of --all. The server has its
    /// own limit.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) max_results: Option<i64>,
    /// Start after this event: server,session,instance.
    #[arg(long, value_name = "ID", value_parser = event_id)]
    pub(crate) last_event_id: Option<EventId>,
    /// Query page after page until no events follow, and print each page as it arrives.
    #[arg(long)]
    pub(crate) all: bool,
}

pub(super) fn event_id(text: &str) -> Result<EventId, String> {
    let wrong = || "write three numbers: server,session,instance".to_owned();
    let mut parts = text.split(',').map(|part| part.trim().parse::<i64>().map_err(|_| wrong()));
    let mut part = || parts.next().unwrap_or_else(|| Err(wrong()));
    let id = EventId::new(part()?, part()?, part()?);
    if parts.next().is_some() { Err(wrong()) } else { Ok(id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids() {
        assert_eq!(event_id("1,2, 3"), Ok(EventId::new(1, 2, 3)));
        for wrong in ["", "1,2", "1,2,3,4", "a,b,c", "1.2.3"] {
            assert!(event_id(wrong).is_err(), "{wrong}");
        }
    }
}
