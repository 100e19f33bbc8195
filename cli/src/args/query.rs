//! The arguments of `hat query`.

use clap::{Args, Subcommand};
use hat_core::eventer::{EventId, EventType, Order, OrderBy, Timestamp};

use super::{ConnectArgs, OutputArgs, query_type};

#[derive(Debug, Subcommand)]
pub(crate) enum QueryCommand {
    /// The latest event of every type.
    Latest(LatestArgs),
    /// Events in the order of time.
    Timeseries(Box<TimeseriesArgs>),
    /// What one server registered, in that order.
    Server(ServerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LatestArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Event types, with `?` and `*`. Without any: all.
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
    /// Event types, with `?` and `*`. Without any: all.
    #[arg(value_name = "TYPE", value_parser = query_type)]
    pub(crate) types: Vec<EventType>,
    /// The earliest timestamp, inclusive: RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// The latest timestamp, inclusive.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,
    /// The earliest source timestamp, inclusive.
    #[arg(long, value_name = "TIME")]
    pub(crate) source_from: Option<Timestamp>,
    /// The latest source timestamp, inclusive.
    #[arg(long, value_name = "TIME")]
    pub(crate) source_to: Option<Timestamp>,
    /// Newest first, or oldest first: descending, ascending.
    #[arg(long, default_value_t = Order::Descending)]
    pub(crate) order: Order,
    /// Which timestamp orders: timestamp, sourceTimestamp. By the latter, events without one are
    /// left out.
    #[arg(long, default_value_t = OrderBy::Timestamp)]
    pub(crate) order_by: OrderBy,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Which server.
    #[arg(long, value_name = "ID", default_value_t = 1)]
    pub(crate) server_id: i64,
    /// Only what is stored for good.
    #[arg(long)]
    pub(crate) persisted: bool,
}

/// How much of an answer.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PageArgs {
    /// The most events in an answer. The server has a limit of its own.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) max_results: Option<i64>,
    /// Start after this event: server,session,instance.
    #[arg(long, value_name = "ID", value_parser = event_id)]
    pub(crate) last_event_id: Option<EventId>,
    /// Ask again until nothing follows.
    #[arg(long)]
    pub(crate) all: bool,
}

fn event_id(text: &str) -> Result<EventId, String> {
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
