//! What a node knows of its cluster, for people and metrics.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the cluster is, as this node sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ClusterReport {
    /// What this node is called.
    pub node: String,
    /// The name of the stream.
    pub stream: String,
    /// Whether this node registers and tells: it has applied what there was when it last joined,
    /// and the stream's leader answers it.
    pub serves: bool,
    /// Why it does not, where it does not.
    pub reason: Option<String>,
    /// The node has stopped for good: what it would have to apply next is not what it knows. Only
    /// a restart, after somebody has looked into it, changes that.
    pub stopped: bool,
    /// The NATS server that leads the stream, when it was last asked.
    pub leader: Option<String>,
    /// The other Replicas of the stream on NATS servers.
    pub replicas: Vec<ReplicaReport>,
    /// The sequence of the last message that this node has applied.
    pub applied: u64,
    /// The sequence of the last message of the stream, when its leader was last asked.
    pub last: u64,
    /// Time since the last answer of the leader; `None` where it never did.
    pub answered: Option<Duration>,
    /// Registrations that wait for the cluster.
    pub waiting: usize,
    /// Registrations that were given up since the start, because they took too long.
    pub given_up: u64,
}

/// A NATS server that follows the leader of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ReplicaReport {
    /// Its name.
    pub name: String,
    /// Whether it has what the leader has.
    pub current: bool,
    /// Whether the leader takes it for lost.
    pub offline: bool,
    /// Operations that it is behind.
    pub lag: u64,
}

impl ClusterReport {
    /// Messages of the stream that are not applied here.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.last.saturating_sub(self.applied)
    }
}

/// How a cluster is, as NATS and its nodes say when they are asked.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// The name of the stream.
    pub stream: String,
    /// Why nothing is known of the stream, where nothing is: it has no leader, say.
    pub reason: Option<String>,
    /// The NATS server that leads the stream.
    pub leader: Option<String>,
    /// The other NATS servers that keep it.
    pub replicas: Vec<ReplicaReport>,
    /// The sequences of its first and its last message.
    pub first: u64,
    /// See [`first`](Self::first).
    pub last: u64,
    /// Bytes that it takes.
    pub bytes: u64,
    /// The nodes that have answered, by name.
    pub nodes: Vec<ClusterReport>,
}
