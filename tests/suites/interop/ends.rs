//! How connections and servers end, seen from the other side.

use hat_aio::ConnectError;
use hat_aio::chatter::{ConnectOptions, Error, SendOptions, connect};
use hat_core::chatter::Error as Reason;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::chatter::ONE;
use hat_tests::peers::{ErrorKind, skipped, unused_addr};
use serde_json::json;

use super::link::{LAYERS, Setup, deployed};

#[track_caller]
fn closed(error: &Error) {
    assert!(matches!(error.protocol(), Some(Reason::Closed)), "{error:?}");
}

on_threaded_runtimes! {
    async fn we_close<R>() {
        if skipped("we_close") {
            return;
        }
        for setup in Setup::all() {
            let link = setup.link::<R>().await;
            // more than is with the system when we close: all of it is still written
            for index in 0..100_u8 {
                link.send(vec![index; 100_000], SendOptions::default()).await;
            }
            let receives: Vec<_> = (0..100).map(|_| link.theirs.start("receive")).collect();
            closed(&link.ours.close().await);
            for received in receives {
                received.expect();
            }
            let end = link.theirs.try_receive().map_err(|error| error.kind);
            assert_eq!(end, Err(ErrorKind::Connection));
            link.theirs.closes();
        }
    }

    async fn they_close<R>() {
        if skipped("they_close") {
            return;
        }
        for setup in Setup::all() {
            let link = setup.link::<R>().await;
            for index in 0..100 {
                link.theirs.send(&[index; 1000], ONE);
            }
            link.theirs.drain();
            link.theirs.close().expect();
            for index in 0..100 {
                link.receive(&[index; 1000]).await;
            }
            closed(&link.ours.receive().await.expect_err("the end"));
            closed(&link.ours.closed().await);
        }
    }

    async fn our_server_closes<R>() {
        if skipped("our_server_closes") {
            return;
        }
        for setup in Setup::all().filter(|setup| !setup.we_connect) {
            for bind_connections in [true, false] {
                let mut link = Setup { bind_connections, ..setup.clone() }.link::<R>().await;
                link.server.take().expect("ours").close().await;
                if bind_connections {
                    closed(&link.ours.end_reason().expect("it was bound"));
                    link.theirs.closes();
                } else {
                    link.works().await;
                }
            }
        }
    }

    async fn their_server_closes<R>() {
        if skipped("their_server_closes") {
            return;
        }
        for setup in Setup::all().filter(|setup| setup.we_connect) {
            for bind_connections in [true, false] {
                let link = Setup { bind_connections, ..setup.clone() }.link::<R>().await;
                link.theirs.peer.expect("close", json!({"obj": link.their_server}));
                if bind_connections {
                    closed(&link.ours.receive().await.expect_err("it was bound"));
                } else {
                    link.works().await;
                }
            }
        }
    }

    async fn nobody_listens<R>() {
        if skipped("nobody_listens") {
            return;
        }
        let refused = connect::<R>(unused_addr(), ConnectOptions::default()).await.map(|_| ());
        assert!(matches!(refused, Err(ConnectError::Connect { .. })), "{refused:?}");
        for layer in LAYERS {
            let target = layer.target(unused_addr(), json!({}));
            let refused = deployed(layer).request(&layer.method("connect"), target);
            assert_eq!(refused.map_err(|error| error.kind), Err(ErrorKind::Connection));
        }
    }
}
