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
    /// Whether this node can register and tell: it has applied what there was when it last joined,
    /// and the stream's leader answers it.
    pub serves: bool,
    /// Whether this node is the one that registers, where a monitor decides that; `None` where all
    /// nodes do that serve.
    pub active: Option<bool>,
    /// How often another node has taken over from this one since the start, while this one was
    /// active.
    pub fenced: u64,
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
    /// Registrations that were given up since the start, because they took too long or another node
    /// took over.
    pub given_up: u64,
    /// Which server id takes which types, as `2=north/*`, in the order in which they are asked;
    /// `None` where a node of an earlier version does not say so. All nodes need the same.
    pub shards: Option<String>,
    /// The nodes that have answered since this one has started, itself among them, by name. Not
    /// told to others: each asks by itself.
    #[serde(skip)]
    pub nodes: Vec<NodeReport>,
}

/// A node of the cluster, as it has answered another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeReport {
    /// What it is called.
    pub name: String,
    /// Whether it can register and tell.
    pub serves: bool,
    /// Whether it is the one that registers, where a monitor decides that.
    pub active: Option<bool>,
    /// Why it does not, where it does not.
    pub reason: Option<String>,
    /// The sequence of the last message that it has applied.
    pub applied: u64,
    /// Time since its last answer: nodes are asked every five seconds.
    pub answered: Duration,
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

/// What the nodes have that divide types otherwise than `shards`: the name of each, and that.
pub(crate) fn other_shards(nodes: &[ClusterReport], shards: &str) -> Option<String> {
    let others = nodes.iter().filter_map(|node| Some((&node.node, node.shards.as_deref()?)));
    let others = others.filter(|(_, its)| *its != shards);
    let texts: Vec<_> = others
        .map(|(node, its)| match its {
            "" => format!("{node} has none"),
            its => format!("{node} has {its}"),
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
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

impl ClusterStatus {
    /// What the first node has of shards and which others have something else, where some do:
    /// events of the same type are registered under different ids then.
    #[must_use]
    pub fn shard_conflict(&self) -> Option<String> {
        let first = self.nodes.iter().find(|node| node.shards.is_some())?;
        let shards = first.shards.as_deref()?;
        let others = other_shards(&self.nodes, shards)?;
        let its = if shards.is_empty() { "none" } else { shards };
        Some(format!("the nodes have different shards: {} has {its}, {others}", first.node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_with_other_shards_are_named() {
        let node = |node: &str, shards: Option<&str>| ClusterReport {
            node: node.into(),
            shards: shards.map(Into::into),
            ..ClusterReport::default()
        };
        let conflict = |nodes: &[ClusterReport]| {
            ClusterStatus { nodes: nodes.to_vec(), ..ClusterStatus::default() }.shard_conflict()
        };
        let (a, b) = (node("a", Some("2=x/*")), node("b", Some("2=x/*")));
        let (c, old) = (node("c", Some("")), node("d", None));
        assert_eq!(conflict(&[]), None);
        assert_eq!(conflict(&[old.clone(), a.clone(), b.clone()]), None);
        let said = conflict(&[old, a, b, c]).expect("c has none");
        assert_eq!(said, "the nodes have different shards: a has 2=x/*, c has none");
    }
}
