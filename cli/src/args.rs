//! What may be written on the command line.

mod chatter;
mod cluster;
mod config;
mod connect;
mod cotp;
mod juggler;
mod load;
mod output;
mod query;
mod redundancy;
mod register;
mod serve;
mod store;
mod subscribe;
pub(crate) mod time;
mod tls;
mod transfer;
mod web;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{
    ArgMatches, Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};
use hat_aio::Address;
use hat_core::eventer::{EventType, Subscription, SubscriptionError};

use crate::exit;

/// Where the deployed event server listens for clients.
pub(crate) const ADDRESS: &str = "127.0.0.1:23012";

/// Its port.
const PORT: u16 = 23012;

/// What `--help` says after the commands.
static LONG_HELP: LazyLock<String> =
    LazyLock::new(|| format!("{}\n\n{}", exit::HELP, config::HELP));

/// Event servers and clients of the Hat protocols.
#[derive(Debug, Parser)]
#[command(name = "hat", version, after_help = exit::HELP, after_long_help = LONG_HELP.as_str(), arg_required_else_help = false)]
pub(crate) struct Args {
    /// The async runtime under the command.
    #[arg(long, global = true, value_enum, default_value_t = RuntimeName::Tokio)]
    pub(crate) runtime: RuntimeName,
    /// Log to standard error: clients with -v, connections with -vv, messages with -vvv. Without
    /// it, RUST_LOG decides.
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
    /// Run an event server, which keeps its events on disk with --store, otherwise in memory only.
    ///
    /// Prints `listening on HOST:PORT` on standard error. Ctrl-C tells all clients the status
    /// `stopping`, sends what is still queued, and stops the server. A client without a token is
    /// accepted; a client with a token is accepted only if the token is the server's. Without
    /// --store, events count as persisted as soon as they are registered, and are lost when the
    /// server stops. With --monitor, the server belongs to a group in which one server is active.
    /// With --cluster, it is one of several nodes that are all active; with both, one of them is.
    Serve(Box<ServeArgs>),
    /// Print events as they are registered, until Ctrl-C.
    ///
    /// With --last, --from or --after, earlier events are printed first; with --state, the events
    /// since the last run. No event is missing between them and the live events, nor printed twice;
    /// if some may be missing, standard error says why.
    Subscribe(SubscribeArgs),
    /// Register one event, or events from standard input.
    ///
    /// With a TYPE, registers one event. Its payload is given by --json, or with --binary, or is
    /// read as JSON from standard input, unless that is a terminal; an empty input means no
    /// payload.
    ///
    /// Without a TYPE, registers events from JSON lines (--input). A line is an object with `type`
    /// ("a/b"), or `segments` (["a", "b"], for segments with a slash in them), and optionally
    /// `source_timestamp` (RFC 3339, [seconds, microseconds] or null) and `payload` ({"kind":
    /// "json", "data": ...}, {"kind": "binary", "type": TEXT, "data": BASE64} or null). The lines
    /// that `subscribe` and `query` print are accepted; their `id` and `timestamp` are ignored,
    /// because the server sets both. The command ends when the server has confirmed every event.
    Register(RegisterArgs),
    /// Print registered events.
    #[command(subcommand, arg_required_else_help = false)]
    Query(QueryCommand),
    /// Print the server's status.
    Status(StatusArgs),
    /// Print all events of a server, oldest first, for `import` and `replay`.
    ///
    /// Events that the server keeps only as the latest of their types are among them. A deployed
    /// hat-event-server answers from one of its partitions, the first one by timestamp that may
    /// have the types: events of other partitions are missing, unless they are the latest of their
    /// types. `hat query server --all` and `hat serve --mirror-once` get those, too.
    Export(ExportArgs),
    /// Register the events that `export` printed, as fast as the server accepts them.
    ///
    /// The server gives each event a new id and timestamp; the old timestamp becomes the source
    /// timestamp (--times). `hat store import` keeps ids and timestamps.
    Import(ImportArgs),
    /// Register the events that `export` printed, with the original pauses between them.
    Replay(ReplayArgs),
    /// Register events as fast as a server accepts them, or at a given rate, and print how long it
    /// took.
    ///
    /// The events are real: they stay in the server's store. Their types begin with --type.
    Load(LoadArgs),
    /// Show the rate and the latest value of each event type, until q is pressed.
    Top(TopArgs),
    /// Diagnose the connection to an event server, step by step.
    ///
    /// Checks the name, TCP, TLS, the protocol, the token, the difference between the clocks, and
    /// the round trip. A step that fails says what to do. The exit code is that of the failure.
    Doctor(DoctorArgs),
    /// Follow or call a Juggler server, or run one.
    #[command(subcommand, arg_required_else_help = false)]
    Juggler(JugglerCommand),
    /// Send and receive Chatter messages, or watch the messages between two peers.
    #[command(subcommand, arg_required_else_help = false)]
    Chatter(ChatterCommand),
    /// Test ISO transport (COTP over TPKT) peers, or run one.
    #[command(subcommand, arg_required_else_help = false)]
    Cotp(CotpCommand),
    /// Maintain the store of `hat serve --store DIR` while no server uses it.
    #[command(subcommand, arg_required_else_help = false)]
    Store(StoreCommand),
    /// Query the status of the nodes of `hat serve --cluster`.
    #[command(subcommand, arg_required_else_help = false)]
    Cluster(ClusterCommand),
    /// Run a server, feed it this machine's load, memory and network counters, and follow them.
    Demo(DemoArgs),
    /// Print a script that makes a shell complete the command's arguments.
    ///
    /// bash: `hat completions bash > ~/.local/share/bash-completion/completions/hat`; zsh: into a
    /// file `_hat` in a folder of $fpath; fish: `~/.config/fish/completions/hat.fish`.
    Completions {
        /// Which shell.
        #[arg(value_enum)]
        shell: ShellName,
    },
    /// Print the manual page, or write the pages of all commands to a folder.
    Man(ManArgs),
}

