//! Deployed clients of events against our server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hat_aio::eventer::{ConnectionInfo, Handler, ListenOptions, Server, listen};
use hat_core::chatter::PingRule;
use hat_core::eventer::{
    Event, EventId, EventType, Payload, QueryParams, QueryResult, RegisterEvent, Status, Timestamp,
};
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::chatter::Layer;
use hat_tests::peers::{self, Handle, Peer, skipped};
use hat_tests::runtimes::{TestRuntime, sleep};
use serde_json::{Value, json};

use super::link::deployed;

/// Registers everything, and gives as many events as the query says; remembers who left.
#[derive(Clone, Default)]
struct Store {
    sessions: Arc<Mutex<i64>>,
    left: Arc<Mutex<Vec<String>>>,
}

impl Handler for Store {
    async fn disconnected(&self, info: &ConnectionInfo) {
        let name = info.client_name.to_string();
        self.left.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    }

    async fn register(
        &self,
        _info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        let mut session = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        *session += 1;
        let register = |(instance, event): (i64, RegisterEvent)| Event {
            id: EventId::new(1, *session, instance),
            timestamp: Timestamp::from_secs(*session),
            event_type: event.event_type,
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        };
        Some((1..).zip(events).map(register).collect())
    }

    async fn query(&self, _info: &ConnectionInfo, params: QueryParams) -> QueryResult {
        let QueryParams::Server(params) = params else { return QueryResult::default() };
        let events = (1..=params.max_results.unwrap_or(0)).map(|instance| event(instance, None));
        QueryResult { events: events.collect(), more_follows: true }
    }
}

fn event(instance: i64, payload: Option<Payload>) -> Event {
    Event {
        id: EventId::new(1, 1, instance),
        event_type: EventType::from_segments(["a", "b"]),
        timestamp: Timestamp::from_secs(instance),
        source_timestamp: None,
        payload,
    }
}

async fn server<R: TestRuntime>(store: &Store, options: ListenOptions) -> Server {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    listen::<R>(address, store.clone(), options).await.expect("a free port")
}

/// A client of the deployed software.
fn client(server: &Server, name: &str, pings: f64) -> (&'static Peer, Handle) {
    let peer = deployed(Layer::Chatter);
    let params = json!({"addr": peers::to_addr(server.addresses()[0]), "client_name": name,
                        "subscriptions": [["a", "*"]], "ping_delay": pings, "ping_timeout": 20});
    (peer, peer.open("eventer.connect", params))
}

fn query(client: Handle, events: i64) -> Value {
    let params = json!({"kind": "server", "server_id": 1, "max_results": events});
    json!({"obj": client, "params": params})
}

on_threaded_runtimes! {
    async fn large_results<R>() {
        if skipped("large_results") {
            return;
        }
        let server = server::<R>(&Store::default(), ListenOptions::default()).await;
        let (peer, client) = client(&server, "theirs", 0.0);
        let result = peer.expect("eventer.query", query(client, 100_000));
        let events = result["events"].as_array().expect("events");
        assert_eq!(events.len(), 100_000);
        assert!((1..).zip(events).all(|(instance, event)| event["id"] == json!([1, 1, instance])));
    }

    async fn many_requests_in_order<R>() {
        if skipped("many_requests_in_order") {
            return;
        }
        // far fewer than are asked for at once
        let mut options = ListenOptions::default();
        options.config.max_requests = 16;
        options.inbox.messages = 16;
        let server = server::<R>(&Store::default(), options).await;
        let (peer, client) = client(&server, "theirs", 0.0);
        let requests: Vec<_> = (1..=1000)
            .map(|session| {
                let event = json!({"type": ["x"], "source_timestamp": [session, 1], "payload": null});
                let params = json!({"obj": client, "events": [event, event], "with_response": true});
                (session, peer.start("eventer.register", params))
            })
            .collect();
        for (session, request) in requests {
            let events = request.expect()["events"].take();
            assert_eq!(events[1]["id"], json!([1, session, 2]));
            assert_eq!(events[1]["source_timestamp"], json!([session, 1]));
        }
    }

    async fn status_and_events_in_order<R>() {
        if skipped("status_and_events_in_order") {
            return;
        }
        let server = server::<R>(&Store::default(), ListenOptions::default()).await;
        let (peer, client) = client(&server, "theirs", 0.0);
        let big = Payload::binary("big", vec![9; 1024 * 1024]);
        server.set_status(Status::Operational);
        for payload in [None, Some(big), None] {
            server.notify_events(&[event(1, payload)], false, false).await;
        }
        server.set_status(Status::Stopping);
        let reply = |name: &str| {
            let call = peer.call_of(name, client);
            let params = call.params.clone();
            call.reply(Ok(Value::Null));
            params
        };
        assert_eq!(reply("status"), json!({"status": "operational"}));
        for size in [0, 1024 * 1024, 0] {
            let payload = reply("events")["events"][0]["payload"].take();
            let data = if payload.is_null() { Vec::new() } else { peers::from_base64(&payload["data"]) };
            assert_eq!(data.len(), size);
        }
        assert_eq!(reply("status"), json!({"status": "stopping"}));
    }

    async fn pings_and_the_end<R>() {
        if skipped("pings_and_the_end") {
            return;
        }
        let delay = Duration::from_millis(300);
        let mut options = ListenOptions::default();
        options.config.chatter.ping = PingRule::WhenIdle { delay, timeout: Duration::from_secs(20) };
        let store = Store::default();
        let server = server::<R>(&store, options).await;
        let (peer, quiet) = client(&server, "quiet", 0.0);
        let (_, pings) = client(&server, "pings", 0.2);
        sleep::<R>(delay * 4).await;
        assert_eq!(server.connections().len(), 2);
        for client in [quiet, pings] {
            peer.expect("eventer.query", query(client, 1));
        }
        peer.expect("close", json!({"obj": quiet}));
        while server.connections().len() > 1 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
        server.close().await;
        assert_eq!(*store.left.lock().expect("no panic"), ["quiet", "pings"]);
        peer.event("closing", pings);
        peer.event("closed", pings);
    }
}
