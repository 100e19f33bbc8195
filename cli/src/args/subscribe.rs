//! The arguments of `hat subscribe`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
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
    /// Event types, `a/b/c`: `?` is any one segment, `*` at the end any number of them. Without
    /// any: all events.
    #[arg(value_name = "TYPE", value_parser = query_type)]
    pub(crate) types: Vec<EventType>,
    /// Only events of this server.
    #[arg(long, value_name = "ID")]
    pub(crate) server_id: Option<i64>,
    /// Events once they are stored for good, instead of as soon as they are registered.
    #[arg(long)]
    pub(crate) persisted: bool,
    /// First the last so many events that were registered before, the oldest of them first.
    #[arg(long, value_name = "COUNT", group = "begin")]
    pub(crate) last: Option<usize>,
    /// First the events that were registered since this time.
    #[arg(long, value_name = "TIME", group = "begin", value_parser = time, allow_hyphen_values = true)]
    pub(crate) from: Option<Timestamp>,
    /// First what its server registered after this event: server,session,instance. More than once:
    /// of several servers. `1,0,0` is before the first of server 1.
    #[arg(long, value_name = "ID", group = "begin", value_parser = event_id)]
    pub(crate) after: Vec<EventId>,
    /// Go on where the last run stopped that used this file: no event is missing, and none comes
    /// twice, or standard error says why some may be.
    ///
    /// The file is made by the first run, which begins as --last, --from or --after say, or with
    /// what is registered from then on. It is replaced as a whole whenever events have been printed
    /// and no more are there yet. A run that is killed while it prints may print those again that
    /// it printed since.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// End after so many events.
    #[arg(long)]
    pub(crate) count: Option<usize>,
    /// End when no event has come for so long. With --count, where fewer have come, the exit code
    /// is 9.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Print the server's status too, first and at every change.
    #[arg(long)]
    pub(crate) status: bool,
    /// Connect again whenever the connection ends, and print what was missed, as far as the server
    /// still has it.
    ///
    /// Each try waits longer, from half a second to half a minute, and is told on standard error.
    /// Only a server that rejects the client ends the command.
    #[arg(long)]
    pub(crate) reconnect: bool,
}
