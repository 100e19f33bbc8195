//! One node of several.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::conf::settings::ClusterSettings;

#[derive(Debug, ClapArgs)]
pub(crate) struct ClusterArgs {
    /// Be one of several nodes that all register and tell the same events in the same order, by way
    /// of NATS JetStream at these addresses: nats://a,b,c with a port where it is not 4222, or
    /// tls://a,b,c.
    ///
    /// All nodes have the same --server-id, and each a --store of its own. An answer says that the
    /// events are with a majority of the NATS servers, and can be found on this node. Only in a
    /// `hat` that was built with the feature `cluster`, and on Tokio.
    #[arg(long, value_name = "URLS")]
    cluster: Option<String>,
    /// How many NATS servers keep the events, 1 to 5, where this node is the first of the cluster.
    /// [default: as many as --cluster names]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=5))]
    cluster_replicas: Option<u8>,
    /// A file with NATS credentials, as nsc writes them.
    #[arg(long, value_name = "FILE")]
    cluster_creds: Option<PathBuf>,
    /// Certificates in PEM by which those of the NATS servers are judged, beside the system's.
    #[arg(long, value_name = "FILE")]
    cluster_ca: Option<PathBuf>,
    /// The node's certificate for NATS, in PEM.
    #[arg(long, value_name = "FILE", requires = "cluster_key")]
    cluster_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "cluster_cert")]
    cluster_key: Option<PathBuf>,
}

impl ClusterArgs {
    /// What the arguments say.
    pub(crate) fn settings(&self) -> ClusterSettings {
        ClusterSettings {
            servers: self.cluster.clone(),
            replicas: self.cluster_replicas,
            creds: self.cluster_creds.clone(),
            ca: self.cluster_ca.clone(),
            cert: self.cluster_cert.clone(),
            key: self.cluster_key.clone(),
        }
    }
}
