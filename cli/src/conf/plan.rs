//! What a whole configuration asks for, checked, with its defaults.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use hat_aio::Address;
use hat_aio::tls::Acceptor;
use hat_server::page::{PageOptions, Roles};
use hat_server::redundancy::{MonitorLost, MonitorOptions};
use hat_server::store::memory::Config;
use hat_server::store::{DiskOptions, LogOptions};
use tracing_subscriber::filter::LevelFilter;

use super::Settings;
use super::retention::{ConditionSettings, RuleSettings};
use super::settings::{ClusterSettings, Durability, Lost, Notify, Numbering};
use crate::args::{ADDRESS, TlsArgs};
use crate::exit::Failure;

/// Events and types that are kept in memory.
const IN_MEMORY: usize = 100_000;

/// Everything that a server is started with.
pub(crate) struct Plan {
    pub(crate) listen: Address,
    pub(crate) name: String,
    pub(crate) token: Option<String>,
    pub(crate) own_events: bool,
    pub(crate) server_id: i64,
    pub(crate) log: LogOptions,
    pub(crate) notify: hat_server::Notify,
    pub(crate) place: Place,
    /// Types whose latest events a page shows.
    pub(crate) shown_types: usize,
    pub(crate) monitor: Option<MonitorOptions>,
    pub(crate) cluster: Option<ClusterSettings>,
    pub(crate) adminer: Option<Address>,
    pub(crate) web: Option<(Address, PageOptions)>,
    pub(crate) tls: Option<Acceptor>,
    /// What TLS is made of, for connections to others.
    pub(crate) files: TlsArgs,
}

/// Where events are kept.
pub(crate) enum Place {
    Memory(Config),
    Disk { dir: PathBuf, options: DiskOptions, import_lmdb: Option<PathBuf> },
}

impl Place {
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self, Self::Memory(_))
    }
}

impl Settings {
    /// The same with the defaults of everything that has one.
    pub(crate) fn with_defaults(mut self) -> Self {
        let is_on_disk = self.store.dir.is_some();
        self.listen.get_or_insert_with(|| ADDRESS.parse().expect("an address"));
        self.server_id.get_or_insert(1);
        self.name.get_or_insert_with(|| "hat".into());
        self.own_events.get_or_insert(true);
        self.numbering.get_or_insert(Numbering::Clock);
        self.max_results.get_or_insert(DiskOptions::default().max_results);
        self.store.notify.get_or_insert(Notify::Durable);
        if is_on_disk {
            // what is in a cluster is on the disks of a majority already
            let commit = Durability(match self.cluster.servers {
                Some(_) => hat_server::store::Durability::Flush(Duration::from_secs(1)),
                None => hat_server::store::Durability::Commit,
            });
            self.store.durability.get_or_insert(commit);
            self.store.cache.get_or_insert(DiskOptions::default().cache);
        } else {
            self.store.max_events.get_or_insert(IN_MEMORY);
        }
        if !is_on_disk || self.web.listen.is_some() {
            self.store.max_types.get_or_insert(IN_MEMORY);
        }
        if self.monitor.address.is_some() {
            self.monitor.group.get_or_insert_with(|| "event".into());
            self.monitor.lost.get_or_insert(Lost::Stay);
        }
        if self.web.listen.is_some() {
            self.web.read_only.get_or_insert(false);
            self.web.trust_proxy.get_or_insert(false);
            self.web.compression.get_or_insert(true);
        }
        self
    }

