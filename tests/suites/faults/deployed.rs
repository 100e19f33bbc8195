//! The deployed event server, killed in the middle of its work, and another one in its place.

use hat_aio::eventer::{
    Client, ReconnectOptions, ReconnectingClient, RequestError, Update, keep_connected,
};
use hat_core::eventer::reconnect::{CatchUpConfig, RetryConfig};
use hat_core::eventer::{EventType, LatestParams};
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{self, Peer, handle, skipped};
use hat_tests::runtimes::TestRuntime;
use serde_json::{Value, json};
use smol::channel::bounded;
use std::net::SocketAddr;
use std::time::Duration;

use crate::at_once;

/// A server that asks us what to answer.
fn serve(peer: &Peer, address: SocketAddr) -> peers::Handle {
    let params = json!({"addr": peers::to_addr(address), "has_query_cb": true});
    handle(&peer.expect("eventer.listen", params)["obj"])
}

fn event(session: i64) -> Value {
    json!({"id": [1, session, 1], "type": ["a"], "timestamp": [session, 0],
           "source_timestamp": null, "payload": null})
}

/// The sessions of the events of the next update that has any, or that catching up is done.
async fn sessions(client: &ReconnectingClient) -> Result<Vec<i64>, bool> {
    loop {
        match client.next().await.expect("it goes on") {
            Update::Events(events) => {
                return Ok(events.iter().map(|event| event.id.session).collect());
            }
            Update::CaughtUp { complete, gap } => {
                println!("caught up, gap: {gap:?}");
                return Err(complete);
            }
            _ => {}
        }
    }
}

fn ask_a_thousand<R: TestRuntime>(client: &Client) -> smol::channel::Receiver<RequestError> {
    let (failures, failed) = bounded(1000);
    for _ in 0..1000 {
        let (client, failures) = (client.clone(), failures.clone());
        R::spawn(async move {
            let error = client.query(LatestParams::default()).await.expect_err("killed");
            let _ = failures.send(error).await;
        });
    }
    failed
}

on_threaded_runtimes! {
    async fn a_deployed_server_is_killed_and_replaced<R>() {
        if skipped("a_deployed_server_is_killed_and_replaced") {
            return;
        }
        let address = peers::unused_addr();
        // both are there before it begins: to start takes them seconds, in which others could take
        // the port
        let (peer, next) = (Peer::today(), Peer::today());
        let server = serve(&peer, address);
        let mut options = ReconnectOptions {
            catch_up: Some(CatchUpConfig::default()),
            retry: RetryConfig { max_delay: Duration::from_millis(500), ..RetryConfig::default() },
            ..ReconnectOptions::default()
        };
        options.client.subscriptions = vec![EventType::from_segments(["*"])];
        let client = keep_connected::<R>(address, "ours", options).await.expect("subscriptions");
        // there is nothing yet: neither on the connection that finds the position, which asks for
        // the newest and for the latest, nor on the one that subscribes, which also asks what the
        // oldest is
        let nothing = || Ok(json!({"events": [], "more_follows": false}));
        for _ in 0..5 {
            peer.call_of("query", server).reply(nothing());
        }
        let connection = client.connected().await.expect("it goes on");
        assert_eq!(sessions(&client).await, Err(true));
        let told = json!({"obj": server, "events": [event(1)], "persisted": false, "with_ack": false});
        peer.expect("eventer.notify_events", told);
        assert_eq!(sessions(&client).await, Ok(vec![1]));

        let failed = ask_a_thousand::<R>(&connection);
        // the first has come to it, and waits for us
        let call = peer.call_of("query", server);
        drop(call);
        drop(peer);
        let all_fail = async {
            for _ in 0..1000 {
                let error = failed.recv().await.expect("one more");
                assert!(matches!(error, RequestError::Ended(_)), "{error:?}");
            }
        };
        at_once::<R, _>(all_fail).await;

        let (peer, server) = (&next, serve(&next, address));
        // who else registered since?
        let call = peer.call_of("query", server);
        // by a clock that may be a minute behind
        assert_eq!(call.params["params"]["t_from"], json!([-59, 0]));
        call.reply(Ok(json!({"events": [event(1), event(2)], "more_follows": false})));
        let call = peer.call_of("query", server);
        let asked = &call.params["params"];
        assert_eq!(asked["server_id"], 1);
        assert_eq!(asked["last_event_id"], json!([1, 1, 0]));
        // told before the answer, and in the answer too
        let told = json!({"obj": server, "events": [event(3)], "persisted": false, "with_ack": false});
        peer.expect("eventer.notify_events", told);
        let found = [event(1), event(2), event(3)];
        call.reply(Ok(json!({"events": found, "more_follows": false})));
        assert_eq!(sessions(&client).await, Ok(vec![2, 3]));
        // is everything kept since the last that was seen?
        let call = peer.call_of("query", server);
        assert_eq!(call.params["params"]["max_results"], 1);
        call.reply(Ok(json!({"events": [event(1)], "more_follows": true})));
        assert_eq!(sessions(&client).await, Err(true));
        let told = json!({"obj": server, "events": [event(4)], "persisted": false, "with_ack": false});
        peer.expect("eventer.notify_events", told);
        assert_eq!(sessions(&client).await, Ok(vec![4]));
        client.close().await;
    }
}
