//! Our client of events against a deployed server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hat_aio::eventer::{Client, ConnectOptions, Notification, connect};
use hat_core::chatter::PingRule;
use hat_core::eventer::{EventType, QueryParams, RegisterEvent, ServerParams};
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::chatter::Layer;
use hat_tests::peers::{self, Handle, Peer, skipped};
use hat_tests::runtimes::{TestRuntime, sleep};
use serde_json::{Value, json};
use smol::channel::unbounded;

use super::link::deployed;

/// A server of the deployed software.
struct Theirs {
    peer: &'static Peer,
    object: Handle,
    addr: SocketAddr,
}

impl Theirs {
    fn listen(more: &Value) -> Self {
        let (peer, addr) = (deployed(Layer::Chatter), peers::unused_addr());
        let mut params = json!({"addr": peers::to_addr(addr), "ping_delay": 0});
        let fields = params.as_object_mut().expect("an object");
        fields.extend(more.as_object().cloned().unwrap_or_default());
        Self { peer, object: peer.open("eventer.listen", params), addr }
    }

    async fn client<R: TestRuntime>(&self, mut options: ConnectOptions) -> Client {
        options.subscriptions = vec![EventType::from_segments(["*"])];
        connect::<R>(self.addr, "ours", options).await.expect("it takes every client")
    }
}

fn number(number: i64) -> QueryParams {
    ServerParams { server_id: number, ..ServerParams::default() }.into()
}

fn event(instance: i64) -> Value {
    json!({"id": [1, 1, instance], "type": ["a"], "timestamp": [0, 0], "source_timestamp": null,
           "payload": null})
}

on_threaded_runtimes! {
    async fn a_result_of_100_000_events<R>() {
        if skipped("a_result_of_100_000_events") {
            return;
        }
        let theirs = Theirs::listen(&json!({"has_query_cb": true}));
        let client = theirs.client::<R>(ConnectOptions::default()).await;
        let (answers, answer) = unbounded();
        let asking = client.clone();
        R::spawn(async move {
            let _ = answers.send(asking.query(&number(1)).await).await;
        });
        let events: Vec<Value> = (1..=100_000).map(event).collect();
        let call = theirs.peer.call_of("query", theirs.object);
        call.reply(Ok(json!({"events": events, "more_follows": true})));
        let result = answer.recv().await.expect("an answer").expect("a result");
        assert!(result.more_follows);
        assert_eq!(result.events.len(), 100_000);
        assert!((1..).zip(&result.events).all(|(instance, event)| event.id.instance == instance));
    }

    async fn a_thousand_requests_at_once<R>() {
        if skipped("a_thousand_requests_at_once") {
            return;
        }
        let theirs = Theirs::listen(&json!({"has_query_cb": true}));
        let client = theirs.client::<R>(ConnectOptions::default()).await;
        let (answers, answer) = unbounded();
        for asked in 0..1000 {
            let (client, answers) = (client.clone(), answers.clone());
            R::spawn(async move {
                let result = client.query(&number(asked)).await.expect("a result");
                let _ = answers.send((asked, result.events[0].id.instance)).await;
            });
        }
        for _ in 0..1000 {
            let call = theirs.peer.call_of("query", theirs.object);
            let asked = call.params["params"]["server_id"].as_i64().expect("a number");
            call.reply(Ok(json!({"events": [event(asked)], "more_follows": false})));
        }
        let mut all = Vec::new();
        for _ in 0..1000 {
            let (asked, answered) = answer.recv().await.expect("an answer");
            assert_eq!(asked, answered);
            all.push(asked);
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000));
    }

    /// More than either side queues; the server sees them in order.
    async fn registrations_that_wait_for_room<R>() {
        if skipped("registrations_that_wait_for_room") {
            return;
        }
        let theirs = Theirs::listen(&json!({}));
        let mut options = ConnectOptions::default();
        options.config.chatter.max_queued = 100_000;
        let client = theirs.client::<R>(options).await;
        let payload = hat_core::eventer::Payload::binary("", vec![1; 1000]);
        let event = RegisterEvent { payload: Some(payload), ..RegisterEvent::default() };
        for _ in 0..2000 {
            client.register(std::slice::from_ref(&event)).await.expect("sent");
        }
        let answer = client.register_with_response(&[event]).await.expect("an answer");
        assert_eq!(answer, None);
        assert!(client.query(&number(1)).await.expect("a result").events.is_empty());
    }

    /// The ack goes when the events do, and large ones are taken whole.
    async fn large_notifications_with_acks<R>() {
        if skipped("large_notifications_with_acks") {
            return;
        }
        let theirs = Theirs::listen(&json!({}));
        let client = theirs.client::<R>(ConnectOptions::default()).await;
        let events: Vec<Value> = (1..=10_000).map(event).collect();
        let params = json!({"obj": theirs.object, "events": events, "persisted": false, "with_ack": true});
        let notified = theirs.peer.start("eventer.notify_events", params);
        let told = client.next().await.expect("events");
        let Notification::Events(told) = told else { panic!("{told:?}") };
        assert_eq!(told.len(), 10_000);
        assert!(!notified.is_ready());
        drop(told);
        notified.expect();
    }

    async fn pings<R>() {
        if skipped("pings") {
            return;
        }
        let often = Duration::from_millis(300);
        let theirs = Theirs::listen(&json!({"ping_delay": 0.3, "ping_timeout": 20, "status": "starting"}));
        let mut options = ConnectOptions::default();
        options.config.chatter.ping = PingRule::WhenIdle { delay: often, timeout: Duration::from_secs(20) };
        let client = theirs.client::<R>(options).await;
        sleep::<R>(often * 4).await;
        assert!(client.end_reason().is_none());
        client.query(&number(1)).await.expect("a result");
    }

    /// A server that is busy with a callback still answers pings: its connection does.
    async fn pings_are_answered_while_a_callback_waits<R>() {
        if skipped("pings_are_answered_while_a_callback_waits") {
            return;
        }
        let theirs = Theirs::listen(&json!({"has_query_cb": true}));
        let mut options = ConnectOptions::default();
        let delay = Duration::from_millis(200);
        options.config.chatter.ping = PingRule::WhenIdle { delay, timeout: Duration::from_secs(20) };
        let client = theirs.client::<R>(options).await;
        let (answers, answer) = unbounded();
        let asking = client.clone();
        R::spawn(async move {
            let _ = answers.send(asking.query(&number(1)).await).await;
        });
        let call = theirs.peer.call_of("query", theirs.object);
        let started = Instant::now();
        sleep::<R>(delay * 4).await;
        assert!(client.end_reason().is_none() && started.elapsed() >= delay * 4);
        call.reply(Ok(json!({"events": [], "more_follows": true})));
        let result = answer.recv().await.expect("an answer").expect("a result");
        assert!(result.more_follows);
    }
}
