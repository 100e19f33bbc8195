//! How a connection ends: each direction for itself, orderly or cut off.

use bytes::Bytes;
use hat_aio::chatter::SendOptions;
use hat_aio::tcp::{self, ConnectOptions, Connection, Server};
use hat_aio::tls::Connector;
use hat_aio::{cotp, tls};
use hat_core::tcp::Config;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;

use super::relay::Relay;
use super::{acceptor, at, connector, data, local};

async fn pair<R: TestRuntime>(allow_half_open: bool) -> (Server, Connection, Connection, Relay) {
    let config = Config { allow_half_open, ..Config::default() };
    let options = |tls| ConnectOptions { config: config.clone(), tls, ..ConnectOptions::default() };
    let server =
        tcp::listen::<R>(local(), tcp::ListenOptions { tls: acceptor(), ..options(None).into() })
            .await;
    let server = server.expect("listens");
    let relay = Relay::to(server.addresses()[0]);
    let client = tcp::connect::<R>(at(relay.address), options(connector())).await;
    let accepted = server.accept().await.expect("the other end");
    (server, client.expect("connected"), accepted, relay)
}

fn half_open(tls: Option<Connector>) -> ConnectOptions {
    let config = Config { allow_half_open: true, ..Config::default() };
    ConnectOptions { config, tls, ..ConnectOptions::default() }
}

/// The TPDU of the next packet (RFC 1006).
async fn tpdu(peer: &Connection) -> Bytes {
    let front = peer.read_exact(4).await.expect("a packet");
    let len = usize::from(u16::from_be_bytes([front[2], front[3]]));
    peer.read_exact(len - 4).await.expect("all of it")
}

/// The message that comes in DTs, and the end of the stream behind it.
async fn last_message(peer: &Connection) -> Vec<u8> {
    let mut message = Vec::new();
    loop {
        let dt = tpdu(peer).await;
        assert_eq!(dt[..2], [2, 0xf0]);
        message.extend_from_slice(&dt[3..]);
        if dt[2] == 0x80 {
            break;
        }
    }
    let end = peer.read(1).await.expect_err("the end");
    assert!(end.protocol().is_some(), "{end:?}");
    message
}

fn half_open_cotp() -> cotp::ConnectOptions {
    let config = hat_core::cotp::Config { half_close: true, ..Default::default() };
    cotp::ConnectOptions { config, ..Default::default() }
}

/// The peer has said all; we still have something to say.
async fn is_half_closed(ours: &cotp::Connection) {
    assert_eq!(ours.receive().await.expect("received"), "question");
    let end = ours.receive().await.expect_err("the end");
    assert!(end.protocol().is_some(), "{end:?}");
    assert!(ours.end_reason().is_none(), "our half is open");
    ours.send(vec![7; 1_000_000]).await.expect("our half is open");
    ours.close().await;
}

#[track_caller]
fn cut<E: std::fmt::Debug, T: std::fmt::Debug>(result: Result<T, hat_aio::Error<E>>) {
    let error = result.expect_err("cut off");
    assert!(matches!(error.tls(), Some(tls::Error::Truncated)), "{error:?}");
}

