//! What programs ask of the page's address.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};
use crate::store::Folder;
use crate::web::http::get;

/// Every metric, by its name and labels.
fn metrics(page: SocketAddr) -> BTreeMap<String, f64> {
    let answer = get(page, "/metrics", "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    let parse = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(parse).collect()
}

fn page_of(hat: &Hat) -> SocketAddr {
    // after what is logged at the start
    let address = loop {
        if let Some(rest) = hat.error_line().strip_prefix("page on http://") {
            break rest.trim_end_matches('/').to_owned();
        }
    };
    address.parse().expect("an address")
}

on_every_runtime! {
    fn what_the_server_has_done(runtime) {
        let folder = Folder::new();
        let args = format!("--store {} --web 127.0.0.1:0", folder.of("store"));
        let server = Server::start_of(runtime, &args);
        let (page, connect) = (page_of(&server.hat), format!("--connect {} --runtime {runtime}", server.address));
        let before = metrics(page);
        for (name, value) in [
            ("hat_registered_events_total", 0.0), ("hat_registered_sessions_total", 0.0),
            ("hat_connected_clients", 0.0), ("hat_cut_clients_total", 0.0), ("hat_store_working", 1.0),
            ("hat_status{status=\"operational\"}", 1.0), ("hat_status{status=\"standby\"}", 0.0),
            ("hat_waiting_registrations", 0.0), ("hat_store_failed_syncs_total", 0.0), ("hat_store_events", 0.0),
        ] {
            assert_eq!(before.get(name), Some(&value), "{name}: {before:?}");
        }
        assert!(before["hat_start_time_seconds"] > 1.7e9);

        let lines = "{\"type\":\"a\"}\n{\"type\":\"b\"}\n{\"type\":\"a\"}\n";
        let ended = hat_with(&format!("register --batch 1 {connect}"), lines);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let follower = Hat::start(&format!("subscribe --status {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        let after = metrics(page);
        for (name, value) in [
            ("hat_registered_events_total", 3.0), ("hat_registered_sessions_total", 3.0),
            ("hat_connected_clients", 1.0), ("hat_store_events", 3.0), ("hat_store_types", 2.0),
            ("hat_store_unindexed_events", 3.0),
        ] {
            assert_eq!(after.get(name), Some(&value), "{name}: {after:?}");
        }
        assert!(after["hat_store_syncs_total"] > before["hat_store_syncs_total"]);
        assert!(after["hat_store_sync_time_seconds_total"] > 0.0);
        assert!(after["hat_store_size_bytes"] > 0.0);

        let health = get(page, "/healthz", "");
        assert_eq!((health.status, health.header("content-type")), (200, "application/json"));
        let health: Value = serde_json::from_str(&health.body).expect("JSON");
        assert_eq!(health, json!({"status": "operational", "store": "good"}));
        assert_eq!(get(page, "/metrics/none", "").status, 404);
    }

    /// What is refused is counted, whether or not the client waits for an answer.
    fn what_was_refused(runtime) {
        let server = Server::start_of(runtime, "--web 127.0.0.1:0 --monitor 127.0.0.1:1");
        let (page, connect) = (page_of(&server.hat), format!("--connect {} --runtime {runtime}", server.address));
        assert_eq!(metrics(page)["hat_status{status=\"standby\"}"], 1.0);
        hat(&format!("register a {connect}")).failed(7);
        assert_eq!(metrics(page)["hat_failed_registrations_total"], 1.0);
        assert_eq!(get(page, "/healthz", "").status, 200, "a standby is well");
    }
}
