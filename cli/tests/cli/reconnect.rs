//! `hat subscribe --reconnect`, against servers that come and go.

use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat};

on_every_runtime! {
    fn a_server_that_is_killed_and_comes_back(runtime) {
        let server = Server::start(runtime, "");
        let address = server.address.clone();
        let connect = format!("--connect {address} --runtime {runtime}");
        let follower = Hat::start(&format!("subscribe --reconnect --status {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        hat(&format!("register a {connect}")).json();
        assert_eq!(follower.json()["type"], json!(["a"]));

        server.hat.signal("KILL");
        drop(server);
        let line = follower.error_line();
        assert!(line.starts_with(&format!("no connection to {address}: ")), "{line}");
        assert!(line.contains("; trying again in 0."), "{line}");

        let again = Hat::start(&format!("serve --listen {address} --runtime {runtime}"));
        assert_eq!(again.error_line(), format!("listening on {address}"));
        // this server has nothing on a disk, and says so by what it answers
        let missing = "events of the outage may be missing: the server does not have them all";
        while follower.error_line() != missing {}
        hat(&format!("register b {connect}")).json();
        assert_eq!(follower.json()["type"], json!(["b"]));
        follower.signal("TERM");
        assert_eq!(follower.end().code, Some(0));
    }

    fn a_rejection_is_the_end(runtime) {
        let server = Server::start(runtime, "--token right");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let ended = hat(&format!("subscribe --reconnect --token wrong {connect}"));
        assert!(ended.failed(4).contains("rejected the connection"));
    }
}