on_every_runtime! {
    async fn each_direction_ends_for_itself<R>() {
        let (_server, client, accepted, _relay) = pair::<R>(true).await;
        client.write("question").await.expect("written");
        client.end();
        assert_eq!(accepted.read_exact(8).await.expect("read"), "question");
        let end = accepted.read(1).await.expect_err("the end");
        assert!(end.protocol().is_some(), "{end:?}");
        accepted.write(vec![7; 1_000_000]).await.expect("our side is open");
        accepted.close().await;
        assert_eq!(client.read_exact(1_000_000).await.expect("read").len(), 1_000_000);
        let end = client.read(1).await.expect_err("the end");
        assert!(end.protocol().is_some(), "{end:?}");
        client.closed().await;
    }

    async fn a_cut_is_no_end<R>() {
        for allow_half_open in [false, true] {
            let (_server, client, accepted, relay) = pair::<R>(allow_half_open).await;
            client.write("part of it").await.expect("written");
            assert_eq!(accepted.read_exact(10).await.expect("read"), "part of it");
            relay.cut();
            for side in [client, accepted] {
                cut(side.read(1).await);
                cut::<hat_core::tcp::Error, ()>(Err(side.closed().await));
            }
        }
    }

    /// The last message was whole; it may not have been the last.
    async fn a_cut_between_messages_is_no_end_either<R>() {
        let server = crate::server::<R>(acceptor()).await;
        let relay = Relay::to(server.addresses()[0]);
        let client = hat_aio::chatter::connect::<R>(at(relay.address), crate::with(connector()));
        let client = client.await.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        crate::works(&client, &accepted).await;
        relay.cut();
        cut(client.receive().await);
        cut(accepted.receive().await);
        let refused = client.send(data("late"), SendOptions::default()).await;
        assert!(refused.is_err());
    }

    async fn the_last_words_of_a_cotp_peer_arrive<R>() {
        let options = |tls| cotp::ConnectOptions { tls, ..cotp::ConnectOptions::default() };
        let server = cotp::listen::<R>(local(), cotp::ListenOptions { tls: acceptor(), ..options(None).into() });
        let server = server.await.expect("listens");
        let client = cotp::connect::<R>(at(server.addresses()[0]), options(connector())).await;
        let client = client.expect("confirmed");
        let accepted = server.accept().await.expect("the other end");
        client.send("last words").await.expect("sent");
        client.close().await;
        assert_eq!(accepted.receive().await.expect("received"), "last words");
        let end = accepted.receive().await.expect_err("the end");
        assert!(end.protocol().is_some(), "{end:?}");
    }

    /// The peer is written by hand: a CR and a message in octets, then the end of its half.
    async fn half_closed_cotp_on_the_called_side<R>() {
        let options = cotp::ListenOptions { tls: acceptor(), ..half_open_cotp().into() };
        let server = cotp::listen::<R>(local(), options).await;
        let server = server.expect("listens");
        let peer = tcp::connect::<R>(at(server.addresses()[0]), half_open(connector())).await;
        let peer = peer.expect("connected");
        peer.write(b"\x03\0\0\x0b\x06\xe0\0\0\0\x01\0".to_vec()).await.expect("written");
        let accepted = server.accept().await.expect("the other end");
        assert_eq!(tpdu(&peer).await[1], 0xd0, "a CC");
        peer.write(b"\x03\0\0\x0f\x02\xf0\x80question".to_vec()).await.expect("written");
        peer.end();
        R::spawn(async move { is_half_closed(&accepted).await });
        assert!(last_message(&peer).await == vec![7; 1_000_000]);
        server.close().await;
    }

    async fn half_closed_cotp_on_the_calling_side<R>() {
        let server = tcp::listen::<R>(local(), tcp::ListenOptions { tls: acceptor(), ..half_open(None).into() }).await;
        let server = server.expect("listens");
        let address = server.addresses()[0];
        R::spawn(async move {
            let options = cotp::ConnectOptions { tls: connector(), ..half_open_cotp() };
            let client = cotp::connect::<R>(at(address), options).await.expect("confirmed");
            is_half_closed(&client).await;
        });
        let peer = server.accept().await.expect("the other end");
        assert_eq!(tpdu(&peer).await[1], 0xe0, "a CR");
        peer.write(b"\x03\0\0\x0b\x06\xd0\0\x01\0\x02\0".to_vec()).await.expect("written");
        peer.write(b"\x03\0\0\x0f\x02\xf0\x80question".to_vec()).await.expect("written");
        peer.end();
        assert!(last_message(&peer).await == vec![7; 1_000_000]);
        server.close().await;
    }

    async fn dropping_the_last_clone_ends_in_order<R>() {
        let (_server, client, accepted, _relay) = pair::<R>(false).await;
        client.write(vec![1; 100_000]).await.expect("written");
        drop(client);
        accepted.read_exact(100_000).await.expect("sent before the drop");
        let end = accepted.read(1).await.expect_err("the end");
        assert!(end.protocol().is_some(), "{end:?}");
    }
}
