//! A server's own routes, its options, and its end.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use hat_aio::web::http::{Method, Request, Response};
use hat_aio::web::{Client, ListenError, Routes, WebOptions, listen};
use hat_tests::on_every_runtime;

use super::peer::{Peer, get};
use super::{Folder, local, server};

/// Echoes what is posted to `/echo`, names the client at `/client`, and never answers `/never`.
fn routes() -> Routes {
    Routes::new(|request: Request<Bytes>| async move {
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/echo") => Some(Response::new(request.into_body())),
            (_, "/client") => {
                let client = request.extensions().get::<Client>().expect("a client");
                Some(Response::new(client.address.clone().into()))
            }
            (_, "/never") => pending().await,
            _ => None,
        }
    })
}

on_every_runtime! {
    async fn routes_come_before_files<R>() {
        let folder = Folder::new();
        folder.write("client", "a file");
        folder.write("echo", "a file");
        let options = WebOptions {
            static_dir: Some(folder.0.clone()),
            routes: Some(routes()),
            ..WebOptions::default()
        };
        let server = server::<R>(options).await;
        let address = server.addresses()[0];
        let answer = get::<R>(address, "/client", "").await;
        assert_eq!((answer.status, answer.text()), (200, "127.0.0.1"));
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(get::<R>(address, "/echo", "").await.text(), "a file");
        assert_eq!(get::<R>(address, "/none", "").await.status, 404);
        let mut peer = Peer::new::<R>(address).await;
        let post = "POST /echo HTTP/1.1\r\nHost: plant\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(peer.ask(post).await.text(), "hello");
        let chunks = "POST /echo HTTP/1.1\r\nHost: plant\r\nTransfer-Encoding: chunked\r\n\r\n\
            2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: x\r\n\r\n";
        assert_eq!(peer.ask(chunks).await.text(), "hello");
        assert_eq!(peer.ask(post).await.text(), "hello", "the connection is still open");
    }

    async fn several_requests_sent_at_once<R>() {
        let server = server::<R>(WebOptions { routes: Some(routes()), ..WebOptions::default() }).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        let post = "POST /echo HTTP/1.1\r\nHost: plant\r\nContent-Length: 5\r\n\r\n";
        peer.send(format!("{post}first{post}other")).await;
        assert_eq!(peer.answer().await.expect("an answer").text(), "first");
        assert_eq!(peer.answer().await.expect("an answer").text(), "other");
    }

    async fn a_client_that_ends_its_side_gets_its_answer<R>() {
        let server = server::<R>(WebOptions { routes: Some(routes()), ..WebOptions::default() }).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        peer.send("POST /echo HTTP/1.1\r\nHost: plant\r\nContent-Length: 5\r\n\r\nhello").await;
        peer.end();
        assert_eq!(peer.answer().await.expect("an answer").text(), "hello");
        assert_eq!(peer.rest().await, b"");
    }

    async fn closing_waits_for_requests_only_so_long<R>() {
        let options = WebOptions {
            routes: Some(routes()),
            shutdown_timeout: Duration::from_millis(20),
            ..WebOptions::default()
        };
        let server = server::<R>(options).await;
        let address = server.addresses()[0];
        let mut idle = Peer::new::<R>(address).await;
        assert_eq!(idle.ask("GET / HTTP/1.1\r\nHost: plant\r\n\r\n").await.status, 302);
        let new = Peer::new::<R>(address).await;
        let busy = Peer::new::<R>(address).await;
        busy.send("GET /never HTTP/1.1\r\nHost: plant\r\n\r\n").await;
        while server.open_connections() < 3 {
            hat_tests::runtimes::sleep::<R>(Duration::from_millis(5)).await;
        }
        server.close().await;
        assert_eq!(server.open_connections(), 0);
        assert!(server.accept().await.is_none());
        for peer in [idle, new, busy] {
            assert_eq!(peer.rest().await, b"");
        }
    }

    async fn options_that_no_server_starts_with<R>() {
        let fails = async |options| listen::<R>(local(), options).await.map(|_| ()).expect_err("wrong");
        let options = WebOptions { ws_path: Some("ws".into()), ..WebOptions::default() };
        let text = "`ws` is not a valid ws_path: it must begin with `/`, and contain no line breaks";
        assert_eq!(fails(options).await.to_string(), text);
        let options = WebOptions { index_path: Some("/\r\nX: y".into()), ..WebOptions::default() };
        assert!(matches!(fails(options).await, ListenError::Path { name: "index_path", .. }));
        let folder = Folder::new();
        let options = WebOptions { static_dir: Some(folder.path("none")), ..WebOptions::default() };
        let error = fails(options).await.to_string();
        assert!(error.starts_with("cannot read the folder of files "), "{error}");
    }
}
