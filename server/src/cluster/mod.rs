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
//!
//! The session's number is the sequence of its message, so ids are the same on every node, and
//! none is given twice.
//!
//! **What carries the messages is not here yet**: these are the rules, without a driver over NATS,
//! and no [`Log`](crate::store::Log) is made of them. `hat serve` has no clusters.

pub mod message;
pub mod outbox;
pub mod replica;
#[cfg(test)]
mod simulation;
