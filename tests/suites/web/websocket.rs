//! WebSockets without a protocol on them, over real sockets and streams of other kinds.

use std::time::Duration;

use hat_aio::IoStream;
use hat_aio::chatter::InboxLimits;
use hat_aio::websocket::{
    ConnectError, ConnectOptions, Connection, ListenOptions, Message, PeerClose, SendError, Server,
    accept, connect, connect_on, listen, serve_on,
};
use hat_core::ws::{self, Agreement, Violation, code};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, within};
use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::stream::StreamExt;

use super::peer::Peer;
use super::{Folder, local, until};

const SOON: Duration = Duration::from_millis(50);

/// Two ends of a stream in memory of the system.
fn ends() -> (IoStream<Async<std::net::TcpStream>>, Async<std::net::TcpStream>) {
    let listener = std::net::TcpListener::bind(local()).expect("a free port");
    let one = std::net::TcpStream::connect(listener.local_addr().expect("bound"));
    let (other, _) = listener.accept().expect("the other end");
    let one = Async::new(one.expect("connected")).expect("a socket");
    (IoStream::new(one), Async::new(other).expect("a socket"))
}

/// A client, and the server's end of its connection. The server must be kept.
async fn pair<R: TestRuntime>(options: ListenOptions) -> (Server, Connection, Connection) {
    let server = listen::<R>(local(), options).await.expect("a free port");
    let client = connect::<R>(server.addresses()[0], ConnectOptions::default()).await;
    let accepted = server.accept().await.expect("the other end");
    (server, client.expect("connected"), accepted)
}

