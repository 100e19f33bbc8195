//! How a connection ends: each direction for itself, orderly or cut off.

use hat_core::aio::chatter::SendOptions;
use hat_core::aio::server::ServerOptions;
use hat_core::aio::tcp::{self, Connection, Options, Server};
use hat_core::aio::{cotp, tls};
use hat_core::tcp::Config;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;

use super::relay::Relay;
use super::{acceptor, at, connector, data, local};

async fn pair<R: TestRuntime>(allow_half_open: bool) -> (Server, Connection, Connection, Relay) {
    let config = Config { allow_half_open, ..Config::default() };
    let options = |tls| Options { config: config.clone(), tls, ..Options::default() };
    let server = tcp::listen::<R>(local(), options(acceptor()), ServerOptions::default()).await;
    let server = server.expect("listens");
    let relay = Relay::to(server.addresses()[0]);
    let client = tcp::connect::<R>(at(relay.address), options(connector())).await;
    let accepted = server.accept().await.expect("the other end");
    (server, client.expect("connected"), accepted, relay)
}

#[track_caller]
fn cut<E: std::fmt::Debug, T: std::fmt::Debug>(result: Result<T, hat_core::aio::Error<E>>) {
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
        let client = hat_core::aio::chatter::connect::<R>(at(relay.address), crate::with(connector()));
        let client = client.await.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        crate::works(&client, &accepted).await;
        relay.cut();
        cut(client.receive().await);
        cut(accepted.receive().await);
        let refused = client.send(data("late"), SendOptions::default()).await;
        assert!(refused.is_err());
    }

    async fn a_cotp_peer_that_ends_its_side_still_hears<R>() {
        let options = |tls| cotp::Options { tls, ..cotp::Options::default() };
        let server = cotp::listen::<R>(local(), options(acceptor()), ServerOptions::default());
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

    async fn dropping_the_last_clone_ends_in_order<R>() {
        let (_server, client, accepted, _relay) = pair::<R>(false).await;
        client.write(vec![1; 100_000]).await.expect("written");
        drop(client);
        accepted.read_exact(100_000).await.expect("sent before the drop");
        let end = accepted.read(1).await.expect_err("the end");
        assert!(end.protocol().is_some(), "{end:?}");
    }
}
