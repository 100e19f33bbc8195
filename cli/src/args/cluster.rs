//! One node of several, and all of them.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::StatusFormat;
use crate::conf::settings::{ClusterSettings, ShardSettings};

#[derive(Debug, ClapArgs)]
pub(crate) struct ClusterArgs {
    /// Run as one of several nodes that all register and notify the same events in the same order,
    /// through NATS JetStream at these addresses: nats://a,b,c or tls://a,b,c, with a port unless
    /// it is 4222.
    ///
    /// With --monitor, only the node that the monitor blesses registers, and the others stand by; a
    /// second active node is fenced. All nodes need the same of the two.
    ///
    /// All nodes have the same --server-id, and each has its own --store. A response to a
    /// registration means that a majority of the NATS servers have the events, and that queries to
    /// this node find them. Requires a `hat` built with the feature `cluster`, and Tokio.
    #[arg(long, value_name = "URLS", env = "HAT_CLUSTER", hide_env_values = true)]
    cluster: Option<String>,
    /// How many NATS servers keep the events, 1 to 5, if this node creates the stream of the
    /// cluster. [default: as many as --cluster names]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=5))]
    cluster_replicas: Option<u8>,
    /// Create the stream that keeps the events if there is none. For the first start of one node of
    /// a new cluster.
    ///
    /// Without it, a node waits until another one has created the stream. A new stream in place of
    /// a lost one would reuse ids, so none is created while any node has events.
    #[arg(long)]
    cluster_new: bool,
    /// Let every node register again, if a monitor has decided which one does. For the first start
    /// of one node without --monitor; the nodes that still have one stand by then.
    #[arg(long)]
    cluster_unfence: bool,
    /// Give events of these types to a further server id, with a stream of its own: 2=plant/b/*.
    ///
    /// Can be given several times, for one id or for more; of several ids whose types match, the
    /// one that was named first takes an event. What none has is of --server-id. All nodes need the
    /// same. One stream takes what three disks sync, so this is for what is more than that.
    #[arg(long, value_name = "ID=TYPE", value_parser = shard)]
    cluster_shard: Vec<(i64, String)>,
    #[command(flatten)]
    nats: NatsArgs,
}

/// `ID=TYPE`.
fn shard(text: &str) -> Result<(i64, String), String> {
    let (server_id, event_type) = text.split_once('=').ok_or("it is no ID=TYPE")?;
    let server_id = server_id.trim().parse();
    let server_id = server_id.map_err(|_| format!("{text}: the id of a server is a number"))?;
    Ok((server_id, event_type.to_owned()))
}

impl ClusterArgs {
    /// What the arguments say.
    pub(crate) fn settings(&self) -> ClusterSettings {
        ClusterSettings {
            servers: self.cluster.clone(),
            replicas: self.cluster_replicas,
            new: self.cluster_new.then_some(true),
            unfence: self.cluster_unfence.then_some(true),
            shards: self.shards(),
            ..self.nats.settings()
        }
    }

    /// The types of an id stand together.
    fn shards(&self) -> Vec<ShardSettings> {
        let mut shards: Vec<ShardSettings> = Vec::new();
        for (server_id, event_type) in self.cluster_shard.iter().cloned() {
            match shards.iter_mut().find(|shard| shard.server_id == server_id) {
                Some(shard) => shard.types.push(event_type),
                None => shards.push(ShardSettings { server_id, types: vec![event_type] }),
            }
        }
        shards
    }
}

/// Who one is to NATS.
#[derive(Debug, ClapArgs)]
pub(crate) struct NatsArgs {
    /// A file of NATS credentials, as written by nsc.
    #[arg(long, value_name = "FILE")]
    cluster_creds: Option<PathBuf>,
    /// Certificates in PEM to trust for the NATS servers, in addition to the system's.
    #[arg(long, value_name = "FILE")]
    cluster_ca: Option<PathBuf>,
    /// The node's certificate for NATS, in PEM.
    #[arg(long, value_name = "FILE", requires = "cluster_key")]
    cluster_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "cluster_cert")]
    cluster_key: Option<PathBuf>,
}

impl NatsArgs {
    fn settings(&self) -> ClusterSettings {
        ClusterSettings {
            creds: self.cluster_creds.clone(),
            ca: self.cluster_ca.clone(),
            cert: self.cluster_cert.clone(),
            key: self.cluster_key.clone(),
            ..ClusterSettings::default()
        }
    }
}

/// What can be done with a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Print the status of a cluster: the stream and its leader, and the progress of each node.
    ///
    /// A line for the stream, and one for each node that answers within two seconds. Exit code 1
    /// says that the stream has no leader, or that a node does not serve. Only in a `hat` that was
    /// built with the feature `cluster`, and on Tokio.
    Status(ClusterStatusArgs),
}

/// See [`ClusterCommand::Status`].
#[derive(Debug, ClapArgs)]
pub(crate) struct ClusterStatusArgs {
    /// The NATS servers, as for `hat serve --cluster`: nats://a,b,c.
    #[arg(value_name = "URLS")]
    servers: String,
    /// The number of the event server.
    #[arg(long, value_name = "ID", default_value_t = 1)]
    pub(crate) server_id: i64,
    /// How to print: a JSON line each, or a table for people.
    #[arg(long, value_enum, default_value_t = StatusFormat::Jsonl)]
    pub(crate) format: StatusFormat,
    #[command(flatten)]
    nats: NatsArgs,
}

impl ClusterStatusArgs {
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "nobody is asked"))]
    pub(crate) fn settings(&self) -> ClusterSettings {
        ClusterSettings { servers: Some(self.servers.clone()), ..self.nats.settings() }
    }
}
