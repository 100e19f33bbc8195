//! Our own configuration: everything that can be said of a server, in TOML. What is not said is
//! `None`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hat_aio::Address;
use serde::{Deserialize, Serialize};

use super::retention::{ConditionSettings, RuleSettings};
use super::{text, time};

/// A whole server. Files, flags and defaults are laid over each other, field by field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) own_events: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) numbering: Option<Numbering>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_results: Option<usize>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) store: StoreSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) monitor: MonitorSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) cluster: ClusterSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) adminer: AdminerSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) web: WebSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) tls: TlsSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) log: LogSettings,
}

/// Where events are kept, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dir: Option<PathBuf>,
    /// The file of a deployed server, whose history becomes that of a store that is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) import_lmdb: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) durability: Option<Durability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notify: Option<Notify>,
    /// Bytes of the file that are kept in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache: Option<usize>,
    /// In memory only: events, and types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_events: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_types: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rules: Vec<RuleSettings>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) conditions: Vec<ConditionSettings>,
}

/// The monitor, and the group of which one is active.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MonitorSettings {
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<Lost>,
}

/// The cluster that orders events in place of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClusterSettings {
    /// As `nats://a,b,c`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) servers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replicas: Option<u8>,
    /// Whether this node makes what is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new: Option<bool>,
    /// Whether this node ends that a monitor decides which node registers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unfence: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) creds: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) shards: Vec<ShardSettings>,
}

/// A further server id, and the types of events that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShardSettings {
    pub(crate) server_id: i64,
    /// As `a/*`.
    pub(crate) types: Vec<String>,
}

/// Where levels of the log are read and changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdminerSettings {
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<Address>,
}

/// The page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebSettings {
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) htpasswd: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) origins: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) roles: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trust_proxy: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compression: Option<bool>,
}

/// TLS of clients' connections and of the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

/// What is logged: `error`, `warn`, `info`, `debug`, `trace` or `off`, for all and by targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) targets: BTreeMap<String, String>,
}

impl LogSettings {
    /// The levels, each with its key in the file.
    pub(crate) fn levels(&self) -> impl Iterator<Item = (String, &str)> {
        let all = self.level.iter().map(|level| ("log.level".to_owned(), &**level));
        let targets = self.targets.iter();
        all.chain(targets.map(|(target, level)| (format!("log.targets.{target}"), &**level)))
    }
}

/// Where session numbers go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Numbering {
    /// Above the last stored session, and above the clock.
    Clock,
    /// After the last stored session.
    Stored,
}

/// When ordinary subscribers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Notify {
    /// When events are durable.
    Durable,
    /// As soon as their order is fixed: a crash can lose events that subscribers have seen.
    Early,
}

/// What to do without a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lost {
    Stay,
    Exit,
}

/// What an answer promises, as it is written: `commit`, `flush:100ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Durability(pub(crate) hat_server::store::Durability);

impl std::str::FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use hat_server::store::Durability::{Commit, Flush};
        if text == "commit" {
            return Ok(Self(Commit));
        }
        let flush = text.strip_prefix("flush:").and_then(time::parse);
        let flush = flush.filter(|time| *time <= Duration::from_secs(3_600));
        let wrong = "write commit, or flush: and a duration of at most an hour, such as flush:100ms or flush:2s";
        flush.map(|time| Self(Flush(time))).ok_or_else(|| wrong.into())
    }
}

impl TryFrom<String> for Durability {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Durability> for String {
    fn from(durability: Durability) -> Self {
        match durability.0 {
            hat_server::store::Durability::Commit => "commit".into(),
            hat_server::store::Durability::Flush(time) => format!("flush:{}", time::write(time)),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Takes what is said in `over`, else what is there.
fn over<T>(value: &mut Option<T>, over: Option<T>) {
    if over.is_some() {
        *value = over;
    }
}

impl Settings {
    /// Lays what `other` says over this.
    pub(crate) fn lay_over(&mut self, other: Self) {
        let Self { listen, server_id, name, token, own_events, numbering, max_results, .. } = other;
        over(&mut self.listen, listen);
        over(&mut self.server_id, server_id);
        over(&mut self.name, name);
        over(&mut self.token, token);
        over(&mut self.own_events, own_events);
        over(&mut self.numbering, numbering);
        over(&mut self.max_results, max_results);
        let (store, to) = (other.store, &mut self.store);
        over(&mut to.dir, store.dir);
        over(&mut to.import_lmdb, store.import_lmdb);
        over(&mut to.durability, store.durability);
        over(&mut to.notify, store.notify);
        over(&mut to.cache, store.cache);
        over(&mut to.max_events, store.max_events);
        over(&mut to.max_types, store.max_types);
        if !store.rules.is_empty() {
            to.rules = store.rules;
        }
        if !store.conditions.is_empty() {
            to.conditions = store.conditions;
        }
        let (monitor, to) = (other.monitor, &mut self.monitor);
        over(&mut to.address, monitor.address);
        over(&mut to.group, monitor.group);
        over(&mut to.lost, monitor.lost);
        let (cluster, to) = (other.cluster, &mut self.cluster);
        over(&mut to.servers, cluster.servers);
        over(&mut to.replicas, cluster.replicas);
        over(&mut to.new, cluster.new);
        over(&mut to.unfence, cluster.unfence);
        over(&mut to.creds, cluster.creds);
        over(&mut to.ca, cluster.ca);
        over(&mut to.cert, cluster.cert);
        over(&mut to.key, cluster.key);
        if !cluster.shards.is_empty() {
            to.shards = cluster.shards;
        }
        over(&mut self.adminer.listen, other.adminer.listen);
        let (web, to) = (other.web, &mut self.web);
        over(&mut to.listen, web.listen);
        over(&mut to.htpasswd, web.htpasswd);
        if !web.origins.is_empty() {
            to.origins = web.origins;
        }
        over(&mut to.read_only, web.read_only);
        over(&mut to.roles, web.roles);
        over(&mut to.trust_proxy, web.trust_proxy);
        over(&mut to.compression, web.compression);
        let (tls, to) = (other.tls, &mut self.tls);
        if tls.cert.is_some() {
            // the key of another certificate is none for this one, which may bring its own
            (to.cert, to.key) = (tls.cert, tls.key);
        } else {
            over(&mut to.key, tls.key);
        }
        over(&mut to.ca, tls.ca);
        over(&mut self.log.level, other.log.level);
        self.log.targets.extend(other.log.targets);
    }
}