on_every_runtime! {
    async fn messages_both_ways<R>() {
        let (_server, client, accepted) = pair::<R>(ListenOptions::default()).await;
        assert_eq!(accepted.client().expect("a client").address, "127.0.0.1");
        for (one, other) in [(&client, &accepted), (&accepted, &client)] {
            for message in [
                Message::from("ž"),
                Message::from(""),
                Message::from(vec![0, 255]),
                Message::from(vec![7; 3_000_000]),
            ] {
                one.send(message.clone()).await.expect("sent");
                assert!(other.receive().await.expect("open") == message);
            }
            one.ping().await.expect("a sign of life");
        }
        let mut messages = accepted.messages();
        client.send("last").await.expect("sent");
        assert_eq!(messages.next().await.expect("one").as_text(), Some("last"));
        client.close().await;
        assert_eq!(messages.next().await, None);
    }

    async fn each_side_says_how_it_closes<R>() {
        for (code, reason) in [(4000, "no more"), (code::GOING_AWAY, ""), (code::NORMAL, "ž")] {
            for by_client in [true, false] {
                let (_server, client, accepted) = pair::<R>(ListenOptions::default()).await;
                let (one, other) =
                    if by_client { (&client, &accepted) } else { (&accepted, &client) };
                one.send("before").await.expect("sent");
                let end = one.close_with(code, reason).await.expect("a code");
                assert_eq!(end.protocol(), Some(&ws::Error::Closed));
                // what came before is still there
                assert_eq!(other.receive().await.expect("one"), "before".into());
                let end = other.receive().await.expect_err("the end");
                assert_eq!(end.protocol(), Some(&ws::Error::Closed));
                let close = PeerClose { code: Some(code), reason: reason.into() };
                assert_eq!(other.peer_close(), Some(close));
                let error = other.send("late").await.expect_err("closed");
                assert!(matches!(error, SendError::Ended(_)), "{error}");
            }
        }
        let (_server, client, _accepted) = pair::<R>(ListenOptions::default()).await;
        let refused = client.close_with(1005, "").await.expect_err("no code for the wire");
        assert_eq!(refused, ws::SendError::CloseCode(1005));
        client.send("still open").await.expect("sent");
    }

    async fn a_message_over_the_limit<R>() {
        let mut options = ListenOptions::default();
        options.config.max_message = 1000;
        let (_server, client, accepted) = pair::<R>(options).await;
        client.send(vec![0; 1000]).await.expect("sent");
        client.send(vec![0; 1001]).await.expect("sent");
        assert_eq!(accepted.receive().await.expect("one").as_bytes().len(), 1000);
        let error = accepted.receive().await.expect_err("too large");
        let large = |error: &ws::Error| {
            matches!(error, ws::Error::Protocol(Violation::MessageTooLarge { limit: 1000, .. }))
        };
        assert!(error.protocol().is_some_and(large), "{error}");
        client.closed().await;
        let told = client.peer_close().and_then(|close| close.code);
        assert_eq!(told, Some(code::TOO_BIG));
    }

    /// Whoever does not take what comes stops the other side, and loses nothing.
    async fn a_reader_that_takes_nothing_stops_the_sender<R>() {
        let options = ListenOptions { inbox: InboxLimits::new(4, 1000), ..Default::default() };
        let (_server, client, accepted) = pair::<R>(options).await;
        let sending = client.clone();
        let (sender, sent) = smol::channel::bounded(1);
        R::spawn(async move {
            for number in 0..400_u32 {
                let mut payload = vec![0; 100_000];
                payload[..4].copy_from_slice(&number.to_be_bytes());
                sending.send(payload).await.expect("sent");
            }
            sender.send(()).await.expect("wanted");
        });
        // 40 MB, more than any system's buffers hold
        assert!(within::<R, _>(SOON, sent.recv()).await.is_none());
        for number in 0..400_u32 {
            let message = accepted.receive().await.expect("open");
            assert_eq!(message.as_bytes()[..4], number.to_be_bytes());
        }
        sent.recv().await.expect("all is sent");
    }

    async fn the_web_server_decides_who_may<R>() {
        let folder = Folder::new();
        let users = folder.write("users", "ana:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
        let mut options = ListenOptions::default();
        options.web.htpasswd_file = Some(users);
        options.web.ws_path = Some("/feed".into());
        let server = listen::<R>(local(), options).await.expect("a free port");
        let address = server.addresses()[0];
        let refused = connect::<R>(address, ConnectOptions::default()).await;
        let error = refused.expect_err("no password");
        assert!(error.is_rejection(), "{error}");
        let mut options = ConnectOptions::default();
        options.ws.credentials = Some(("ana".into(), "secret".into()));
        let error = connect::<R>(address, options.clone()).await.expect_err("no such path");
        let ConnectError::Ended(ended) = &error else { panic!("{error}") };
        let status = |error: &ws::Error| matches!(error, ws::Error::Refused { status: 404, .. });
        assert!(ended.protocol().is_some_and(status), "{error}");
        options.ws.ws_path = "/feed".into();
        let client = connect::<R>(address, options).await.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        assert_eq!(accepted.client().expect("a client").user.as_deref(), Some("ana"));
        drop(client);
        accepted.closed().await;
        assert_eq!(accepted.peer_close().and_then(|close| close.code), Some(code::NORMAL));
    }

    /// Both ends over a stream that there is already, with a subprotocol.
    async fn over_a_stream_that_there_is<R>() {
        let (one, other) = ends();
        let options = |subprotocols: &[&'static str]| {
            let mut options = ConnectOptions::default();
            options.ws.subprotocols = subprotocols.iter().map(|&it| it.into()).collect();
            options
        };
        let serving = options(&["mqtt", "plant.v2"]);
        let (sender, served) = smol::channel::bounded(1);
        R::spawn(async move {
            let connection = serve_on::<R>(IoStream::new(other), &serving).await;
            sender.send(connection.expect("a client")).await.expect("wanted");
        });
        let mut asking = options(&["plant.v1", "plant.v2"]);
        asking.ws.host = Some("plant".into());
        asking.ws.ws_path = "/any?x=1".into();
        let client = connect_on::<R>(one, asking).await.expect("taken");
        let server = served.recv().await.expect("the other end");
        assert_eq!(client.response().subprotocol.as_deref(), Some("plant.v2"));
        let request = server.request().expect("it asked");
        assert_eq!((&*request.host, &*request.path), ("plant", "/any?x=1"));
        server.send("hello").await.expect("sent");
        assert_eq!(client.receive().await.expect("open"), "hello".into());
        client.drain().await.expect("nothing is left");
        server.close().await;
        client.closed().await;
    }

    async fn what_is_no_request_for_a_websocket<R>() {
        let (one, mut other) = ends();
        other.write_all(b"GET / HTTP/1.1\r\nHost: plant\r\n\r\n").await.expect("written");
        let error = serve_on::<R>(one, &ConnectOptions::default()).await.expect_err("no request");
        assert!(matches!(error.protocol(), Some(ws::Error::Request(_))), "{error}");
        let mut answer = vec![0; 12];
        other.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer, b"HTTP/1.1 426");
    }

    /// Whatever HTTP server did the handshake, its stream is taken.
    async fn a_handshake_that_was_done_elsewhere<R>() {
        let (one, mut other) = ends();
        let client = {
            let (sender, connected) = smol::channel::bounded(1);
            R::spawn(async move {
                let client = connect_on::<R>(one, ConnectOptions::default()).await;
                sender.send(client.expect("taken")).await.expect("wanted");
            });
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                other.read_exact(&mut byte).await.expect("the request");
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).expect("text");
            assert!(head.contains("\r\nHost: localhost\r\n"), "{head}");
            let key = head.split("Sec-WebSocket-Key: ").nth(1).and_then(|it| it.lines().next());
            let accept = ws::accept_key(key.expect("a key")).expect("a good key");
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            other.write_all(answer.as_bytes()).await.expect("written");
            connected.recv().await.expect("connected")
        };
        let server = accept::<R>(
            IoStream::new(other),
            &ConnectOptions::default(),
            Agreement::default(),
        );
        let server = server.expect("it has addresses");
        client.send("hello").await.expect("sent");
        assert_eq!(server.receive().await.expect("open"), "hello".into());
        assert_eq!(server.client(), None);
        server.close().await;
    }

    /// A peer that breaks the protocol is told, and counted out.
    async fn a_peer_that_breaks_the_protocol<R>() {
        let server = listen::<R>(local(), ListenOptions::default()).await.expect("a free port");
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        peer.send("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").await;
        assert_eq!(peer.head().await.expect("an answer").status, 101);
        let accepted = server.accept().await.expect("the other end");
        // not masked
        peer.send(b"\x81\x01x").await;
        let error = accepted.receive().await.expect_err("against the rules");
        let unmasked = ws::Error::Protocol(Violation::Unmasked);
        assert_eq!(error.protocol(), Some(&unmasked));
        assert_eq!(peer.exactly(4).await.expect("a Close"), b"\x88\x02\x03\xea");
        until::<R>(|| server.open_connections() == 0).await;
    }
}