    /// What depends on what is not there.
    fn check(&self) -> Result<(), Failure> {
        let (store, web, monitor) = (&self.store, &self.web, &self.monitor);
        let (on_disk, is_monitored) = (store.dir.is_some(), monitor.address.is_some());
        let (has_web, has_cert) = (web.listen.is_some(), self.tls.cert.is_some());
        let (cluster, is_clustered) = (&self.cluster, self.cluster.servers.is_some());
        let has_more = [&cluster.creds, &cluster.ca, &cluster.cert, &cluster.key];
        let is_said = [cluster.new, cluster.unfence].iter().any(Option::is_some)
            || cluster.replicas.is_some()
            || !cluster.shards.is_empty();
        let has_more = is_said || has_more.iter().any(|it| it.is_some());
        if cluster.unfence == Some(true) && is_monitored {
            let what = "--cluster-unfence (cluster.unfence) and --monitor (monitor.address)";
            let why = "the first ends that a monitor decides which node registers";
            return Err(Failure::Input(format!("{what} exclude each other: {why}")));
        }
        if self.max_results == Some(0) {
            let text =
                "--max-results (max_results) must be at least 1: with 0, no query has an answer";
            return Err(Failure::Input(text.into()));
        }
        if cluster.replicas.is_some_and(|it| !(1..=5).contains(&it)) {
            let text = "--cluster-replicas (cluster.replicas) must be 1 to 5";
            return Err(Failure::Input(text.into()));
        }
        for (key, level) in self.log.levels() {
            if level.parse::<LevelFilter>().is_err() {
                let levels = "off, error, warn, info, debug and trace";
                let text = format!("{key}: `{level}` is no level; the levels are {levels}");
                return Err(Failure::Input(text));
            }
        }
        let wants = [
            (is_clustered && !on_disk, "--cluster (cluster.servers)", "--store DIR (store.dir)"),
            (
                has_more && !is_clustered,
                "an option of a cluster",
                "--cluster URLS (cluster.servers)",
            ),
            (
                cluster.cert.is_some() != cluster.key.is_some(),
                "--cluster-cert or --cluster-key (cluster.cert, cluster.key)",
                "the other one",
            ),
            (
                store.durability.is_some() && !on_disk,
                "--durability (store.durability)",
                "--store DIR (store.dir)",
            ),
            (
                store.import_lmdb.is_some() && !on_disk,
                "--import-lmdb (store.import_lmdb)",
                "--store DIR (store.dir)",
            ),
            (!store.rules.is_empty() && !on_disk, "store.rules", "--store DIR (store.dir)"),
            (
                !store.conditions.is_empty() && !on_disk,
                "store.conditions",
                "--store DIR (store.dir)",
            ),
            (
                monitor.group.is_some() && !is_monitored,
                "--group (monitor.group)",
                "--monitor ADDRESS (monitor.address)",
            ),
            (
                monitor.lost.is_some() && !is_monitored,
                "--monitor-lost (monitor.lost)",
                "--monitor ADDRESS (monitor.address)",
            ),
            (
                web.htpasswd.is_some() && !has_web,
                "--web-htpasswd (web.htpasswd)",
                "--web ADDRESS (web.listen)",
            ),
            (
                !web.origins.is_empty() && !has_web,
                "--web-origin (web.origins)",
                "--web ADDRESS (web.listen)",
            ),
            (
                web.read_only == Some(true) && !has_web,
                "--web-read-only (web.read_only)",
                "--web ADDRESS (web.listen)",
            ),
            (
                web.trust_proxy == Some(true) && !has_web,
                "--web-trust-proxy (web.trust_proxy)",
                "--web ADDRESS (web.listen)",
            ),
            (
                web.compression == Some(false) && !has_web,
                "--web-no-compression (web.compression)",
                "--web ADDRESS (web.listen)",
            ),
            (
                web.roles.is_some() && web.htpasswd.is_none(),
                "--web-roles (web.roles)",
                "--web-htpasswd FILE (web.htpasswd)",
            ),
            (
                is_monitored && self.listen.as_ref().is_some_and(|it| it.unix_path().is_some()),
                "--monitor (monitor.address)",
                "--listen HOST:PORT (listen): other servers cannot connect to a unix: address",
            ),
            (
                is_monitored && self.listen.as_ref().is_some_and(is_any),
                "--monitor (monitor.address)",
                "--listen HOST:PORT (listen) that the other servers can connect to: an address of all interfaces leads each to itself",
            ),
            (
                self.tls.key.is_some() && !has_cert,
                "--tls-key (tls.key)",
                "--tls-cert FILE (tls.cert)",
            ),
        ];
        match wants.iter().find(|(lacks, ..)| *lacks) {
            Some((_, what, needs)) => Err(Failure::Input(format!("{what} needs {needs}"))),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// # Errors
    ///
    /// Where something is wrong, or a file that it names cannot be used.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        settings.check()?;
        let settings = settings.clone().with_defaults();
        let said = "a default stands for what is not said";
        let server_id = settings.server_id.expect(said);
        let listen = settings.listen.clone().expect(said);
        let numbering = match settings.numbering.expect(said) {
            Numbering::Clock => hat_server::store::Numbering::Clock,
            Numbering::Stored => hat_server::store::Numbering::Stored,
        };
        let Durability(durability) =
            settings.store.durability.unwrap_or(Durability(<_>::default()));
        let notify = match settings.store.notify.expect(said) {
            Notify::Durable => hat_server::Notify::Durable,
            Notify::Early => hat_server::Notify::Early,
        };
        let files = TlsArgs::of(&settings.tls);
        let tls = files.acceptor(&listen)?;
        Ok(Self {
            server_id,
            log: LogOptions { numbering, durability, ..LogOptions::new(server_id) },
            notify,
            place: place(&settings, server_id)?,
            shown_types: settings.store.max_types.unwrap_or(IN_MEMORY),
            monitor: monitor(&settings, &files)?,
            cluster: settings.cluster.servers.is_some().then(|| settings.cluster.clone()),
            web: web(&settings)?,
            adminer: settings.adminer.listen,
            name: settings.name.expect(said),
            token: settings.token,
            own_events: settings.own_events.expect(said),
            listen,
            tls,
            files,
        })
    }
}

fn place(settings: &Settings, server_id: i64) -> Result<Place> {
    let store = &settings.store;
    let defaults = DiskOptions::default();
    let max_results = settings.max_results.unwrap_or(defaults.max_results);
    let Some(dir) = store.dir.clone() else {
        let config = Config::new(server_id);
        return Ok(Place::Memory(Config {
            max_events: store.max_events.unwrap_or(IN_MEMORY),
            max_types: store.max_types.unwrap_or(IN_MEMORY),
            max_results,
            ..config
        }));
    };
    let wrong = |what, number, error| {
        Failure::Input(format!("store.{what}, the {number}. of them: {error}"))
    };
    let rules = store.rules.iter().zip(1..);
    let rules =
        rules.map(|(it, number)| RuleSettings::rule(it).map_err(|it| wrong("rules", number, it)));
    let conditions = store.conditions.iter().zip(1..);
    let conditions = conditions.map(|(it, number)| {
        ConditionSettings::condition(it).map_err(|it| wrong("conditions", number, it))
    });
    let options = DiskOptions {
        cache: store.cache.unwrap_or(defaults.cache),
        max_results,
        rules: rules.collect::<Result<_, _>>()?,
        conditions: conditions.collect::<Result<_, _>>()?,
        ..defaults
    };
    Ok(Place::Disk { dir, options, import_lmdb: store.import_lmdb.clone() })
}

/// Whether it stands for all addresses of this machine.
fn is_any(address: &Address) -> bool {
    address.host().parse().is_ok_and(|address: IpAddr| address.is_unspecified())
}

fn monitor(settings: &Settings, files: &TlsArgs) -> Result<Option<MonitorOptions>> {
    let monitor = &settings.monitor;
    let lost = match monitor.lost {
        Some(Lost::Exit) => MonitorLost::Exit,
        _ => MonitorLost::Stay,
    };
    let group = monitor.group.clone().unwrap_or_default();
    let Some(address) = monitor.address.clone() else { return Ok(None) };
    let options = MonitorOptions::new(address, group);
    // who speaks TLS is in a group of servers that do
    let tls = match files.tls_cert {
        Some(_) => files.connector(&options.address)?,
        None => None,
    };
    Ok(Some(MonitorOptions { lost, tls, ..options }))
}

fn web(settings: &Settings) -> Result<Option<(Address, PageOptions)>> {
    let web = &settings.web;
    let Some(address) = web.listen.clone() else { return Ok(None) };
    let roles = match &web.roles {
        Some(path) => {
            let roles = Roles::read(path);
            roles.map_err(|error| Failure::Input(error.to_string()))?
        }
        None => Roles::default(),
    };
    let mut options = PageOptions {
        htpasswd: web.htpasswd.clone(),
        origins: web.origins.clone(),
        trust_proxy: web.trust_proxy.unwrap_or(false),
        read_only: web.read_only.unwrap_or(false),
        roles,
        ..PageOptions::default()
    };
    if web.compression == Some(false) {
        options.deflate = None;
    }
    Ok(Some((address, options)))
}
