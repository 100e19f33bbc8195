//! Events of several machines: one order of sessions for all nodes, kept by NATS JetStream.
//!
//! ```text
//! register ─> Outbox ── publish ──> JetStream, replicated ── in order ──> Replica ─> Store
//!                ^                                                          │
//!                └──── applied: who waits is answered ──────────────────────┘
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`message`] | a message of the stream, byte for byte |
//! | [`replica`] | the rules of applying: what every node makes of the messages |
//! | [`outbox`] | what a node has to publish, and what became of it |
//! | [`role`] | whether a node registers, where a monitor decides that |
//! | [`ClusterReport`] | how the cluster is, as a node sees it |
//!
//! The session's number is the sequence of its message, so ids are the same on every node, and
//! none is given twice.
//!
//! What carries the messages is behind the feature `cluster`, on Tokio only: a
//! `ClusterLog` is a [`Log`](crate::store::Log) over NATS JetStream.

pub mod message;
#[cfg(feature = "cluster")]
#[cfg_attr(docsrs, doc(cfg(feature = "cluster")))]
mod nats;
pub mod outbox;
pub mod replica;
mod report;
pub mod role;
#[cfg(test)]
mod simulation;

#[cfg(feature = "cluster")]
#[cfg_attr(docsrs, doc(cfg(feature = "cluster")))]
pub use nats::{ClusterError, ClusterLog, ClusterOptions, ShardOptions};
pub use report::{ClusterReport, ClusterStatus, NodeReport, ReplicaReport};
