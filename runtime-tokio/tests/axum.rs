//! The example of a Juggler server within axum, and clients of it.
#![cfg(feature = "web")]

#[allow(dead_code, reason = "its `main` is for who runs it")]
#[path = "../examples/juggler_axum.rs"]
mod example;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use hat_tokio::juggler::{ConnectError, ConnectOptions, Deflate, SharedState, connect, peer};
use hat_tokio::web::{HyperStream, Origins, hyper, upgrade};
use hat_tokio::websocket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The example on a free port, and the state that its clients follow.
async fn serving() -> (SocketAddr, SharedState) {
    let state = SharedState::default();
    let app = example::app(&state).into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, state)
}

#[tokio::test]
async fn clients_follow_the_state_and_ask_beside_pages_of_axum_s_own() {
    let (address, state) = serving().await;
    let url = format!("ws://{address}");
    let client = connect(url.as_str(), ConnectOptions::default()).await.expect("it is taken");
    state.change(|state| state.replace("first")).expect("small");
    while client.changed().await.expect("connected") != "first".into() {}
    // longer than a frame's short length, and than one read
    let text = "long ".repeat(100_000);
    let answer = client.send("echo", &text.as_str().into()).await.expect("an answer");
    assert_eq!(answer.as_str(), Some(text.as_str()));

    let mut page = TcpStream::connect(address).await.expect("it listens");
    let request = b"GET / HTTP/1.1\r\nHost: plant\r\nConnection: close\r\n\r\n";
    page.write_all(request).await.expect("sent");
    let mut answer = String::new();
    page.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("a page"), "{answer}");

    client.close().await;
    tokio::time::timeout(Duration::from_secs(60), async {
        while state.followers() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the server knows that the client is gone");
}

#[tokio::test]
async fn pages_of_other_sites_and_plain_requests_are_refused() {
    let (address, _state) = serving().await;
    let mut options = ConnectOptions::default();
    options.ws.headers = vec![("Origin".into(), "https://evil.example".into())];
    let refused = connect(address, options).await.expect_err("another site");
    assert!(matches!(refused, ConnectError::Ended(_)), "{refused}");
    assert!(refused.to_string().contains("403"), "{refused}");

    let mut plain = TcpStream::connect(address).await.expect("it listens");
    let request = b"GET /ws HTTP/1.1\r\nHost: plant\r\nConnection: close\r\n\r\n";
    plain.write_all(request).await.expect("sent");
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

/// Opens a WebSocket with `fields` in its request, and gives the answer's head and how its first
/// frame begins: the octet of its bits, and the length of what it carries.
async fn first_frame(address: SocketAddr, fields: &str) -> (String, u8, u64) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    let bits = stream.read_u8().await.expect("a frame");
    let length = match stream.read_u8().await.expect("a length") {
        126 => stream.read_u16().await.expect("a length").into(),
        127 => stream.read_u64().await.expect("a length"),
        length => length.into(),
    };
    (String::from_utf8(head).expect("text").to_lowercase(), bits, length)
}

#[tokio::test]
async fn a_state_is_compressed_where_the_client_can() {
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let (address, state) = serving().await;
    let text = "a state ".repeat(8_000);
    state.change(|state| state.replace(text.as_str())).expect("small");

    let (head, bits, length) = first_frame(address, OFFER).await;
    assert!(head.contains("sec-websocket-extensions: permessage-deflate"), "{head}");
    // FIN, RSV1 and text: a message that is compressed (RFC 7692 section 6)
    assert!(bits == 0xc1 && length < 2_000, "{bits:x}, {length} octets");
    let (head, bits, length) = first_frame(address, "").await;
    assert!(!head.contains("sec-websocket-extensions"), "{head}");
    assert!(bits == 0x81 && length > 60_000, "{bits:x}, {length} octets");

    let mut options = ConnectOptions::default();
    options.ws.config.deflate = Some(Deflate::default());
    let client = connect(address, options).await.expect("it is taken");
    while client.changed().await.expect("connected") != text.as_str().into() {}
    let answer = client.send("echo", &text.as_str().into()).await.expect("an answer");
    assert_eq!(answer.as_str(), Some(text.as_str()));
    client.close().await;
}

/// axum on a free port, which gives each WebSocket to `serve`.
async fn within_axum<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(HyperStream<hyper::upgrade::Upgraded>) -> F + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let take = move |mut request: Request| {
        let response: Response = match upgrade(&mut request, &Origins::Same) {
            Err(refusal) => refusal.map(Body::from),
            Ok((response, upgrading)) => {
                let serve = serve.clone();
                tokio::spawn(async move { serve(upgrading.stream().await.expect("taken")).await });
                response.map(|()| Body::empty())
            }
        };
        std::future::ready(response)
    };
    let app = Router::new().route("/ws", get(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn a_websocket_without_a_protocol_on_it() {
    let address = within_axum(|stream| async move {
        let connection = websocket::accept(stream, &Default::default(), Default::default())
            .expect("it has addresses");
        while let Ok(message) = connection.receive().await {
            connection.send(message).await.expect("sent");
        }
    })
    .await;
    let url = format!("ws://{address}");
    let client = websocket::connect(url, Default::default()).await.expect("it is taken");
    for size in [0, 1, 126, 70_000, 1_000_000] {
        client.send(vec![7; size]).await.expect("sent");
        let echo = client.receive().await.expect("an echo");
        assert!(echo == vec![7; size].into());
    }
    let end = client.close_with(4001, "enough").await.expect("a code");
    assert_eq!(end.to_string(), "the connection is closed");
}

#[tokio::test]
async fn a_websocket_with_a_subprotocol_and_compression() {
    let mut options = websocket::ConnectOptions::default();
    options.ws.config.deflate = Some(websocket::Deflate::default());
    options.ws.subprotocols = vec!["plant.v2".into(), "plant.v1".into()];
    let theirs = options.clone();
    let take = move |mut request: Request| {
        let options = websocket::ConnectOptions {
            ws: websocket::WsOptions { subprotocols: vec!["plant.v1".into()], ..theirs.ws.clone() },
            ..theirs.clone()
        };
        let upgraded = websocket::upgrade(&mut request, &Origins::Same, &options);
        let (response, upgrading, agreement) = upgraded.expect("a WebSocket");
        assert!(agreement.deflate.is_some(), "the client offers it");
        tokio::spawn(async move {
            let stream = upgrading.stream().await.expect("taken");
            let connection = websocket::accept(stream, &options, agreement);
            let connection = connection.expect("it has addresses");
            let taken = connection.response().subprotocol.expect("one of ours");
            connection.send(taken).await.expect("sent");
            while let Ok(message) = connection.receive().await {
                connection.send(message).await.expect("sent");
            }
        });
        std::future::ready(response.map(|()| Body::empty()))
    };
    let app = Router::new().route("/ws", get(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("it listens"));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = websocket::connect(url, options).await.expect("it is taken");
    assert_eq!(client.response().subprotocol.as_deref(), Some("plant.v1"));
    assert_eq!(client.receive().await.expect("its first"), "plant.v1".into());
    for size in [0, 255, 256, 70_000] {
        let message = websocket::Message::from("long ".repeat(size));
        client.send(message.clone()).await.expect("sent");
        assert!(client.receive().await.expect("an echo") == message);
    }
    client.close().await;
}

#[tokio::test]
async fn a_peer_of_juggler_0_5() {
    let mut options = peer::ConnectOptions::default();
    options.ws.config.deflate = Some(Deflate::default());
    let theirs = options.clone();
    let take = move |mut request: Request| {
        let options = theirs.clone();
        let upgraded = peer::upgrade(&mut request, &Origins::Same, &options);
        let (response, upgrading, agreement) = upgraded.expect("a WebSocket");
        tokio::spawn(async move {
            let stream = upgrading.stream().await.expect("taken");
            let other = peer::accept(stream, options, agreement).expect("it has addresses");
            other.set_local_data("theirs").expect("small");
            while let Ok(message) = other.receive().await {
                other.send(&message).await.expect("sent");
            }
        });
        std::future::ready(response.map(|()| Body::empty()))
    };
    let app = Router::new().route("/ws", get(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move { axum::serve(listener, app).await });

    let long = "hello ".repeat(1_000);
    for options in [options, peer::ConnectOptions::default()] {
        let client = peer::connect(address, options).await.expect("it is taken");
        assert_eq!(client.changed().await.expect("connected"), "theirs".into());
        client.send(&long.as_str().into()).await.expect("sent");
        assert_eq!(client.receive().await.expect("an echo"), long.as_str().into());
        client.close().await;
    }
}
