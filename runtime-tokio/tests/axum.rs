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
use hat_tokio::juggler::{ConnectError, ConnectOptions, SharedState, connect, peer};
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
        let (response, upgrading, negotiated) = upgraded.expect("a WebSocket");
        assert!(negotiated.deflate.is_some(), "the client offers it");
        tokio::spawn(async move {
            let stream = upgrading.stream().await.expect("taken");
            let connection = websocket::accept(stream, &options, negotiated);
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
    let address = within_axum(|stream| async move {
        let other = peer::accept(stream, Default::default()).expect("it has addresses");
        other.set_local_data("theirs").expect("small");
        while let Ok(message) = other.receive().await {
            other.send(&message).await.expect("sent");
        }
    })
    .await;
    let client = peer::connect(address, Default::default()).await.expect("it is taken");
    assert_eq!(client.changed().await.expect("connected"), "theirs".into());
    client.send(&"hello".into()).await.expect("sent");
    assert_eq!(client.receive().await.expect("an echo"), "hello".into());
    client.close().await;
}
