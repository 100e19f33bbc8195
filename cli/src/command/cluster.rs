//! `hat cluster`, and what a server is told of its cluster.

use anyhow::Result;

use crate::args::ClusterCommand;
#[cfg(feature = "cluster")]
use crate::conf::settings::ClusterSettings;
use crate::exit::Failure;
#[cfg(feature = "cluster")]
use hat_core::eventer::{EventType, Subscription};
#[cfg(feature = "cluster")]
use hat_server::cluster::{ClusterStatus, ShardOptions};
#[cfg(feature = "cluster")]
use serde_json::json;

/// Without clusters there is none to ask or to join.
#[cfg(not(feature = "cluster"))]
pub(crate) fn not_built() -> Failure {
    let how = "`cargo install --path cli --features cluster`";
    Failure::Input(format!("this hat was built without the feature cluster: {how}"))
}

#[cfg(not(feature = "cluster"))]
pub(crate) async fn cluster(command: ClusterCommand) -> Result<()> {
    let ClusterCommand::Status(_) = command;
    Err(not_built().into())
}

#[cfg(feature = "cluster")]
pub(crate) async fn cluster(command: ClusterCommand) -> Result<()> {
    use crate::args::StatusFormat;

    let ClusterCommand::Status(args) = command;
    let options = options(args.settings(), "status".into())?;
    let status = ClusterStatus::ask(&options, args.server_id).await;
    let status = status.map_err(|error| Failure::Unreachable(error.to_string()))?;
    let text = match args.format {
        StatusFormat::Jsonl => lines(&status),
        StatusFormat::Table => table(&status),
    };
    crate::output::print_text(&text)?;
    let node = |node: &hat_server::cluster::ClusterReport| !node.serves;
    let conflict = status.shard_conflict();
    if let Some(reason) = status.reason {
        anyhow::bail!("the stream {}: {reason}", status.stream);
    }
    if status.nodes.is_empty() {
        anyhow::bail!("no node of {} answers", status.stream);
    }
    if let Some(node) = status.nodes.iter().find(|one| node(one)) {
        let reason = node.reason.as_deref().unwrap_or("it ends");
        anyhow::bail!("the node {} does not serve: {reason}", node.node);
    }
    if let Some(conflict) = conflict {
        anyhow::bail!(conflict);
    }
    Ok(())
}

/// A JSON line for the stream, and one for each node.
#[cfg(feature = "cluster")]
fn lines(status: &ClusterStatus) -> String {
    let replicas = status.replicas.iter().map(|one| {
        let (current, offline) = (one.current, one.offline);
        json!({"server": one.name, "current": current, "offline": offline, "lag": one.lag})
    });
    let mut text = json!({
        "stream": status.stream,
        "leader": status.leader,
        "replicas": replicas.collect::<Vec<_>>(),
        "first": status.first,
        "last": status.last,
        "bytes": status.bytes,
        "reason": status.reason,
    })
    .to_string();
    for node in &status.nodes {
        let line = json!({
            "node": node.node,
            "serves": node.serves,
            "active": node.active,
            "fenced": node.fenced,
            "stopped": node.stopped,
            "applied": node.applied,
            "lag": status.last.saturating_sub(node.applied),
            "waiting": node.waiting,
            "given_up": node.given_up,
            "shards": node.shards,
            "reason": node.reason,
        });
        text += &format!("\n{line}");
    }
    text + "\n"
}

/// For people: the stream, the NATS servers that keep it, the nodes.
#[cfg(feature = "cluster")]
fn table(status: &ClusterStatus) -> String {
    let ClusterStatus { stream, first, last, bytes, .. } = status;
    let mut text = format!("{stream}: messages {first} to {last}, {bytes} bytes\n\n");
    let mut servers = vec![["SERVER".to_owned(), "IS".to_owned(), "BEHIND".to_owned()]];
    servers.extend(status.leader.iter().map(|it| [it.clone(), "leader".into(), "0".into()]));
    servers.extend(status.replicas.iter().map(|one| {
        let is = match (one.offline, one.current) {
            (true, _) => "offline",
            (false, true) => "current",
            (false, false) => "catching up",
        };
        [one.name.clone(), is.into(), one.lag.to_string()]
    }));
    text += &columns(&servers);
    text.push('\n');
    let titles = ["NODE", "IS", "APPLIED", "BEHIND", "WAITING", "GIVEN UP", "WHY"];
    let mut nodes = vec![titles.map(str::to_owned)];
    nodes.extend(status.nodes.iter().map(|node| {
        let is = match (node.stopped, node.serves, node.active) {
            (true, ..) => "stopped",
            (false, true, None) => "serving",
            (false, true, Some(true)) => "active",
            (false, false, _) | (false, true, Some(false)) => "standby",
        };
        let behind = last.saturating_sub(node.applied);
        let counts = [node.applied, behind, node.waiting as u64, node.given_up];
        let [applied, behind, waiting, given_up] = counts.map(|it| it.to_string());
        let why = node.reason.clone().unwrap_or_default();
        [node.node.clone(), is.into(), applied, behind, waiting, given_up, why]
    }));
    text + &columns(&nodes)
}

/// Rows whose cells stand below each other.
#[cfg(feature = "cluster")]
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
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
    options.unfences = settings.unfence.unwrap_or_default();
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
        scheme => Err(format!(
            "--cluster: the scheme {scheme}:// is not supported: write nats:// or tls://"
        )),
    }
}

#[cfg(all(test, feature = "cluster"))]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_who_leads_and_who_is_behind() {
        let mut status = ClusterStatus::default();
        (status.stream, status.first, status.last) = ("hat-1".into(), 1, 120);
        status.leader = Some("n0".into());
        let mut replica = hat_server::cluster::ReplicaReport::default();
        (replica.name, replica.lag) = ("north".into(), 7);
        status.replicas = vec![replica];
        let mut node = hat_server::cluster::ClusterReport::default();
        (node.node, node.applied) = ("a".into(), 117);
        node.reason = Some("3 messages of the stream are still to be applied".into());
        let mut other = hat_server::cluster::ClusterReport::default();
        (other.node, other.applied, other.serves, other.active) =
            ("b".into(), 120, true, Some(true));
        status.nodes = vec![node, other];
        let expected = "\
hat-1: messages 1 to 120, 0 bytes

SERVER  IS           BEHIND
n0      leader       0
north   catching up  7

NODE  IS       APPLIED  BEHIND  WAITING  GIVEN UP  WHY
a     standby  117      3       0        0         3 messages of the stream are still to be applied
b     active   120      0       0        0
";
        assert_eq!(table(&status), expected);
        assert_eq!(lines(&status).lines().count(), 3);
    }

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
