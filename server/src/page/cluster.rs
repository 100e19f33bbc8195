//! How the streams of a cluster are, as the page shows them.

use hat_core::json::{Object, Value};

use super::live::short;
use crate::cluster::{ClusterReport, NodeReport, ReplicaReport};

/// An element for each stream. `now` is in seconds since 1970: pages show ages, and the state does
/// not change because time passes.
pub(super) fn value(streams: &[ClusterReport], now: f64) -> Value {
    streams.iter().map(|stream| Value::from(of_stream(stream, now))).collect()
}

fn of_stream(stream: &ClusterReport, now: f64) -> Object {
    let leader = stream.leader.as_ref().map(|name| {
        let leader = ReplicaReport { name: name.clone(), current: true, ..Default::default() };
        server(&leader, true)
    });
    let replicas = stream.replicas.iter().map(|replica| server(replica, false));
    Object::from([
        ("stream", Value::from(&*stream.stream)),
        ("node", (&*stream.node).into()),
        ("serves", stream.serves.into()),
        ("stopped", stream.stopped.into()),
        ("reason", stream.reason.as_deref().map_or(Value::Null, Value::from)),
        ("applied", stream.applied.into()),
        ("last", stream.last.into()),
        ("waiting", (stream.waiting as u64).into()),
        ("given_up", stream.given_up.into()),
        ("servers", leader.into_iter().chain(replicas).collect()),
        ("nodes", stream.nodes.iter().map(|it| node(it, now)).collect()),
    ])
}

fn server(replica: &ReplicaReport, leads: bool) -> Value {
    Value::from(Object::from([
        ("name", Value::from(&*replica.name)),
        ("leads", leads.into()),
        ("current", replica.current.into()),
        ("offline", replica.offline.into()),
        ("lag", replica.lag.into()),
    ]))
}

fn node(node: &NodeReport, now: f64) -> Value {
    Value::from(Object::from([
        ("name", short(&node.name)),
        ("serves", node.serves.into()),
        ("active", node.active.map_or(Value::Null, Value::from)),
        ("reason", node.reason.as_deref().map_or(Value::Null, short)),
        ("applied", node.applied.into()),
        // whole seconds: an answer that is the same one keeps its time
        ("answered", (now - node.answered.as_secs_f64()).round().into()),
    ]))
}
