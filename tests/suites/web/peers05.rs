//! Juggler 0.5 over real sockets, both ends ours.

use hat_aio::juggler::peer::{
    CallError, ConnectOptions, Connection, ListenOptions, MessageOrCall, RpcConnection, Server,
    connect, listen,
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
            let message = other.receive().await.expect("a message");
            assert_eq!(message, value(json!({"text": "hello"})));
        }
    }

    async fn calls_both_ways<R>() {
        let (_server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        let [client, accepted] = [client, accepted].map(RpcConnection::new);
        for (one, other) in [(&client, &accepted), (&accepted, &client)] {
            let serving = other.clone();
            R::spawn(async move {
                while let Ok(MessageOrCall::Call(call)) = serving.receive().await {
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
            one.connection().send(&Value::Null).await.expect("sent");
        }
    }

    /// What is a call, and what is like one, is a message until calls are asked for. What waits
    /// then is looked at again: the call is answered, whoever else has the connection.
    async fn calls_are_for_who_asks_for_them<R>() {
        let (server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        let call = value(json!({
            "type": "rpc", "id": 1, "direction": "request", "action": "a", "args": []
        }));
        for message in [&value(json!({"type": "rpc"})), &call] {
            client.send(message).await.expect("sent");
            assert_eq!(&accepted.receive().await.expect("open"), message);
        }
        // both wait while nobody takes them
        let client = RpcConnection::new(client);
        let calling = client.clone();
        let (sender, called) = smol::channel::bounded(1);
        R::spawn(async move {
            drop(sender.send(calling.call("a", &[]).await).await);
        });
        client.connection().send(&2.into()).await.expect("sent");
        // data come in the order of all else, so the call has come before
        client.connection().set_local_data(3).expect("set");
        client.connection().flush().await.expect("flushed");
        until_data(&accepted, json!(3)).await;
        let accepted = RpcConnection::new(accepted);
        // a plain handle gives what is no call
        assert_eq!(accepted.connection().receive().await.expect("a message"), 2.into());
        match accepted.receive().await.expect("a call") {
            MessageOrCall::Call(call) => call.respond(Ok(&4.into())).await.expect("sent"),
            MessageOrCall::Message(message) => panic!("{message}"),
        }
        assert_eq!(called.recv().await.expect("told").expect("a result"), 4.into());
        // who has asked is told of one that is none
        client.connection().send(&value(json!({"type": "rpc"}))).await.expect("sent");
        assert!(accepted.receive().await.is_err());
        drop(server);
    }

    async fn an_open_call_fails_with_its_connection<R>() {
        let (server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        let [client, accepted] = [client, accepted].map(RpcConnection::new);
        R::spawn(async move {
            let call = accepted.receive().await.expect("a call");
            accepted.connection().close().await;
            drop(call);
        });
        let error = client.call("never", &[]).await.expect_err("closed");
        assert!(matches!(error, CallError::Ended(_)), "{error}");
        until::<R>(|| server.open_connections() == 0).await;
    }
}