/// A shell that can complete arguments.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ShellName {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ManArgs {
    /// The folder, for example /usr/local/share/man/man1. Without it, hat(1) is printed.
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The event server, host or host:port, instead of --connect and --server.
    #[arg(value_name = "HOST", value_parser = event_server)]
    pub(crate) address: Option<Address>,
}

/// A host with a port, or without one for that of event servers.
fn event_server(text: &str) -> Result<Address, String> {
    cotp::address_at(text, PORT)
}

impl Command {
    /// The arguments of the connection to an event server, where the command makes one.
    fn connect_mut(&mut self) -> Option<&mut ConnectArgs> {
        match self {
            Self::Subscribe(args) => Some(&mut args.connect),
            Self::Register(args) => Some(&mut args.connect),
            Self::Query(QueryCommand::Latest(args)) => Some(&mut args.connect),
            Self::Query(QueryCommand::Timeseries(args)) => Some(&mut args.connect),
            Self::Query(QueryCommand::Server(args)) => Some(&mut args.connect),
            Self::Status(args) => Some(&mut args.connect),
            Self::Export(args) => Some(&mut args.connect),
            Self::Import(args) => Some(&mut args.connect),
            Self::Replay(args) => Some(&mut args.connect),
            Self::Load(args) => Some(&mut args.connect),
            Self::Top(args) => Some(&mut args.connect),
            Self::Doctor(args) => Some(&mut args.connect),
            Self::Serve(_) | Self::Cotp(_) | Self::Juggler(_) | Self::Chatter(_) => None,
            Self::Store(_)
            | Self::Cluster(_)
            | Self::Demo(_)
            | Self::Completions { .. }
            | Self::Man(_) => None,
        }
    }
}

pub(crate) use chatter::{ChatterCommand, ListenArgs, MessageArgs, ProxyArgs, Speaks};
pub(crate) use cluster::{ClusterArgs, ClusterCommand};
pub(crate) use connect::{ConnectArgs, ExplicitArgs};
pub(crate) use cotp::{CotpCommand, CotpFormat, EchoArgs, PeerArgs, ProbeArgs, ScanArgs, SendArgs};
pub(crate) use juggler::{CallArgs, JugglerCommand, JugglerServeArgs, PeerOfJuggler, WatchArgs};
pub(crate) use load::{LoadArgs, LoadFormat, TopArgs};
pub(crate) use output::{Format, OutputArgs};
pub(crate) use query::{PageArgs, QueryCommand, WhichArgs};
pub(crate) use redundancy::RedundancyArgs;
pub(crate) use register::{InputFormat, PaceArgs, RegisterArgs};
pub(crate) use serve::ServeArgs;
pub(crate) use store::{KeepArgs, StoreCommand};
pub(crate) use subscribe::SubscribeArgs;
pub(crate) use tls::{ClientTlsArgs, TlsArgs};
pub(crate) use transfer::{ExportArgs, ExportFormat, ImportArgs, ReplayArgs, Times};
pub(crate) use web::WebArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The output format: JSON lines, or text for people.
    #[arg(long, value_enum, default_value_t = StatusFormat::Jsonl)]
    pub(crate) format: StatusFormat,
    /// Also print every change, until Ctrl-C.
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StatusFormat {
    /// JSON lines.
    #[value(alias = "json")]
    Jsonl,
    /// Text for people.
    Table,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// How long to measure.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) seconds: u32,
}

/// The arguments of this process. What is wrong with them is told in one line.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    let matches = match Args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return Err(refused(&error)),
    };
    let mut args = Args::from_arg_matches(&matches).map_err(|error| refused(&error))?;
    let mut given = given(&matches);
    if let Command::Doctor(args) = &mut args.command
        && let Some(address) = args.address.take()
    {
        if given.connect {
            // not clap's conflict, to which the environment's would be one too
            exit::say("error: HOST and --connect both name a server: use one of them (see --help)");
            return Err(exit::USAGE.into());
        }
        // as --connect: no named server's token goes there
        args.connect = std::mem::take(&mut args.connect).at(address);
        given.connect = true;
    }
    if let Some(connect) = args.command.connect_mut() {
        connect.resolve(&given).map_err(|error| {
            exit::say(&format!("error: {error} (see --help)"));
            ExitCode::from(exit::USAGE)
        })?;
    }
    Ok(args)
}

/// What is wrong, in one line; or the help that was asked for.
fn refused(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // a closed output is no failure
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    // up to the empty line before tips and usage; lists stand in lines of their own
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    exit::say(&format!("{} (see --help)", lines.collect::<Vec<_>>().join(" ")));
    exit::USAGE.into()
}

/// Which of the arguments about a connection stand in the command line itself, and not in the
/// environment.
fn given(matches: &ArgMatches) -> ExplicitArgs {
    let mut matches = matches;
    while let Some((_, of)) = matches.subcommand() {
        matches = of;
    }
    let of = |name| {
        let known = matches.try_contains_id(name).unwrap_or(false);
        known && matches.value_source(name) == Some(ValueSource::CommandLine)
    };
    ExplicitArgs { connect: of("connect"), server: of("server"), token: of("token") }
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

/// A number within these limits.
fn limited(text: &str, limits: RangeInclusive<usize>) -> Result<usize, String> {
    let (least, most) = (*limits.start(), *limits.end());
    let number = text.parse().ok().filter(|number| limits.contains(number));
    number.ok_or_else(|| format!("write a number from {least} to {most}"))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| "write a number of at least 1".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Args::command().debug_assert();
    }
}
