//! The cluster of a server, where this program was built with clusters.

use anyhow::Result;
use hat_server::Options;

use crate::conf::settings::ClusterSettings;
use crate::exit::Failure;

/// The options with the cluster that the settings ask for.
#[cfg(feature = "cluster")]
pub(super) fn join(mut options: Options, cluster: Option<ClusterSettings>) -> Result<Options> {
    use hat_server::cluster::ClusterOptions;

    let Some(cluster) = cluster else { return Ok(options) };
    let servers = servers(cluster.servers.as_deref().unwrap_or_default()).map_err(Failure::Input)?;
    let mut asked = ClusterOptions::new(servers, options.name.clone());
    if let Some(replicas) = cluster.replicas {
        asked.replicas = replicas.into();
    }
    asked.credentials = cluster.creds;
    asked.ca = cluster.ca;
    asked.certificate = cluster.cert.zip(cluster.key);
    options.cluster = Some(asked);
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

/// Without clusters there is none to join.
#[cfg(not(feature = "cluster"))]
pub(super) fn join(options: Options, cluster: Option<ClusterSettings>) -> Result<Options> {
    match cluster {
        None => Ok(options),
        Some(_) => Err(Failure::Input(
            "this hat was built without clusters: `cargo install hat-cli --features cluster`"
                .into(),
        )
        .into()),
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
        assert_eq!(of("tls://me:pw@a,tls://b"), ["tls://me:pw@a", "tls://b"]);
        assert!(servers("http://a").is_err());
    }
}
