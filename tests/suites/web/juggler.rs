//! Juggler 0.7 over real sockets, our client with our server.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hat_aio::address::AddressError;
use hat_aio::juggler::{
    Client, ConnectError, ConnectOptions, Connection, Handler, ListenOptions, ReconnectOptions,
    RequestError, Server, SharedState, Update, WsOptions, connect, keep_connected, listen,
};
use hat_aio::server::AcceptOptions;
use hat_aio::tcp;
use hat_aio::web::{Origins, WebOptions};
use hat_core::json::{Pointer, Value};
use hat_core::juggler::{PingRule, State};
use hat_core::ws;
use hat_tests::counting::CountingRuntime;
use hat_tests::runtimes::{TestRuntime, sleep};
use hat_tests::websocket::frame;
use hat_tests::{logged, on_every_runtime};
use serde_json::json;

use super::peer::{Peer, get, upgraded};
use super::{Folder, local, until};

fn value(json: serde_json::Value) -> Value {
    Value::from(json)
}

fn path(text: &str) -> Pointer {
    text.parse().expect("a pointer")
}

async fn server<R: TestRuntime>(handler: impl Handler, options: ListenOptions) -> Server {
    listen::<R>(local(), handler, options).await.expect("a free port")
}

async fn client<R: TestRuntime>(server: &Server) -> Client {
    connect::<R>(server.addresses()[0], ConnectOptions::default()).await.expect("connected")
}

/// Whose tasks are counted.
struct Unbound;

/// Waits until the client's state is this.
async fn until_state(client: &Client, expected: serde_json::Value) {
    let expected = value(expected);
    while client.state() != expected {
        client.changed().await.expect("open");
    }
}

/// Knows some requests, and writes down who comes and goes.
struct Office(&'static Mutex<Vec<String>>);

impl Handler for Office {
    async fn connected(&self, connection: &Connection) {
        self.0.lock().expect("a list").push(format!("{} came", connection.remote()));
        connection.change(|state| state.set(&path("/greeting"), "hello")).expect("set");
    }

    async fn disconnected(&self, connection: &Connection) {
        self.0.lock().expect("a list").push(format!("{} went", connection.remote()));
    }

    async fn request(
        &self,
        connection: &Connection,
        name: &str,
        data: Value,
    ) -> Result<Value, Value> {
        match name {
            "double" => Ok(value(json!([data.as_i64().unwrap_or_default() * 2]))),
            "set" => {
                connection.change(|state| state.set(&path("/set"), data)).expect("set");
                connection.flush().await.expect("open");
                Ok(Value::Null)
            }
            "panic" => panic!("as it should"),
            _ => Err(format!("`{name}` is unknown").into()),
        }
    }
}

fn list() -> &'static Mutex<Vec<String>> {
    Box::leak(Box::default())
}

