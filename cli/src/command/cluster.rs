//! `hat cluster`, and what a server is told of its cluster.

use anyhow::Result;

use crate::args::ClusterCommand;
#[cfg(feature = "cluster")]
use crate::conf::settings::ClusterSettings;
use crate::exit::Failure;
#[cfg(feature = "cluster")]
use hat_core::eventer::{EventType, Subscription};
#[cfg(feature = "cluster")]
use hat_server::cluster::ShardOptions;

/// Without clusters there is none to ask or to join.
#[cfg(not(feature = "cluster"))]
pub(crate) fn not_built() -> Failure {
    let how = "`cargo install hat-cli --features cluster`";
    Failure::Input(format!("this hat was built without clusters: {how}"))
}

#[cfg(not(feature = "cluster"))]
pub(crate) async fn cluster(command: ClusterCommand) -> Result<()> {
    let ClusterCommand::Status(_) = command;
    Err(not_built().into())
}

#[cfg(feature = "cluster")]
pub(crate) async fn cluster(command: ClusterCommand) -> Result<()> {
    use std::io::Write as _;

    use hat_server::cluster::ClusterStatus;
    use serde_json::json;

    let ClusterCommand::Status(args) = command;
    let options = options(args.settings(), "status".into())?;
    let status = ClusterStatus::ask(&options, args.server_id).await;
    let status = status.map_err(|error| Failure::Unreachable(error.to_string()))?;
    let mut out = std::io::stdout().lock();
    let replicas = status.replicas.iter().map(|one| {
        let (current, offline) = (one.current, one.offline);
        json!({"server": one.name, "current": current, "offline": offline, "lag": one.lag})
    });
    let stream = json!({
        "stream": status.stream,
        "leader": status.leader,
        "replicas": replicas.collect::<Vec<_>>(),
        "first": status.first,
        "last": status.last,
        "bytes": status.bytes,
        "reason": status.reason,
    });
    writeln!(out, "{stream}")?;
    for node in &status.nodes {
        let line = json!({
            "node": node.node,
            "serves": node.serves,
            "stopped": node.stopped,
            "applied": node.applied,
            "lag": status.last.saturating_sub(node.applied),
            "waiting": node.waiting,
            "given_up": node.given_up,
            "reason": node.reason,
        });
        writeln!(out, "{line}")?;
    }
    let node = |node: &hat_server::cluster::ClusterReport| !node.serves;
    if let Some(reason) = status.reason {
        anyhow::bail!("the stream {}: {reason}", status.stream);
    }
    if let Some(node) = status.nodes.iter().find(|one| node(one)) {
        let reason = node.reason.as_deref().unwrap_or("it ends");
        anyhow::bail!("the node {} does not serve: {reason}", node.node);
    }
    Ok(())
}

/// What `settings` ask for, for the node `name`.
#[cfg(feature = "cluster")]
pub(crate) fn options(
    settings: ClusterSettings,
    name: String,
) -> Result<hat_server::cluster::ClusterOptions> {
    let servers = servers(settings.servers.as_deref().unwrap_or_default());
    let servers = servers.map_err(Failure::Input)?;
    let mut options = hat_server::cluster::ClusterOptions::new(servers, name);
    if let Some(replicas) = settings.replicas {
        options.replicas = replicas.into();
    }
    options.is_new = settings.new.unwrap_or_default();
    options.credentials = settings.creds;
    options.ca = settings.ca;
    options.certificate = settings.cert.zip(settings.key);
    let shards = settings.shards.into_iter().map(|shard| {
        let types = Subscription::new(shard.types.iter().map(|it| EventType::from(&**it)));
        let server_id = shard.server_id;
        let types = types.map_err(|error| {
            Failure::Input(format!("--cluster-shard (cluster.shards) of {server_id}: {error}"))
        })?;
        Ok(ShardOptions { server_id, types })
    });
    options.shards = shards.collect::<Result<_, Failure>>()?;
    Ok(options)
}

/// `nats://a,b,c` as addresses of their own: what stands before the first holds for all.
#[cfg(feature = "cluster")]
fn servers(text: &str) -> Result<Vec<String>, String> {
    let (scheme, hosts) = text.split_once("://").unwrap_or(("nats", text));
    let servers = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
    let server = |host: &str| match host.contains("://") {
        true => host.to_owned(),
        false => format!("{scheme}://{host}"),
    };
    match scheme {
        "nats" | "tls" => Ok(servers.map(server).collect()),
        scheme => Err(format!("--cluster: {scheme}:// is neither nats:// nor tls://")),
    }
}

#[cfg(all(test, feature = "cluster"))]
mod tests {
    use super::*;

    #[test]
    fn one_scheme_does_for_all_addresses() {
        let of = |text| servers(text).expect("addresses");
        assert_eq!(of("nats://a,b:1, c"), ["nats://a", "nats://b:1", "nats://c"]);
        assert_eq!(of("a"), ["nats://a"]);
        assert_eq!(of("tls://me:pw@a,b"), ["tls://me:pw@a", "tls://b"]);
        assert_eq!(of("tls://me:pw@a,tls://b"), ["tls://me:pw@a", "tls://b"]);
        assert!(servers("http://a").is_err());
    }
}
