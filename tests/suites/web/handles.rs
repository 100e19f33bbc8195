//! The handles of Juggler where something waits: slow readers, full inboxes, clients that come and
//! go, states that are encoded once.

use std::collections::BTreeMap;
use std::time::Duration;

use hat_aio::chatter::InboxLimits;
use hat_aio::juggler::peer;
use hat_aio::juggler::{
    Client, ConnectOptions, Connection, Handler, ListenOptions, Server, SharedState, connect,
    listen,
};
use hat_core::json::{Pointer, Value};
use hat_core::juggler::State;
use hat_core::ws;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep, within};
use serde_json::json;

use super::peer::upgraded;
use super::{local, until};

const ONE: InboxLimits = InboxLimits::new(1, 1);

fn path(text: &str) -> Pointer {
    text.parse().expect("a pointer")
}

fn value(json: serde_json::Value) -> Value {
    Value::from(json)
}

async fn server<R: TestRuntime>(state: &SharedState) -> Server {
    let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
    listen::<R>(local(), (), options).await.expect("a free port")
}

async fn client<R: TestRuntime>(server: &Server, options: ConnectOptions) -> Client {
    connect::<R>(server.addresses()[0], options).await.expect("connected")
}

fn at_once() -> SharedState {
    SharedState::new(State::default(), Some(Duration::ZERO))
}

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth's MMIX
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A handler that never answers.
struct Never;

impl Handler for Never {
    async fn request(&self, _: &Connection, _: &str, _: Value) -> Result<Value, Value> {
        std::future::pending().await
    }
}

/// A server of 0.5 with the same configuration and inbox.
fn listening_as(options: &peer::ConnectOptions) -> peer::ListenOptions {
    let (config, inbox) = (options.config.clone(), options.inbox);
    peer::ListenOptions { config, inbox, ..Default::default() }
}

