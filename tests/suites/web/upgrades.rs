//! From HTTP to WebSocket: the answer, and the connection after it.

use std::future::poll_fn;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hat_aio::runtime::Stream;
use hat_aio::server::AcceptOptions;
use hat_aio::web::{Origins, UpgradedStream, WebOptions};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::sleep;

use super::peer::Peer;
use super::{Folder, server, until};

const REQUEST: &str = "GET /ws?x=1 HTTP/1.1\r\nHost: plant:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn with(headers: &str) -> String {
    REQUEST.replace("\r\n\r\n", &format!("\r\n{headers}\r\n\r\n"))
}

/// Gives back what comes until the other side ends.
async fn echo(mut stream: UpgradedStream<impl Stream>) {
    let mut bytes = BytesMut::new();
    while poll_fn(|cx| stream.poll_read(cx, &mut bytes, 1000)).await.expect("read") > 0 {
        while !bytes.is_empty() {
            let write = poll_fn(|cx| stream.poll_write(cx, &[IoSlice::new(&bytes)]));
            let count = write.await.expect("written");
            bytes.advance(count);
        }
    }
    poll_fn(|cx| stream.poll_shutdown(cx)).await.expect("ended");
}

on_every_runtime! {
    async fn bytes_go_both_ways_at_every_grain<R>() {
        let server = server::<R>(WebOptions::default()).await;
        // frames may follow the request at once
        let sent = [REQUEST.as_bytes(), b"\x81\x05early"].concat();
        for grain in [1, 2, 3, 7, sent.len()] {
            let mut peer = Peer::new::<R>(server.addresses()[0]).await;
            for part in sent.chunks(grain) {
                peer.send(part).await;
            }
            let answer = peer.head().await.expect("an answer");
            assert_eq!(answer.status, 101);
            for (header, expected) in [
                ("upgrade", "websocket"),
                ("connection", "Upgrade"),
                ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                ("content-length", ""),
                ("transfer-encoding", ""),
            ] {
                assert_eq!(answer.header(header), expected, "{header}");
            }
            let upgrade = server.accept().await.expect("a WebSocket");
            assert_eq!(upgrade.client.address, "127.0.0.1");
            assert_eq!(upgrade.head.uri.query(), Some("x=1"));
            R::spawn(echo(upgrade.stream));
            assert_eq!(peer.exactly(7).await.expect("an echo"), b"\x81\x05early");
            peer.send(b"GET / HTTP/1.1\r\n\r\n").await;
            assert_eq!(peer.exactly(18).await.expect("an echo"), b"GET / HTTP/1.1\r\n\r\n");
            peer.end();
            assert_eq!(peer.rest().await, b"");
        }
        until::<R>(|| server.open_connections() == 0).await;
    }

    async fn many_early_bytes<R>() {
        let server = server::<R>(WebOptions::default()).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        let early = (0..100_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>();
        peer.send(REQUEST).await;
        peer.send(&early).await;
        assert_eq!(peer.head().await.expect("an answer").status, 101);
        R::spawn(echo(server.accept().await.expect("a WebSocket").stream));
        assert!(peer.exactly(early.len()).await.expect("an echo") == early);
    }

    async fn an_upgrade_after_other_requests<R>() {
        let server = server::<R>(WebOptions::default()).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        assert_eq!(peer.ask("GET / HTTP/1.1\r\nHost: plant\r\n\r\n").await.status, 302);
        assert_eq!(peer.ask(with("Origin: http://elsewhere")).await.status, 403);
        assert_eq!(peer.ask(REQUEST).await.status, 101);
        let upgrade = server.accept().await.expect("a WebSocket");
        R::spawn(echo(upgrade.stream));
        peer.send("x").await;
        assert_eq!(peer.exactly(1).await.expect("an echo"), b"x");
    }

    /// The end of the file and the whole answer to the upgrade wait for room when the answer is
    /// given: the client reads slowly.
    async fn an_upgrade_behind_an_answer_that_waits_for_room<R>() {
        const LEN: usize = 8 << 20;
        let folder = Folder::new();
        folder.write("large", vec![b'a'; LEN]);
        let options = WebOptions { static_dir: Some(folder.path("")), ..WebOptions::default() };
        let server = server::<R>(options).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        peer.send(["GET /large HTTP/1.1\r\nHost: plant\r\n\r\n", REQUEST].concat()).await;
        assert_eq!(peer.head().await.expect("an answer").status, 200);
        let mut left = LEN;
        while left > 0 {
            let part = left.min(64 << 10);
            assert!(peer.exactly(part).await.expect("the file").iter().all(|it| *it == b'a'));
            left -= part;
            sleep::<R>(Duration::from_millis(1)).await;
        }
        assert_eq!(peer.head().await.expect("an answer").status, 101);
        R::spawn(echo(server.accept().await.expect("a WebSocket").stream));
        peer.send("x").await;
        assert_eq!(peer.exactly(1).await.expect("an echo"), b"x");
    }

    async fn whose_pages_may<R>() {
        for (origins, origin, status) in [
            (Origins::Same, "http://plant:8080", 101),
            (Origins::Same, "http://plant", 403),
            (Origins::List(vec!["https://desk".into()]), "https://desk", 101),
            (Origins::List(vec!["https://desk".into()]), "http://plant:8080", 403),
            (Origins::Any, "null", 101),
        ] {
            let server = server::<R>(WebOptions { origins, ..WebOptions::default() }).await;
            let mut peer = Peer::new::<R>(server.addresses()[0]).await;
            let answer = peer.ask(with(&format!("Origin: {origin}"))).await;
            assert_eq!(answer.status, status, "{origin}");
        }
    }

    async fn the_client_behind_a_proxy_that_is_trusted<R>() {
        for (trust_proxy, expected) in [(false, "127.0.0.1"), (true, "192.0.2.60")] {
            let server = server::<R>(WebOptions { trust_proxy, ..WebOptions::default() }).await;
            let mut peer = Peer::new::<R>(server.addresses()[0]).await;
            peer.send(with("Forwarded: for=198.51.100.17, for=192.0.2.60;proto=http")).await;
            assert_eq!(peer.head().await.expect("an answer").status, 101);
            let upgrade = server.accept().await.expect("a WebSocket");
            assert_eq!(upgrade.client.address, expected);
        }
    }

    async fn a_websocket_needs_the_password_too<R>() {
        let folder = Folder::new();
        // `htpasswd -nbs ana secret`
        let users = folder.write("users", "ana:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
        let options = WebOptions { htpasswd_file: Some(users), ..WebOptions::default() };
        let server = server::<R>(options).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        assert_eq!(peer.ask(REQUEST).await.status, 401);
        let answer = peer.ask(with("Authorization: Basic YW5hOnNlY3JldA==")).await;
        assert_eq!(answer.status, 101);
        let upgrade = server.accept().await.expect("a WebSocket");
        assert_eq!(upgrade.client.user.as_deref(), Some("ana"));
    }

    async fn websockets_count_until_they_are_dropped<R>() {
        let options = WebOptions {
            accept: AcceptOptions { max_connections: 1, ..AcceptOptions::default() },
            ..WebOptions::default()
        };
        let server = server::<R>(options).await;
        let mut first = Peer::new::<R>(server.addresses()[0]).await;
        assert_eq!(first.ask(REQUEST).await.status, 101);
        let upgrade = server.accept().await.expect("a WebSocket");
        assert_eq!(server.open_connections(), 1);
        let mut second = Peer::new::<R>(server.addresses()[0]).await;
        second.send(REQUEST).await;
        drop(upgrade);
        assert_eq!(second.answer().await.expect("its turn has come").status, 101);
        assert_eq!(first.rest().await, b"");
    }
}