on_every_runtime! {
    async fn states_requests_and_who_comes_and_goes<R>() {
        let told = list();
        let server = server::<R>(Office(told), ListenOptions::default()).await;
        let one = client::<R>(&server).await;
        until_state(&one, json!({"greeting": "hello"})).await;
        let double = one.send("double", &21.into()).await.expect("a result");
        assert_eq!(double, value(json!([42])));
        let error = one.send("fly", &Value::Null).await.expect_err("unknown");
        assert_eq!(error.to_string(), "the server reports a failure: \"`fly` is unknown\"");
        let echo = one.send("", &value(json!({"a": [1.5]}))).await.expect("an echo");
        assert_eq!(echo, value(json!({"a": [1.5]})));
        // the state is there before the answer
        one.send("set", &7.into()).await.expect("a result");
        assert_eq!(one.state(), value(json!({"greeting": "hello", "set": 7})));
        // each connection has its own
        let two = client::<R>(&server).await;
        until_state(&two, json!({"greeting": "hello"})).await;
        assert_eq!(server.connections().len(), 2);
        one.close().await;
        two.close().await;
        until::<R>(|| told.lock().expect("a list").len() == 4).await;
        assert_eq!(told.lock().expect("a list").iter().filter(|line| line.ends_with("went")).count(), 2);
        assert!(server.connections().is_empty());
    }

    /// They live on, and are told of changes for as long as they do; then nothing is left.
    async fn connections_that_are_not_bound_follow_after_the_close<R>() {
        let state = SharedState::new(State::default(), Some(Duration::from_millis(1)));
        let accept = AcceptOptions { bind_connections: false, ..AcceptOptions::default() };
        let web = WebOptions { accept, ..WebOptions::default() };
        let options = ListenOptions { web, state: Some(state.clone()), ..ListenOptions::default() };
        for followers in [2, 0] {
            let server = listen::<CountingRuntime<R, Unbound>>(local(), (), options.clone()).await;
            let server = server.expect("a free port");
            let mut clients = Vec::new();
            for _ in 0..followers {
                clients.push(client::<R>(&server).await);
            }
            until::<R>(|| state.followers() == followers).await;
            server.close().await;
            for number in 0..3 {
                state.change(|state| state.set(&path("/number"), number)).expect("set");
                for client in &clients {
                    until_state(client, json!({"number": number})).await;
                }
                if let Some(client) = clients.pop_if(|_| number == 1) {
                    client.close().await;
                }
            }
            for client in clients {
                client.close().await;
            }
            until::<R>(|| CountingRuntime::<R, Unbound>::tasks() == 0).await;
        }
    }

    async fn messages_are_compressed_where_both_ends_want_it<R>() {
        let ws = |context_takeover| ws::Config {
            deflate: Some(ws::Deflate { context_takeover, ..ws::Deflate::default() }),
            ..ws::Config::default()
        };
        let large: Value = (0..2_000).map(|n| value(json!({"name": "a value", "n": n}))).collect();
        for (servers, clients) in
            [(true, true), (false, true), (true, false), (false, false)]
        {
            let state = SharedState::new(State::default(), Some(Duration::from_millis(10)));
            state.change(|state| state.set(&path("/large"), large.clone())).expect("set");
            let options = ListenOptions { ws: ws(servers), ..ListenOptions::default() };
            let options = ListenOptions { state: Some(state.clone()), ..options };
            let server = server::<R>((), options).await;
            let config = ws(clients);
            let options = ConnectOptions {
                ws: WsOptions { config, ..WsOptions::default() },
                ..ConnectOptions::default()
            };
            let one = connect::<R>(server.addresses()[0], options).await.expect("connected");
            let other = client::<R>(&server).await;
            for number in 0..3 {
                state.change(|state| state.set(&path("/number"), number)).expect("set");
                for client in [&one, &other] {
                    until_state(client, json!({"large": serde_json::Value::from(&large), "number": number})).await;
                }
            }
            let echo = one.send("", &large).await.expect("an echo");
            assert_eq!(echo, large);
        }
    }

    async fn compression_is_agreed_on_in_the_handshake<R>() {
        let deflate = Some(ws::Deflate::default());
        let ws = ws::Config { deflate, ..ws::Config::default() };
        let state = SharedState::new(State::default(), Some(Duration::ZERO));
        state.change(|state| state.replace("a".repeat(100_000))).expect("set");
        let options = ListenOptions { ws, state: Some(state.clone()), ..ListenOptions::default() };
        let server = server::<R>((), options).await;
        for (offer, answer, size) in [
            (
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                1_000,
            ),
            ("Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n", "", 100_000),
            ("", "", 100_000),
        ] {
            let mut peer = Peer::new::<R>(server.addresses()[0]).await;
            peer.send(format!(
                "GET /ws HTTP/1.1\r\nHost: plant\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 {offer}\r\n"
            ))
            .await;
            let head = peer.head().await.expect("an answer");
            assert_eq!((head.status, head.header("sec-websocket-extensions")), (101, answer));
            // in segments of 64 Ki characters
            let (_, first) = peer.frame().await;
            let (_, second) = peer.frame().await;
            let total = first.len() + second.len();
            assert!(total <= size + 200 && (size == 1_000 || total >= size), "{total} of {size}");
        }
    }

    async fn one_state_for_all<R>() {
        let state = SharedState::new(State::default(), Some(Duration::from_millis(10)));
        state.change(|state| state.set(&path("/a"), 1)).expect("set");
        let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
        let server = server::<R>((), options).await;
        let (one, two) = (client::<R>(&server).await, client::<R>(&server).await);
        for client in [&one, &two] {
            until_state(client, json!({"a": 1})).await;
        }
        for n in 0..100 {
            state.change(|state| state.set(&path("/b"), n)).expect("set");
        }
        for client in [&one, &two] {
            until_state(client, json!({"a": 1, "b": 99})).await;
        }
        let newcomer = client::<R>(&server).await;
        until_state(&newcomer, json!({"a": 1, "b": 99})).await;
        state.change(|state| state.remove(&path("/a"))).expect("it was there");
        for client in [&one, &two, &newcomer] {
            until_state(client, json!({"b": 99})).await;
        }
        assert_eq!(state.followers(), 3);
        drop(newcomer);
        until::<R>(|| state.followers() == 2).await;
    }

    async fn flushes_at_once_and_only_when_asked<R>() {
        for delay in [Some(Duration::ZERO), None] {
            let state = SharedState::new(State::default(), delay);
            let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
            let server = server::<R>((), options).await;
            let client = client::<R>(&server).await;
            until::<R>(|| state.followers() == 1).await;
            state.change(|state| state.replace(1)).expect("set");
            if delay.is_none() {
                sleep::<R>(Duration::from_millis(20)).await;
                assert!(client.state().is_null());
                server.connections()[0].flush().await.expect("flushed");
            }
            assert_eq!(client.changed().await.expect("a change"), 1.into());
        }
    }

    async fn notifications<R>() {
        let server = server::<R>((), ListenOptions::default()).await;
        let (one, two) = (client::<R>(&server).await, client::<R>(&server).await);
        until::<R>(|| server.connections().len() == 2).await;
        server.notify_all("alarm", &value(json!({"level": 3})));
        for client in [&one, &two] {
            let notified = client.notification().await.expect("a notification");
            assert_eq!((&*notified.name, notified.data), ("alarm", value(json!({"level": 3}))));
        }
        server.connections()[0].notify("only you", &Value::Null).await.expect("sent");
        server.close().await;
        let mut names = Vec::new();
        for client in [&one, &two] {
            while let Ok(notified) = client.notification().await {
                names.push(notified.name);
            }
            assert!(client.ended().await.protocol().is_some_and(hat_core::juggler::Error::is_closed));
        }
        assert_eq!(names, ["only you"]);
    }

    /// They come together, and each is given once the one before it is answered.
    async fn requests_one_behind_another<R>() {
        struct Echo;
        impl Handler for Echo {
            async fn request(&self, _: &Connection, name: &str, _: Value) -> Result<Value, Value> {
                Ok(name.into())
            }
        }
        // no pings, for which the server would look again
        let mut options = ListenOptions::default();
        options.config.transport.ping = PingRule::Off;
        let server = server::<R>(Echo, options).await;
        let mut client = upgraded::<R>(server.addresses()[0]).await;
        let requests = ["a", "b", "c"].map(|name| {
            let request = format!(r#"0{{"type":"request","id":0,"name":"{name}","data":null}}"#);
            frame(ws::Role::Client, 0x81, request.as_bytes())
        });
        client.send(requests.concat()).await;
        for name in ["a", "b", "c"] {
            let expected = format!(r#"0{{"type":"response","id":0,"success":true,"data":"{name}"}}"#);
            // the state comes as well
            while client.frame().await.1 != expected.as_bytes() {}
        }
    }

    async fn requests_in_parallel<R>() {
        struct Slow;
        impl Handler for Slow {
            async fn request(&self, _: &Connection, name: &str, _: Value) -> Result<Value, Value> {
                match name {
                    "never" => std::future::pending().await,
                    _ => Ok("done".into()),
                }
            }
        }
        let mut options = ListenOptions::default();
        options.config.parallel_requests = true;
        let server = server::<R>(Slow, options).await;
        let client = client::<R>(&server).await;
        let waiting = client.clone();
        R::spawn(async move { drop(waiting.send("never", &Value::Null).await) });
        assert_eq!(client.send("now", &Value::Null).await.expect("a result"), "done".into());
        // an open request fails with its connection
        let asked = client.clone();
        R::spawn(async move {
            asked.send("now", &Value::Null).await.expect("a result");
            asked.close().await;
        });
        let error = client.send("never", &Value::Null).await.expect_err("closed");
        assert!(matches!(error, RequestError::Ended(_)), "{error}");
    }

    /// Also where the handler keeps it.
    async fn a_handler_that_panics_closes_that_connection_only<R>() {
        #[derive(Default)]
        struct Faulty {
            kept: Mutex<Vec<Connection>>,
            gone: AtomicUsize,
        }
        impl Handler for &'static Faulty {
            async fn connected(&self, connection: &Connection) {
                self.kept.lock().expect("a list").push(connection.clone());
            }

            async fn disconnected(&self, _: &Connection) {
                self.gone.fetch_add(1, Ordering::SeqCst);
            }

            async fn request(&self, _: &Connection, name: &str, _: Value) -> Result<Value, Value> {
                assert_ne!(name, "panic", "a fault, on purpose");
                Ok("done".into())
            }
        }
        let handler: &'static Faulty = Box::leak(Box::default());
        let server = server::<R>(handler, ListenOptions::default()).await;
        let (one, two) = (client::<R>(&server).await, client::<R>(&server).await);
        one.send("panic", &Value::Null).await.expect_err("a fault");
        one.ended().await;
        assert_eq!(two.send("now", &Value::Null).await.expect("a result"), "done".into());
        until::<R>(|| server.open_connections() == 1).await;
        assert_eq!(handler.gone.load(Ordering::SeqCst), 1, "it is told of the client all the same");
    }

    async fn a_client_that_reads_too_slowly_to_be_notified_is_told_so<R>() {
        logged::start();
        let ws = ws::Config { max_queued: 256 * 1024, ..ws::Config::default() };
        let server = server::<R>((), ListenOptions { ws, ..ListenOptions::default() }).await;
        let mut peer = upgraded::<R>(server.addresses()[0]).await;
        until::<R>(|| !server.connections().is_empty()).await;
        let connection = server.connections().remove(0);
        let text = Value::from("x".repeat(100_000));
        while connection.end_reason().is_none() && server.connections().len() == 1 {
            server.notify_all("news", &text);
            if logged::nothing_about(connection.remote_address()) {
                sleep::<R>(Duration::from_millis(1)).await;
            } else {
                break;
            }
        }
        let line = logged::about::<R>(connection.remote_address()).await;
        assert!(line.contains("a peer reads more slowly than it is told"), "{line}");
        assert!(line.contains("the send queue is full (limit: 262144 bytes)"), "{line}");
        let close = loop {
            let (opcode, payload) = peer.frame().await;
            if opcode == 8 {
                break payload;
            }
        };
        assert_eq!(close, b"\x03\xf0a peer reads more slowly than it is told");
    }

    async fn a_large_state_in_segments<R>() {
        let text = "ž".repeat(2_000_000);
        let state = SharedState::default();
        state.change(|state| state.set(&path("/text"), text.clone())).expect("set");
        let options = ListenOptions { state: Some(state), ..ListenOptions::default() };
        let server = server::<R>((), options).await;
        let client = client::<R>(&server).await;
        let state = client.changed().await.expect("a state");
        assert!(state.get(&path("/text")).and_then(Value::as_str) == Some(&*text));
    }

    async fn the_web_server_is_there_too<R>() {
        let folder = Folder::new();
        folder.write("www/index.html", "page");
        // `htpasswd -nbs ana secret`
        let users = folder.write("users", "ana:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
        let web = WebOptions {
            static_dir: Some(folder.path("www")),
            htpasswd_file: Some(users),
            ws_path: Some("/live".into()),
            origins: Origins::Same,
            ..WebOptions::default()
        };
        let server = server::<R>((), ListenOptions { web, ..ListenOptions::default() }).await;
        let address = server.addresses()[0];
        let authorization = "Authorization: Basic YW5hOnNlY3JldA==\r\n";
        assert_eq!(get::<R>(address, "/index.html", authorization).await.text(), "page");
        let refused = async |options| match connect::<R>(address, options).await {
            Err(ConnectError::Ended(error)) => error.to_string(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("taken"),
        };
        let mut options = ConnectOptions::default();
        options.ws.ws_path = "/live".into();
        let error = refused(options.clone()).await;
        assert!(error.contains("401"), "{error}");
        options.ws.credentials = Some(("ana".to_owned(), "secret".to_owned()));
        let mut evil = options.clone();
        evil.ws.headers.push(("Origin".into(), "http://elsewhere".into()));
        let error = refused(evil).await;
        assert!(error.contains("403"), "{error}");
        let client = connect::<R>(address, options).await.expect("connected");
        client.send("", &1.into()).await.expect("an echo");
        assert_eq!(server.connections()[0].user(), Some("ana"));
    }

    async fn a_url_says_where_the_websocket_is<R>() {
        let web = WebOptions { ws_path: Some("/plant/live".into()), ..WebOptions::default() };
        let server = server::<R>((), ListenOptions { web, ..ListenOptions::default() }).await;
        let address = server.addresses()[0];
        for path in ["/plant/live", "/plant/live?room=3"] {
            let url = format!("ws://{address}{path}");
            let client = connect::<R>(&*url, ConnectOptions::default()).await.expect("connected");
            client.send("", &1.into()).await.expect("an echo");
            let client = keep_connected::<R>(&*url, ReconnectOptions::default()).await;
            let client = client.expect("it starts");
            while !matches!(client.next().await, Ok(Update::Connected)) {}
            client.close().await;
        }
        let other = connect::<R>(format!("ws://{address}/else"), ConnectOptions::default()).await;
        assert!(matches!(other, Err(ConnectError::Ended(_))), "{other:?}");
        // what is no WebSocket has no path, nor has what listens
        let url = format!("ws://{address}/ws");
        let error = tcp::connect::<R>(&*url, tcp::ConnectOptions::default()).await.expect_err("no path");
        assert!(matches!(&error, hat_aio::ConnectError::Address(AddressError::Path(path)) if path == "/ws"), "{error}");
        let error = listen::<R>(&*url, (), ListenOptions::default()).await.expect_err("no path");
        assert!(error.to_string().contains("`/ws` in an address"), "{error}");
    }
}

/// A handler that panics fails its request, and the connection, no other.
#[test]
fn a_handler_that_panics() {
    <hat_tokio::Tokio as TestRuntime>::run(async {
        let mut options = ListenOptions::default();
        options.config.parallel_requests = true;
        let server = server::<hat_tokio::Tokio>(Office(list()), options).await;
        let client = client::<hat_tokio::Tokio>(&server).await;
        let error = client.send("panic", &Value::Null).await.expect_err("failed");
        assert_eq!(error.to_string(), "the server reports a failure: \"the request failed\"");
        client.send("double", &1.into()).await.expect("a result");
    });
}
