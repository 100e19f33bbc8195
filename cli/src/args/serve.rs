//! The arguments of `hat serve`. What is not given is not said: a file may say it, or a default.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use hat_aio::Address;

use super::{ClusterArgs, KeepArgs, RedundancyArgs, TlsArgs, WebArgs, at_least_one};
use crate::conf::Settings;
use crate::conf::settings::{AdminerSettings, Numbering, StoreSettings};

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Read the configuration from this file. Other arguments take precedence over it.
    ///
    /// It is the event.yaml of a deployed hat-event-server (YAML, TOML or JSON), or hat's own in
    /// TOML, which --print-conf prints. `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) conf: Option<PathBuf>,
    /// Print the whole configuration as TOML, including defaults and the token, and exit.
    #[arg(long)]
    pub(crate) print_conf: bool,
    /// Start even if the configuration names modules or a backend in Python, which cannot run here.
    #[arg(long)]
    pub(crate) without_modules: bool,
    /// Before serving, copy the events that the event server at this address has stored, with their
    /// ids and timestamps, into the store. Events that the store already has are not copied again.
    ///
    /// Events that the other server registers meanwhile or later are not copied: to copy them as
    /// well, stop this server and start it with this option again. In a group under a monitor, a
    /// server copies the events of the others without this option.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mirror_once: Option<Address>,
    /// With --mirror-once: copy the events of the server with this id only. Repeat the option for
    /// several. Default: those of every server of which there is a latest event.
    #[arg(long, value_name = "ID", requires = "mirror_once")]
    pub(crate) mirror_once_server: Vec<i64>,
    /// The address to listen on: host:port, or unix:/path for a Unix socket. Port 0 selects a free
    /// port. With --tls-cert, connections use TLS. [default: 127.0.0.1:23012]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Address>,
    /// The server's id, which is the first part of every event's id. [default: 1]
    #[arg(long, value_name = "ID")]
    server_id: Option<i64>,
    /// The token of the server. A client with another token is rejected.
    #[arg(long, env = "HAT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The number of events to keep without --store. Beyond it, the oldest events are removed,
    /// except for the latest of each type. [default: 100000]
    #[arg(long, value_name = "COUNT")]
    max_events: Option<usize>,
    /// The number of event types whose latest event is kept without --store, and shown on the page.
    /// Beyond it, the types without an event for the longest time are removed. [default: 100000]
    #[arg(long, value_name = "COUNT")]
    max_types: Option<usize>,
    /// The maximum number of events in one response, even if a client requests more. [default:
    /// 4096]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    max_results: Option<usize>,
    /// Do not register the server's own events: the start of its engine, and connected and
    /// disconnected clients.
    #[arg(long)]
    no_own_events: bool,
    /// How new sessions are numbered: from the clock in microseconds, so that no number is reused
    /// even if the store is lost, or from the last stored session. [default: clock]
    #[arg(long, value_enum)]
    numbering: Option<Numbering>,
    /// The address at which deployed clients of HatEventAdminer can read and change log levels:
    /// host:port. Everyone who can reach it is allowed to.
    #[arg(long, value_name = "ADDRESS")]
    adminer: Option<Address>,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    redundancy: RedundancyArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    web: WebArgs,
}

impl ServeArgs {
    /// What the arguments say.
    pub(crate) fn settings(&self) -> Settings {
        let max = StoreSettings {
            max_events: self.max_events,
            max_types: self.max_types,
            ..self.keep.settings()
        };
        Settings {
            listen: self.listen.clone(),
            server_id: self.server_id,
            name: self.redundancy.name.clone(),
            token: self.token.clone(),
            own_events: self.no_own_events.then_some(false),
            numbering: self.numbering,
            max_results: self.max_results,
            store: max,
            monitor: self.redundancy.settings(),
            cluster: self.cluster.settings(),
            adminer: AdminerSettings { listen: self.adminer.clone() },
            web: self.web.settings(),
            tls: self.tls.settings(),
            ..Settings::default()
        }
    }
}
