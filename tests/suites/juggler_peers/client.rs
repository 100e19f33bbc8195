//! Our client, and the server of `hat-juggler` 0.7.

use std::net::SocketAddr;
use std::time::Duration;

use hat_aio::juggler::{Client, ConnectOptions, RequestError, connect};
use hat_core::json::Value;
use hat_core::juggler::{Error, PingRule};
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{self, Peer, skipped};
use hat_tests::runtimes::{TestRuntime, sleep};
use serde_json::json;

use super::{listen, path, ten_megabytes, value};

async fn client<R: TestRuntime>(address: SocketAddr, options: ConnectOptions) -> Client {
    connect::<R>(address, options).await.expect("the peer listens")
}

on_threaded_runtimes! {
    async fn a_state_of_10_megabytes_and_its_changes<R>() {
        if skipped("juggler_peers::client::a_state_of_10_megabytes_and_its_changes") {
            return;
        }
        let peer = Peer::today();
        let text = ten_megabytes();
        let state = json!({"text": text, "n": 0});
        let options = json!({"shared_state": true, "autoflush_delay": 0, "state": state});
        let (server, address) = listen("juggler", &peer, options);
        let client = client::<R>(address, ConnectOptions::default()).await;
        let state = client.changed().await.expect("a state");
        assert!(state.get(&path("/text")).and_then(Value::as_str) == Some(&*text));
        for n in 1..=20 {
            let set = json!({"obj": server, "path": ["n"], "value": n});
            peer.expect("juggler.state_set", set);
        }
        while client.state().get(&path("/n")) != Some(&20.into()) {
            client.changed().await.expect("open");
        }
        assert!(client.state().get(&path("/text")) == state.get(&path("/text")));
    }

    async fn requests_of_10_megabytes<R>() {
        if skipped("juggler_peers::client::requests_of_10_megabytes") {
            return;
        }
        let peer = Peer::today();
        let (_, address) = listen("juggler", &peer, json!({}));
        let data = value(json!({"text": ten_megabytes()}));
        for max_segment_size in [65_536, 1_000] {
            let mut options = ConnectOptions::default();
            options.config.transport.max_segment_size = max_segment_size;
            let client = client::<R>(address, options).await;
            assert!(client.send("", &data).await.expect("an echo") == data);
        }
    }

    async fn a_silent_connection_is_kept_alive_by_both<R>() {
        if skipped("juggler_peers::client::a_silent_connection_is_kept_alive_by_both") {
            return;
        }
        let peer = Peer::today();
        let (_, address) = listen("juggler", &peer, json!({"ping_delay": 0.1, "ping_timeout": 4}));
        let mut options = ConnectOptions::default();
        options.config.transport.ping = PingRule::WhenIdle {
            delay: Duration::from_millis(100),
            timeout: Duration::from_secs(4),
        };
        let client = client::<R>(address, options).await;
        // a ping without an answer would have ended it by then; less is what a busy machine takes
        sleep::<R>(Duration::from_secs(6)).await;
        assert_eq!(client.send("", &1.into()).await.expect("an echo"), 1.into());
    }

    async fn a_server_that_is_killed<R>() {
        if skipped("juggler_peers::client::a_server_that_is_killed") {
            return;
        }
        let peer = Peer::today();
        let (server, address) = listen("juggler", &peer, json!({"has_request_cb": true}));
        let client = client::<R>(address, ConnectOptions::default()).await;
        peers::handle(&peer.event("accepted", server)["conn"]);
        let asking = client.clone();
        let (asked, answer) = smol::channel::bounded(1);
        R::spawn(async move {
            drop(asked.send(asking.send("never", &Value::Null).await).await);
        });
        drop(peer.call());
        drop(peer);
        let error = answer.recv().await.expect("an answer").expect_err("killed");
        assert!(matches!(error, RequestError::Ended(_)), "{error}");
        // no Close came: that is no orderly end
        let error = client.closed().await;
        assert!(!error.protocol().is_some_and(Error::is_closed), "{error}");
    }
}
