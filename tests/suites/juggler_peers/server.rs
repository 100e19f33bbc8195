//! Our server, and the client of `hat-juggler` 0.7.

use std::sync::Arc;

use hat_aio::juggler::{Connection, Handler, ListenOptions, Server, SharedState, listen};
use hat_core::json::Value;
use hat_core::juggler::State;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{ErrorKind, Peer, skipped};
use hat_tests::runtimes::TestRuntime;
use serde_json::json;
use smol::channel::{Sender, unbounded};

use super::{connect, local, path, ten_megabytes, value};

/// Answers with what it got, and tells who is gone.
struct Echo(Sender<()>);

impl Handler for Echo {
    async fn disconnected(&self, _: &Connection) {
        self.0.send(()).await.expect("the test waits");
    }

    async fn request(&self, _: &Connection, name: &str, data: Value) -> Result<Value, Value> {
        match name {
            "echo" => Ok(data),
            "never" => std::future::pending().await,
            _ => Err(value(json!({"unknown": name}))),
        }
    }
}

async fn serving<R: TestRuntime>(
    options: ListenOptions,
) -> (Arc<Server>, smol::channel::Receiver<()>) {
    let (sender, gone) = unbounded();
    let server = listen::<R>(local(), Echo(sender), options).await.expect("a free port");
    (Arc::new(server), gone)
}

on_threaded_runtimes! {
    async fn messages_of_10_megabytes<R>() {
        if skipped("juggler_peers::server::messages_of_10_megabytes") {
            return;
        }
        let text = ten_megabytes();
        let state = SharedState::new(State::default(), Some(std::time::Duration::ZERO));
        state.change(|state| state.set(&path("/text"), text.clone())).expect("set");
        let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
        let (server, _gone) = serving::<R>(options).await;
        let peer = Peer::today();
        let client = connect("juggler", &peer, server.addresses()[0]);
        let told = peer.event("state", client);
        assert!(told["data"]["text"] == *text, "the state arrived changed");
        // a change of a leaf is a small patch
        state.change(|state| state.set(&path("/n"), 1)).expect("set");
        assert_eq!(peer.event("state", client)["data"]["n"], 1);

        let ask = json!({"obj": client, "name": "echo", "data": text});
        assert!(peer.expect("juggler.send", ask)["data"] == *text);

        server.notify_all("large", &text.clone().into());
        let call = peer.call_of("notify", client);
        assert!(call.params["data"] == *text);
        call.reply(Ok(serde_json::Value::Null));
    }

    async fn a_failure_may_be_any_json<R>() {
        if skipped("juggler_peers::server::a_failure_may_be_any_json") {
            return;
        }
        let (server, _gone) = serving::<R>(ListenOptions::default()).await;
        let peer = Peer::today();
        let client = connect("juggler", &peer, server.addresses()[0]);
        let ask = json!({"obj": client, "name": "fly", "data": null});
        let error = peer.request("juggler.send", ask).expect_err("unknown");
        assert_eq!((error.kind, error.data), (ErrorKind::Juggler, json!({"unknown": "fly"})));
    }

    async fn a_client_that_is_killed<R>() {
        if skipped("juggler_peers::server::a_client_that_is_killed") {
            return;
        }
        let (server, gone) = serving::<R>(ListenOptions::default()).await;
        let peer = Peer::today();
        let client = connect("juggler", &peer, server.addresses()[0]);
        let echo = json!({"obj": client, "name": "echo", "data": 1});
        peer.expect("juggler.send", echo);
        assert_eq!(server.connections().len(), 1);
        drop(peer);
        gone.recv().await.expect("told");
        assert!(server.connections().is_empty());
    }

    async fn a_server_that_closes_with_a_request_open<R>() {
        if skipped("juggler_peers::server::a_server_that_closes_with_a_request_open") {
            return;
        }
        let mut options = ListenOptions::default();
        options.config.parallel_requests = true;
        let (server, gone) = serving::<R>(options).await;
        let peer = Peer::today();
        let client = connect("juggler", &peer, server.addresses()[0]);
        let open = peer.start("juggler.send", json!({"obj": client, "name": "never", "data": 1}));
        let echo = json!({"obj": client, "name": "echo", "data": 1});
        peer.expect("juggler.send", echo);
        server.close().await;
        gone.recv().await.expect("told");
        assert_eq!(open.wait().map_err(|error| error.kind), Err(ErrorKind::Connection));
        peer.event("closed", client);
    }
}
