//! Juggler 0.5 over real sockets, both ends ours.

use hat_aio::juggler::peer::{
    CallError, ConnectOptions, Connection, ListenOptions, Received, Server, connect, listen,
};
use hat_core::json::{Pointer, Value};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;
use serde_json::json;

use super::{local, until};

fn value(json: serde_json::Value) -> Value {
    Value::from(json)
}

/// A client and the server's end of its connection. The server must be kept.
async fn pair<R: TestRuntime>(options: ConnectOptions) -> (Server, Connection, Connection) {
    let (config, inbox) = (options.config.clone(), options.inbox);
    let server = listen::<R>(local(), ListenOptions { config, inbox, ..Default::default() });
    let server = server.await.expect("a free port");
    let client = connect::<R>(server.addresses()[0], options);
    let client = client.await.expect("connected");
    let accepted = server.accept().await.expect("the other end");
    (server, client, accepted)
}

async fn until_data(connection: &Connection, expected: serde_json::Value) {
    let expected = value(expected);
    while connection.remote_data() != expected {
        connection.changed().await.expect("open");
    }
}

on_every_runtime! {
    async fn data_and_messages_both_ways<R>() {
        let (_server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        assert_eq!(accepted.client().expect("a client").address, "127.0.0.1");
        for (one, other) in [(&client, &accepted), (&accepted, &client)] {
            one.set_local_data(value(json!({"a": [1, 2]}))).expect("set");
            until_data(other, json!({"a": [1, 2]})).await;
            let path: Pointer = "/a/1".parse().expect("a pointer");
            one.change(|state| state.set(&path, 3)).expect("set");
            one.flush().await.expect("flushed");
            until_data(other, json!({"a": [1, 3]})).await;
            assert_eq!(one.local_data(), value(json!({"a": [1, 3]})));
            one.send(&value(json!({"text": "hello"}))).await.expect("sent");
            match other.receive().await.expect("a message") {
                Received::Message(message) => assert_eq!(message, value(json!({"text": "hello"}))),
                Received::Call(call) => panic!("{call:?}"),
            }
        }
    }

    async fn calls_both_ways<R>() {
        let (_server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        for (one, other) in [(&client, &accepted), (&accepted, &client)] {
            let serving = other.clone();
            R::spawn(async move {
                while let Ok(Received::Call(call)) = serving.receive().await {
                    let sum = call.args.iter().filter_map(Value::as_i64).sum::<i64>();
                    match &*call.action {
                        "add" => call.respond(Ok(&sum.into())).await.expect("sent"),
                        "fail" => call.respond(Err(&"it fails".into())).await.expect("sent"),
                        // what nobody answers
                        _ => drop(call),
                    }
                }
            });
            assert_eq!(one.call("add", &[1.into(), 2.into()]).await.expect("a result"), 3.into());
            for (action, expected) in [("fail", "it fails"), ("fly", "invalid action")] {
                match one.call(action, &[]).await {
                    Err(CallError::Failed(why)) => assert_eq!(why, expected.into()),
                    other => panic!("{other:?}"),
                }
            }
            // ends the task above, so that the other direction has its own
            one.send(&Value::Null).await.expect("sent");
        }
    }

    async fn an_open_call_fails_with_its_connection<R>() {
        let (server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        R::spawn(async move {
            let call = accepted.receive().await.expect("a call");
            accepted.close().await;
            drop(call);
        });
        let error = client.call("never", &[]).await.expect_err("closed");
        assert!(matches!(error, CallError::Ended(_)), "{error}");
        until::<R>(|| server.open_connections() == 0).await;
    }
}