on_every_runtime! {
    async fn every_change_is_given_once_and_in_order<R>() {
        let state = at_once();
        let server = server::<R>(&state).await;
        let options = ConnectOptions { every_change: true, inbox: ONE, ..ConnectOptions::default() };
        let client = client::<R>(&server, options).await;
        until::<R>(|| state.followers() == 1).await;
        for number in 0..100 {
            state.change(|state| state.replace(number)).expect("small");
        }
        for number in 0..100 {
            assert_eq!(client.next_change().await.expect("open"), number.into());
        }
        server.close().await;
        client.next_change().await.expect_err("closed");
    }

    async fn every_change_of_a_peer_is_given_once_and_in_order<R>() {
        let mut options = peer::ConnectOptions { every_change: true, ..Default::default() };
        options.config.peer.autoflush_delay = Some(Duration::ZERO);
        let listening = peer::ListenOptions { every_change: true, ..listening_as(&options) };
        let server = peer::listen::<R>(local(), listening).await.expect("a free port");
        let one = peer::connect::<R>(server.addresses()[0], options).await.expect("connected");
        let other = server.accept().await.expect("a connection");
        let texts = ["abc", "xyz"].map(Value::from);
        for (from, to) in [(&one, &other), (&other, &one)] {
            for number in 0..100 {
                from.set_local_data(number).expect("small");
            }
            from.set_local_data(123).expect("small");
            for text in &texts {
                from.set_local_data(text.clone()).expect("small");
            }
            let expected = (0..100).chain([123]).map(Value::from).chain(texts.clone());
            for value in expected {
                assert_eq!(to.next_change().await.expect("open"), value);
            }
            assert_eq!(to.changed().await.expect("open"), texts[1]);
        }
        server.close().await;
    }

    async fn a_message_that_is_like_a_call_is_a_message<R>() {
        let options = peer::ConnectOptions::default();
        let server = peer::listen::<R>(local(), listening_as(&options)).await.expect("a free port");
        let one = peer::connect::<R>(server.addresses()[0], options).await.expect("connected");
        let other = server.accept().await.expect("a connection");
        let message = value(json!({"type": "rpc"}));
        one.send(&message).await.expect("sent");
        assert_eq!(other.receive().await.expect("open"), message);
        server.close().await;
    }

    async fn a_slow_reader_sees_the_newest_state<R>() {
        let state = at_once();
        let server = server::<R>(&state).await;
        let client = client::<R>(&server, ConnectOptions::default()).await;
        until::<R>(|| state.followers() == 1).await;
        for n in 1..=1000 {
            state.change(|state| state.replace(n)).expect("set");
        }
        until::<R>(|| client.state() == 1000.into()).await;
        // one change, and no backlog behind it
        assert_eq!(client.changed().await.expect("open"), 1000.into());
        let more = within::<R, _>(Duration::from_millis(50), client.changed()).await;
        assert!(more.is_none(), "{more:?}");
        // who was cloned before has not seen it, who is cloned now has
        let clone = client.clone();
        state.change(|state| state.replace("last")).expect("set");
        for handle in [&client, &clone] {
            assert_eq!(handle.changed().await.expect("open"), "last".into());
        }
        server.close().await;
        assert!(client.changed().await.is_err());
        assert_eq!(client.state(), "last".into());
    }

    async fn changes_newcomers_and_disconnects_follow_a_model<R>() {
        for seed in 0..4 {
            let mut random = Random(seed);
            let delay = [Some(Duration::ZERO), Some(Duration::from_millis(3)), None][seed as usize % 3];
            let state = SharedState::new(State::default(), delay);
            let server = server::<R>(&state).await;
            let mut model = json!({});
            state.change(|state| state.replace(value(model.clone()))).expect("set");
            let mut clients = BTreeMap::new();
            for step in 0..200 {
                let (name, index) = (format!("k{}", random.below(4)), random.below(4));
                let pointer = path(&format!("/{name}/{index}"));
                match random.below(8) {
                    0..=3 => {
                        let list = json!([step, {"deep": [step]}, null, "ž"]);
                        state.change(|it| it.set(&path(&format!("/{name}")), value(list.clone()))).expect("set");
                        model[&name] = list;
                    }
                    4 => {
                        let removed = state.change(|it| it.remove(&pointer));
                        let list = model.get_mut(&name).and_then(serde_json::Value::as_array_mut);
                        let modelled = list.filter(|list| index < list.len() as u64).map(|list| list.remove(index as usize));
                        assert_eq!(removed, modelled.map(Value::from), "seed {seed}, step {step}");
                    }
                    5 if clients.len() < 5 => {
                        clients.insert(step, client::<R>(&server, ConnectOptions::default()).await);
                    }
                    6 => {
                        // closed orderly, or dropped
                        let gone = clients.pop_first().filter(|_| random.below(2) == 0);
                        if let Some((_, client)) = gone {
                            client.close().await;
                        }
                    }
                    _ => state.flush(),
                }
                // the owner's value is the model at every step, not only in the end
                assert_eq!(state.value(), value(model.clone()), "seed {seed}, step {step}");
            }
            state.flush();
            for (number, client) in &clients {
                let told = async {
                    while client.state() != state.value() {
                        client.changed().await.expect("open");
                    }
                };
                let told = within::<R, _>(Duration::from_secs(20), told).await;
                assert!(told.is_some(), "seed {seed}: client {number} has {:?}", client.state());
            }
            until::<R>(|| state.followers() == clients.len()).await;
        }
    }

    /// What is queued for a client that does not read is bounded by `max_queued`: it is told what
    /// it lacks, as one patch, once it reads.
    async fn a_client_that_does_not_read<R>() {
        let state = at_once();
        let max_queued = 256 * 1024;
        let options = ListenOptions {
            state: Some(state.clone()),
            ws: ws::Config { max_queued, ..ws::Config::default() },
            ..ListenOptions::default()
        };
        let server = listen::<R>(local(), (), options).await.expect("a free port");
        let stuck = upgraded::<R>(server.addresses()[0]).await;
        let reading = client::<R>(&server, ConnectOptions::default()).await;
        until::<R>(|| state.followers() == 2).await;
        // 20 MB in all, more than any system's buffers hold
        for n in 0..200 {
            let text = format!("{n} {}", "x".repeat(100_000));
            state.change(|state| state.set(&path("/text"), text)).expect("set");
        }
        while reading.state() != state.value() {
            reading.changed().await.expect("open");
        }
        // the others do not wait for it, and it is still there
        assert_eq!(server.connections().len(), 2);
        drop(stuck);
        until::<R>(|| server.connections().len() == 1).await;
    }

    async fn a_client_with_a_full_inbox_can_close<R>() {
        let server = server::<R>(&at_once()).await;
        let options = ConnectOptions { inbox: ONE, ..ConnectOptions::default() };
        let client = client::<R>(&server, options).await;
        until::<R>(|| server.connections().len() == 1).await;
        for n in 0..10 {
            server.notify_all("n", &n.into());
        }
        server.connections()[0].drain().await.expect("open");
        assert_eq!(&*client.notification().await.expect("one").name, "n");
        // orderly: the server's Close is seen behind all that nobody takes
        let error = client.close().await;
        assert!(error.protocol().is_some_and(hat_core::juggler::Error::is_closed), "{error}");
        until::<R>(|| server.connections().is_empty()).await;
    }

    async fn a_server_with_a_full_inbox_can_close<R>() {
        let mut options = ListenOptions { inbox: ONE, ..ListenOptions::default() };
        // more than the handler holds stands in the inbox
        options.config.parallel_requests = true;
        let server = listen::<R>(local(), Never, options).await.expect("a free port");
        let client = client::<R>(&server, ConnectOptions::default()).await;
        for n in 0..10 {
            let asking = client.clone();
            R::spawn(async move { drop(asking.send("never", &n.into()).await) });
        }
        until::<R>(|| server.connections().len() == 1).await;
        server.close().await;
        let error = client.closed().await;
        assert!(error.protocol().is_some_and(hat_core::juggler::Error::is_closed), "{error}");
    }

    async fn a_peer_with_a_full_inbox_can_close<R>() {
        let options = peer::ConnectOptions { inbox: ONE, ..peer::ConnectOptions::default() };
        let listening = peer::listen::<R>(local(), listening_as(&options));
        let server = listening.await.expect("a free port");
        let connecting = peer::connect::<R>(server.addresses()[0], options);
        let one = connecting.await.expect("connected");
        let other = server.accept().await.expect("the other end");
        for n in 0..10 {
            one.send(&n.into()).await.expect("sent");
        }
        one.drain().await.expect("sent");
        assert_eq!(other.receive().await.expect("a message"), 0.into());
        let error = other.close().await;
        assert!(error.protocol().is_some_and(hat_core::juggler::Error::is_closed), "{error}");
        one.closed().await;
    }

    async fn a_flush_of_a_peer_waits_until_it_is_written<R>() {
        let mut options = peer::ConnectOptions::default();
        options.config.peer.autoflush_delay = None;
        let listening = peer::listen::<R>(local(), listening_as(&options));
        let server = listening.await.expect("a free port");
        let connecting = peer::connect::<R>(server.addresses()[0], options);
        let one = connecting.await.expect("connected");
        let other = server.accept().await.expect("the other end");
        one.set_local_data(1).expect("set");
        sleep::<R>(Duration::from_millis(30)).await;
        assert!(other.remote_data().is_null(), "nobody flushed");
        one.flush().await.expect("flushed");
        assert_eq!(other.changed().await.expect("open"), 1.into());
        // nothing to flush is done at once, and after the end it fails
        one.flush().await.expect("flushed");
        one.close().await;
        assert!(one.flush().await.is_err());
        other.closed().await;
    }
}
