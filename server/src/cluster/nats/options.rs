//! What a node is told about its cluster.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::{ConnectOptions, Event, ServerAddr};
use hat_core::eventer::Subscription;

use super::ClusterError;

/// The longest time between two attempts to connect.
const RECONNECT: Duration = Duration::from_secs(1);

/// Where the cluster is, and how a node takes part.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The NATS servers: `nats://host:port`, or `tls://host:port`. A name and a password, or a
    /// token, may stand before the first host that has one, and holds for all. The node connects to
    /// any of them.
    pub servers: Vec<String>,
    /// What the node is called, towards NATS and people.
    pub node: String,
    /// How many NATS servers keep the stream, from 1 to 5, where this node is the first and makes
    /// it. Default: as many as `servers` has, five at the most.
    pub replicas: usize,
    /// The cluster is new: where there is no stream, this node makes it. Off by default: a stream
    /// that was lost and is made anew gives ids that were given before. Even so it is not made
    /// while a node answers that has more than this one, or has stopped.
    pub is_new: bool,
    /// A file with NATS credentials, as `nsc` writes them.
    pub credentials: Option<PathBuf>,
    /// Certificates in PEM by which the servers' are judged, beside those of the system.
    pub ca: Option<PathBuf>,
    /// The node's own certificate and key in PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// How long a registration may take before it fails, 20 s. An election of NATS takes up to ten.
    pub limit: Duration,
    /// How long the leader of the stream may be silent before the node stops serving, 10 s.
    pub silence: Duration,
    /// Further server ids, each with a stream of its own, and the types of events that they take
    /// from the server's own. The first that has a type takes it. None by default. The node serves
    /// while all its streams do; all nodes need the same.
    pub shards: Vec<ShardOptions>,
    /// A monitor decides which node registers: this one does nothing of it before it has claimed
    /// that, and an earlier one that does not know of it yet is fenced. Off by default; a server
    /// with a monitor sets it by itself. All nodes need the same.
    pub is_monitored: bool,
    /// Where a monitor decided which node registers, it is to do so no more: this node ends that,
    /// once, where no monitor is its own. Off by default.
    pub unfences: bool,
}

/// A server id of a node besides its own, with a stream of its own.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// The id: events of the shard have it.
    pub server_id: i64,
    /// Query types: which events are the shard's.
    pub types: Subscription,
}

impl ClusterOptions {
    /// The defaults, for the node `node`.
    #[must_use]
    pub fn new(servers: Vec<String>, node: impl Into<String>) -> Self {
        Self {
            replicas: servers.len().clamp(1, 5),
            servers,
            node: node.into(),
            is_new: false,
            credentials: None,
            ca: None,
            certificate: None,
            limit: Duration::from_secs(20),
            silence: Duration::from_secs(10),
            shards: Vec::new(),
            is_monitored: false,
            unfences: false,
        }
    }

    /// Which server id takes which types.
    pub(super) fn shards_text(&self) -> String {
        let types = self.shards.iter().flat_map(|shard| {
            shard
                .types
                .query_types()
                .into_iter()
                .map(move |one| format!("{}={one}", shard.server_id))
        });
        types.collect::<Vec<_>>().join(" ")
    }

    /// The addresses.
    pub(super) fn servers(&self) -> Result<Vec<ServerAddr>, ClusterError> {
        let servers = self.servers.iter().map(|it| it.parse::<ServerAddr>());
        let servers: Result<Vec<_>, _> = servers.collect();
        match servers {
            Ok(servers) if servers.is_empty() => {
                Err(ClusterError::Servers("there are none".into()))
            }
            servers => servers.map_err(|error| ClusterError::Servers(error.to_string())),
        }
    }

    /// How to connect: for ever, and with signs of life every few seconds.
    /// What NATS says against that goes to `said`.
    pub(super) fn connect(
        &self,
        said: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<ConnectOptions, ClusterError> {
        let mut options = ConnectOptions::new()
            .name(format!("hat/{}", self.node))
            .retry_on_initial_connect()
            .max_reconnects(None)
            .connection_timeout(Duration::from_secs(2))
            .ping_interval(Duration::from_secs(2))
            .reconnect_delay_callback(|attempts| {
                let exponent = u32::try_from(attempts).unwrap_or(u32::MAX).min(8);
                Duration::from_millis(10 << exponent).min(RECONNECT)
            })
            .event_callback(move |event| {
                tracing::debug!(%event, "NATS");
                if let Event::ServerError(_) | Event::ClientError(_) = event {
                    said(event.to_string());
                }
                std::future::ready(())
            });
        // the client does not use what stands in addresses
        if let Some(server) = self.servers()?.iter().find(|server| server.has_user_pass()) {
            let user = server.username().unwrap_or_default().to_owned();
            options = match server.password() {
                Some(password) => options.user_and_password(user, password.to_owned()),
                None => options.token(user),
            };
        }
        if let Some(path) = &self.credentials {
            let of = |error| ClusterError::File(path.clone(), error);
            let text = std::fs::read_to_string(path).map_err(of)?;
            options = options.credentials(&text).map_err(of)?;
        }
        for path in self.ca.iter().chain(self.certificate.iter().flat_map(|(it, key)| [it, key])) {
            // NATS would only say that it cannot connect
            std::fs::metadata(path).map_err(|error| ClusterError::File(path.clone(), error))?;
        }
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options)
    }
}
