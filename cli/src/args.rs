//! What may be written on the command line.

mod connect;
mod cotp;
mod query;
mod redundancy;
mod store;
mod tls;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use hat_aio::Address;
use hat_core::eventer::{EventType, Subscription, SubscriptionError, Timestamp};

use hat_server::json;

use crate::exit;

/// Where the deployed event server listens for clients.
const ADDRESS: &str = "127.0.0.1:23012";

/// Event servers and clients of the Hat protocols.
#[derive(Debug, Parser)]
#[command(name = "hat", version, after_help = exit::HELP, arg_required_else_help = false)]
pub(crate) struct Args {
    /// The async runtime under the command.
    #[arg(long, global = true, value_enum, default_value_t = RuntimeName::Tokio)]
    pub(crate) runtime: RuntimeName,
    /// Logs on standard error: -v clients, -vv connections, -vvv messages. Otherwise RUST_LOG
    /// decides.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RuntimeName {
    Tokio,
    Smol,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an event server that keeps its events on a disk with --store, else in memory only.
    ///
    /// Prints `listening on HOST:PORT` on standard error. Ctrl-C tells all clients the status
    /// `stopping`, sends what is left to send, and ends. A client without a token is taken; one
    /// with a token only if it is the server's. Without --store events count as persisted as soon
    /// as they are registered, and are gone when the server ends. With --monitor the server is one
    /// of a group, of which one is active.
    Serve(ServeArgs),
    /// Print events as they are registered, until Ctrl-C.
    Subscribe(SubscribeArgs),
    /// Register one event, or those that come as JSON lines on standard input.
    ///
    /// A line is an object with `type` ("a/b" or ["a", "b"]), and optionally `source_timestamp`
    /// (RFC 3339, [seconds, microseconds] or null) and `payload` ({"kind": "json", "data": ...},
    /// {"kind": "binary", "type": TEXT, "data": BASE64} or null). The lines that `subscribe` and
    /// `query` print will do: `id` and `timestamp` are the server's, and left out here. The command
    /// ends when the server has answered for every event.
    Register(RegisterArgs),
    /// Print events that were registered.
    #[command(subcommand, arg_required_else_help = false)]
    Query(QueryCommand),
    /// Print the server's status.
    Status(StatusArgs),
    /// Try ISO transport (COTP over TPKT) peers, or be one.
    #[command(subcommand, arg_required_else_help = false)]
    Cotp(CotpCommand),
    /// Look after the store of `hat serve --store DIR`, while no server uses it.
    #[command(subcommand, arg_required_else_help = false)]
    Store(StoreCommand),
    /// Run a server, feed it this machine's load, memory and network counters, and follow them.
    Demo(DemoArgs),
}

pub(crate) use connect::ConnectArgs;
pub(crate) use cotp::{CotpCommand, EchoArgs, ProbeArgs};
pub(crate) use query::{PageArgs, QueryCommand};
pub(crate) use redundancy::RedundancyArgs;
pub(crate) use store::{KeepArgs, StoreCommand};
pub(crate) use tls::{ClientTlsArgs, TlsArgs};
pub(crate) use web::WebArgs;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// JSON lines.
    Json,
    /// For people.
    Table,
}

#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct OutputArgs {
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Where to listen: host:port. Port 0 is any free one. With --tls-cert connections are those of
    /// TLS.
    #[arg(long, value_name = "ADDRESS", default_value = ADDRESS)]
    pub(crate) listen: Address,
    /// The server's number, the first part of every event's id.
    #[arg(long, value_name = "ID", default_value_t = 1)]
    pub(crate) server_id: i64,
    /// The secret that a client may not get wrong.
    #[arg(long, env = "HAT_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Events to keep; beyond that the oldest are forgotten, but for the latest of each type.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub(crate) max_events: usize,
    /// Types whose latest event is kept; beyond that those are forgotten that were registered last
    /// the longest ago.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub(crate) max_types: usize,
    /// Events in one answer, also where more are asked for.
    #[arg(long, value_name = "COUNT", default_value_t = 4_096, value_parser = at_least_one)]
    pub(crate) max_results: usize,
    /// Register no events of the server itself: that its engine has started, that a client has come
    /// or is gone.
    #[arg(long)]
    pub(crate) no_own_events: bool,
    /// Where the numbers of sessions go on: above the clock in microseconds, so that none is given
    /// twice whatever becomes of the store, or after what is stored.
    #[arg(long, value_enum, default_value_t = Numbering::Clock)]
    pub(crate) numbering: Numbering,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) redundancy: RedundancyArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) web: WebArgs,
}

/// Where session numbers go on.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Numbering {
    /// Above what is stored, and above the clock.
    Clock,
    /// After what is stored.
    Stored,
}

#[derive(Debug, ClapArgs)]
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
    /// End after so many events.
    #[arg(long)]
    pub(crate) count: Option<usize>,
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

#[derive(Debug, ClapArgs)]
pub(crate) struct RegisterArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// The event's type, `a/b/c`. Without it, events are read from standard input.
    #[arg(value_name = "TYPE", value_parser = json::event_type)]
    pub(crate) event_type: Option<EventType>,
    /// The payload, as JSON.
    #[arg(long, value_name = "TEXT", requires = "event_type", conflicts_with = "binary")]
    pub(crate) json: Option<String>,
    /// The payload is binary, and this is what it is called.
    #[arg(long, value_name = "NAME", requires = "event_type", requires = "file")]
    pub(crate) binary: Option<String>,
    /// Where the binary payload is; `-` is standard input.
    #[arg(long, value_name = "PATH", requires = "binary")]
    pub(crate) file: Option<PathBuf>,
    /// When it happened: RFC 3339.
    #[arg(long, value_name = "TIME", requires = "event_type")]
    pub(crate) source_timestamp: Option<Timestamp>,
    /// Print the events as they were registered.
    #[arg(long)]
    pub(crate) response: bool,
    /// Lines of standard input that may become one session. Fewer do where no more are there yet.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = at_least_one)]
    pub(crate) batch: usize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print every change too, until Ctrl-C.
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// How long to measure.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) seconds: u32,
}

/// The arguments of this process. What is wrong with them is told in one line.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    Args::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // a closed output is no failure
            let _ = error.print();
            ExitCode::SUCCESS
        }
        _ => {
            let text = error.render().to_string();
            // up to the empty line before tips and usage; lists stand in lines of their own
            let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
            exit::say(&format!("{} (--help says more)", lines.collect::<Vec<_>>().join(" ")));
            exit::USAGE.into()
        }
    })
}

fn query_type(text: &str) -> Result<EventType, SubscriptionError> {
    let event_type = text.parse().unwrap_or_else(|never| match never {});
    // alone, so that the error can be about no other
    Subscription::new([&event_type]).map(|_| event_type)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.001..=86_400.0).contains(seconds));
    let seconds = seconds.ok_or("write a number of seconds, from 0.001 to 86400")?;
    Ok(Duration::from_secs_f64(seconds))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a number from 1 on".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_make_sense() {
        Args::command().debug_assert();
    }
}
