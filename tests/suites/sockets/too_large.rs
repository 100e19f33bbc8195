//! A message that is too large for the side that is to take it: who refuses it says so in its log,
//! and who sent it does, too, at the level that is shown by default.

use hat_aio::chatter::{self, SendOptions};
use hat_aio::{cotp, eventer, juggler, websocket};
use hat_core::eventer::{EventType, Payload, RegisterEvent};
use hat_core::json::Value;
use hat_tests::logged;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;

use crate::{data, local};

const MIB: usize = 1024 * 1024;

/// Both lines, the one of who refused first.
async fn lines<R: TestRuntime>(
    client: std::net::SocketAddr,
    server: std::net::SocketAddr,
) -> [String; 2] {
    [logged::about::<R>(client).await, logged::about::<R>(server).await]
}

#[track_caller]
fn says(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "no `{part}` in: {line}");
    }
}

const REFUSED: &str = "a message is larger than the limit: the connection is closed";
const UNANSWERED: &str = "the connection ended after a large message that was not answered";

on_every_runtime! {
    async fn over_chatter<R>() {
        logged::start();
        let mut options = chatter::ConnectOptions::default();
        options.config.max_message = 2 * MIB;
        let server = chatter::listen::<R>(local(), options.into()).await.expect("listens");
        let address = server.addresses()[0];
        let client = chatter::connect::<R>(address, chatter::ConnectOptions::default()).await;
        let client = client.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        let message = data(vec![1; 3 * MIB]);
        // the connection may have ended before it was all queued
        let _ = client.send(message, SendOptions::default()).await;
        accepted.receive().await.expect_err("refused");
        let [refuser, sender] = lines::<R>(client.local_address(), address).await;
        says(&refuser, &["WARN", REFUSED, "protocol=\"chatter\"", "size=3145", "limit=2097152"]);
        says(&sender, &["WARN", UNANSWERED, "protocol=\"chatter\"", "size=3145"]);
    }

    async fn what_was_answered_was_not_too_large<R>() {
        logged::start();
        let options = chatter::ConnectOptions::default();
        let server = chatter::listen::<R>(local(), options.clone().into()).await.expect("listens");
        let address = server.addresses()[0];
        let client = chatter::connect::<R>(address, options).await.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        client.send(data(vec![1; 3 * MIB]), SendOptions::default()).await.expect("sent");
        accepted.receive().await.expect("it fits");
        accepted.send(data(vec![1]), SendOptions::default()).await.expect("sent");
        client.receive().await.expect("an answer");
        accepted.close().await;
        client.closed().await;
        assert!(logged::nothing_about(address) && logged::nothing_about(client.local_address()));
    }

    async fn over_cotp<R>() {
        logged::start();
        let mut options = cotp::ConnectOptions::default();
        options.config.max_tsdu = MIB;
        let server = cotp::listen::<R>(local(), options.into()).await.expect("listens");
        let address = server.addresses()[0];
        let client = cotp::connect::<R>(address, cotp::ConnectOptions::default()).await;
        let client = client.expect("confirmed");
        let accepted = server.accept().await.expect("the other end");
        let _ = client.send(vec![1; 2 * MIB]).await;
        accepted.receive().await.expect_err("refused");
        let [refuser, sender] = lines::<R>(client.local_address(), address).await;
        says(&refuser, &["WARN", REFUSED, "protocol=\"cotp\"", "size=1048577", "limit=1048576"]);
        says(&sender, &["WARN", UNANSWERED, "protocol=\"cotp\"", "size=2097152"]);
    }

    async fn over_websocket<R>() {
        logged::start();
        let mut options = websocket::ListenOptions::default();
        options.config.max_message = 1000;
        let server = websocket::listen::<R>(local(), options).await.expect("listens");
        let address = server.addresses()[0];
        let options = websocket::ConnectOptions::default();
        let client = websocket::connect::<R>(address, options).await.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        client.send(vec![0; 1001]).await.expect("sent");
        accepted.receive().await.expect_err("refused");
        let [refuser, sender] = lines::<R>(client.local_address(), address).await;
        says(&refuser, &["WARN", REFUSED, "protocol=\"websocket\"", "size=1001", "limit=1000"]);
        let reason = "reason=\"a message of at least 1001 bytes, but the limit is 1000\"";
        says(&sender, &["WARN", "a message was larger than its limit", "largest=1001", reason]);
    }

    async fn over_eventer<R>() {
        logged::start();
        let mut options = eventer::ListenOptions::default();
        options.config.chatter.max_message = 2 * MIB;
        let server = eventer::listen::<R>(local(), (), options).await.expect("listens");
        let address = server.addresses()[0];
        let options = eventer::ConnectOptions::default();
        let client = eventer::connect::<R>(address, "a", options).await.expect("taken");
        let payload = Payload::binary("t", vec![1; 3 * MIB]);
        let event_type = EventType::from_segments(["a"]);
        let event = RegisterEvent { payload: Some(payload), ..RegisterEvent::new(event_type) };
        client.register_with_response(&[event]).await.expect_err("refused");
        let [refuser, sender] = lines::<R>(client.local_address(), address).await;
        says(&refuser, &["WARN", REFUSED, "\"eventer server\"", "size=3145", "limit=2097152"]);
        says(&sender, &["WARN", UNANSWERED, "\"eventer client\"", "size=3145"]);
    }

    /// In segments that the WebSocket would each take.
    async fn over_juggler<R>() {
        logged::start();
        let mut options = juggler::ListenOptions::default();
        options.config.transport.max_message = 1000;
        let server = juggler::listen::<R>(local(), (), options).await.expect("listens");
        let address = server.addresses()[0];
        let mut options = juggler::ConnectOptions::default();
        options.config.transport.max_segment_size = 600;
        let client = juggler::connect::<R>(address, options).await.expect("connected");
        client.send("x", &Value::from("x".repeat(1500))).await.expect_err("refused");
        let [refuser, sender] = lines::<R>(client.local_address(), address).await;
        says(&refuser, &["WARN", REFUSED, "\"juggler server\"", "size=1001", "limit=1000"]);
        let reason = "reason=\"a message of more than 1000 bytes, which is the limit\"";
        says(&sender, &["WARN", "a message was larger than its limit", "largest=15", reason]);
    }
}
