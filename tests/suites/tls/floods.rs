//! The floods that guard the driver, through TLS: reading must not wait for writing, and what a
//! peer does not read is not held.

use std::time::Duration;

use hat_aio::chatter::{ConnectOptions, ListenOptions, SendOptions, connect, listen};
use hat_aio::tcp;
use hat_core::chatter::{Config, PingRule};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::within;

use super::{acceptor, at, connector, data, local};

/// Bytes that each side sends before it reads.
const FLOOD: usize = 64 * 1024 * 1024;

on_every_runtime! {
    async fn both_sides_send_64_mib_before_they_read<R>() {
        for size in [1000, 1024 * 1024] {
            let config = Config { max_queued: 2 * FLOOD, ..Config::default() };
            let options = |tls| ConnectOptions { config: config.clone(), tls, ..ConnectOptions::default() };
            let server = listen::<R>(local(), ListenOptions { tls: acceptor(), ..options(None).into() }).await;
            let server = server.expect("listens");
            let a = connect::<R>(at(server.addresses()[0]), options(connector())).await;
            let a = a.expect("connected");
            let b = server.accept().await.expect("the other end");
            for side in [&a, &b] {
                for _ in 0..FLOOD / size {
                    side.try_send(data(vec![1; size]), SendOptions::default()).expect("within the limit");
                }
            }
            for side in [&a, &b] {
                for _ in 0..FLOOD / size {
                    assert_eq!(side.receive().await.expect("sent").data.data.len(), size);
                }
            }
        }
    }

    async fn a_peer_that_pings_and_never_reads_is_stopped<R>() {
        let config = Config { ping: PingRule::Off, ..Config::default() };
        let options = ListenOptions { config, tls: acceptor(), ..ListenOptions::default() };
        let server = listen::<R>(local(), options).await.expect("listens");
        // a connection of bytes, which reads no more than its buffer holds
        let options = tcp::ConnectOptions { tls: connector(), ..tcp::ConnectOptions::default() };
        let flooder = tcp::connect::<R>(at(server.addresses()[0]), options).await.expect("connected");
        let accepted = server.accept().await.expect("a connection");
        let pings = b"\x01\x16\x81\x81\x01\x01\x00\x8fHatChatter.Ping\x80".repeat(10_000);
        // until everything on the way is full: then we must have stopped reading
        let mut written = 0;
        let patience = Duration::from_millis(500);
        while within::<R, _>(patience, flooder.write(pings.clone())).await.is_some() {
            written += pings.len();
            assert!(written < 256 * 1024 * 1024, "the flood is taken without end");
        }
        assert!(accepted.end_reason().is_none());

        // once it reads, it gets the pongs
        let mut pongs = 0;
        while pongs < written / 2 {
            pongs += flooder.read(1 << 20).await.expect("pongs").len();
        }
    }
}
