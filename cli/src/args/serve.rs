//! The arguments of `hat serve`. What is not given is not said: a file may say it, or a default.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use hat_aio::Address;

use super::{ClusterArgs, KeepArgs, RedundancyArgs, TlsArgs, WebArgs, at_least_one};
use crate::conf::Settings;
use crate::conf::settings::{AdminerSettings, Numbering, StoreSettings};

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Read the configuration in this file, and let the other arguments win over it.
    ///
    /// It is the event.yaml of a deployed hat-event-server (YAML, TOML or JSON), or our own in
    /// TOML: --print-conf writes one. `-` is
    /// standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) conf: Option<PathBuf>,
    /// Print the whole configuration as TOML, with its defaults and the token, and end.
    #[arg(long)]
    pub(crate) print_conf: bool,
    /// Start though the configuration names modules or a backend in Python, which do not run here.
    #[arg(long)]
    pub(crate) without_modules: bool,
    /// First copy what the event server at this address has stored into the store, with ids and
    /// times, and serve then. What is there already is not copied again.
    ///
    /// What that server registers meanwhile or later is not among it: stop it then, and start with
    /// this again to copy the rest before. In a group under a monitor, a server copies and stands
    /// by without it.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mirror_once: Option<Address>,
    /// Where to listen: host:port, or unix:/path for a Unix socket. Port 0 is any free one. With
    /// --tls-cert connections are those of TLS. [default: 127.0.0.1:23012]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Address>,
    /// The server's number, the first part of every event's id. [default: 1]
    #[arg(long, value_name = "ID")]
    server_id: Option<i64>,
    /// The secret that a client may not get wrong.
    #[arg(long, env = "HAT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Without --store: events to keep; beyond that the oldest are forgotten, but for the latest of
    /// each type. [default: 100000]
    #[arg(long, value_name = "COUNT")]
    max_events: Option<usize>,
    /// Types whose latest event is kept without --store, and shown on the page; beyond that those
    /// are forgotten that were registered last
    /// the longest ago. [default: 100000]
    #[arg(long, value_name = "COUNT")]
    max_types: Option<usize>,
    /// Events in one answer, also where more are asked for. [default: 4096]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    max_results: Option<usize>,
    /// Register no events of the server itself: that its engine has started, that a client has come
    /// or is gone.
    #[arg(long)]
    no_own_events: bool,
    /// Where the numbers of sessions go on: above the clock in microseconds, so that none is given
    /// twice whatever becomes of the store, or
    /// after what is stored. [default: clock]
    #[arg(long, value_enum)]
    numbering: Option<Numbering>,
    /// Where levels of the log are read and changed, by the deployed clients of HatEventAdminer:
    /// host:port. Whoever reaches it may.
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
