//! Our peer of 0.5, and that of `hat-juggler` 0.5.

use hat_aio::juggler::peer::{self, CallError, ConnectOptions, Connection, RpcConnection};
use hat_core::json::Value;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{self, Handle, Peer, skipped};
use hat_tests::runtimes::TestRuntime;
use serde_json::json;

use super::{connect, listen, local, ten_megabytes, value};

/// Our end of a connection, the peer's, and our server, where we have one.
struct Link {
    ours: Connection,
    theirs: Handle,
    _server: Option<peer::Server>,
}

async fn link<R: TestRuntime>(deployed: &Peer, we_connect: bool) -> Link {
    if we_connect {
        let (server, address) = listen("juggler05", deployed, json!({}));
        let connected = peer::connect::<R>(address, ConnectOptions::default()).await;
        let ours = connected.expect("the peer listens");
        let theirs = peers::handle(&deployed.event("accepted", server)["conn"]);
        return Link { ours, theirs, _server: None };
    }
    let server = peer::listen::<R>(local(), peer::ListenOptions::default()).await;
    let server = server.expect("a free port");
    let theirs = connect("juggler05", deployed, server.addresses()[0]);
    let ours = server.accept().await.expect("the peer has connected");
    Link { ours, theirs, _server: Some(server) }
}

async fn message(connection: &Connection) -> Value {
    connection.receive().await.expect("a message")
}

on_threaded_runtimes! {
    async fn data_and_messages_of_10_megabytes<R>() {
        if skipped("juggler_peers::peers05::data_and_messages_of_10_megabytes") {
            return;
        }
        let deployed = Peer::juggler05();
        for we_connect in [true, false] {
            // the deployed server takes no more than 4 MiB in a message
            let text = if we_connect { "až€😀".repeat(300_000) } else { ten_megabytes() };
            let Link { ours, theirs, _server } = link::<R>(&deployed, we_connect).await;
            ours.set_local_data(value(json!({"text": text}))).expect("set");
            ours.flush().await.expect("flushed");
            assert!(deployed.event("remote_data", theirs)["data"]["text"] == *text);
            let data = json!({"obj": theirs, "data": {"text": text}});
            deployed.expect("juggler05.set_local_data", data.clone());
            let data_here = ours.changed().await.expect("a change");
            assert!(data_here == value(json!({"text": text})));

            deployed.expect("juggler05.send", data);
            assert!(message(&ours).await == data_here);
            ours.send(&data_here).await.expect("sent");
            let received = deployed.expect("juggler05.receive", json!({"obj": theirs}));
            assert!(received["data"]["text"] == *text);
        }
    }

    async fn a_peer_that_is_killed<R>() {
        if skipped("juggler_peers::peers05::a_peer_that_is_killed") {
            return;
        }
        for we_connect in [true, false] {
            let deployed = Peer::juggler05();
            let Link { ours, theirs, _server } = link::<R>(&deployed, we_connect).await;
            let wrap = json!({"obj": theirs, "actions": ["never"], "default_action": false});
            deployed.expect("juggler05.rpc_wrap", wrap);
            let calling = RpcConnection::new(ours.clone());
            let (sender, called) = smol::channel::bounded(1);
            R::spawn(async move {
                drop(sender.send(calling.call("never", &[]).await).await);
            });
            drop(deployed.call());
            drop(deployed);
            let error = called.recv().await.expect("a result").expect_err("killed");
            assert!(matches!(error, CallError::Ended(_)), "{error}");
            ours.closed().await;
        }
    }
}
