//! The arguments of `hat subscribe`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hat_aio::Address;
use hat_core::eventer::{EventId, EventType, Timestamp};

use super::query::event_id;
use super::time::{self, time};
use super::{ConnectArgs, OutputArgs, query_type, seconds};

#[derive(Debug, Args)]
#[command(after_help = time::HELP)]
pub(crate) struct SubscribeArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Event types, `a/b/c`: `?` is any one segment, `*` at the end any number of segments.
    /// Default: all events.
    #[arg(value_name = "TYPE", value_parser = query_type)]
    pub(crate) types: Vec<EventType>,
    /// Only events of this server.
    #[arg(long, value_name = "ID")]
    pub(crate) server_id: Option<i64>,
    /// Print events once they are persisted, instead of as soon as they are registered.
    #[arg(long)]
    pub(crate) persisted: bool,
    /// Print the last COUNT earlier events first, oldest first.
    #[arg(long, value_name = "COUNT", group = "begin")]
    pub(crate) last: Option<usize>,
    /// Print the events registered since this time first.
    #[arg(long, value_name = "TIME", group = "begin", value_parser = time, allow_hyphen_values = true)]
    pub(crate) from: Option<Timestamp>,
    /// Print the events that its server registered after this event first: server,session,instance.
    /// Repeat the option for several servers. `1,0,0` is before the first event of server 1.
    #[arg(long, value_name = "ID", group = "begin", value_parser = event_id)]
    pub(crate) after: Vec<EventId>,
    /// Continue where the last run with this file stopped: no event is missing; if some may be,
    /// standard error says why.
    ///
    /// The first run creates the file, and begins as --last, --from or --after say, or with the
    /// events registered from then on. The file is replaced as a whole each time that all events
    /// that have arrived are printed, and on the disk or taken by who reads the pipe. The events
    /// since then may be printed again by the next run, where this one or its reader was killed.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// End after this many events.
    #[arg(long)]
    pub(crate) count: Option<usize>,
    /// End when no event has arrived for this long since the first connection. With --count, the
    /// exit code is 9 if fewer events have arrived. If there is no connection within --timeout and
    /// 2 s, or within this time if that is longer, the exit code is 3.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Also print the server's status, initially and at every change.
    #[arg(long)]
    pub(crate) status: bool,
    /// Connect again whenever the connection ends, and print the events that were missed, as far as
    /// the server still has them.
    ///
    /// The delay between attempts grows from half a second to half a minute, and each attempt is
    /// reported on standard error. Only a server that rejects the client ends the command.
    #[arg(long)]
    pub(crate) reconnect: bool,
    /// With --reconnect: where the same events are, too, as in --connect: the other nodes of a
    /// cluster, say. Repeat the option for several. Each attempt is made at the next address.
    #[arg(long, value_name = "ADDRESS", requires = "reconnect")]
    pub(crate) alternative: Vec<Address>,
}
