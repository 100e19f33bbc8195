//! The floods that guard the driver: reading and writing must not wait for each other, and yet a
//! peer must not make us hold what it does not read, or more than what our inbox may hold.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hat_aio::chatter::ConnectOptions;
use hat_core::chatter::{Config, PingRule};
use hat_tests::on_every_runtime;

use super::{data, one, pair, server};

const PING: &[u8] = b"\x01\x16\x81\x81\x01\x01\x00\x8fHatChatter.Ping\x80";

/// A message of one byte, the first and last of its conversation.
const MESSAGE: &[u8] = b"\x01\x09\x81\x81\x01\x01\x01\x81T\x81x";

/// Bytes that each side sends before it reads.
const FLOOD: usize = 64 * 1024 * 1024;

on_every_runtime! {
    async fn both_sides_send_64_mib_before_they_read<R>() {
        for size in [1000, 1024 * 1024] {
            let config = Config { max_queued: 2 * FLOOD, ..Config::default() };
            let (_server, a, b) = pair::<R>(ConnectOptions { config, ..ConnectOptions::default() }).await;
            for side in [&a, &b] {
                for _ in 0..FLOOD / size {
                    side.try_send(data(vec![1; size]), one()).expect("within the limit");
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
        let server = server::<R>(ConnectOptions { config, ..ConnectOptions::default() }).await;
        let mut flooder = TcpStream::connect(server.addresses()[0]).expect("connected");
        let accepted = server.accept().await.expect("a connection");
        flooder.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        let flooding = R::elsewhere(move || {
            let pings = PING.repeat(10_000);
            // until the system's buffers of both directions are full: then we must have stopped
            // reading
            let mut written = 0;
            while flooder.write_all(&pings).is_ok() {
                written += pings.len();
                assert!(written < 256 * 1024 * 1024, "the flood is taken without end");
            }
            (flooder, written)
        });
        let (mut flooder, written) = flooding.await;
        assert!(accepted.end_reason().is_none());

        // once it reads, it gets a pong for every ping that was read
        flooder.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        let reading = R::elsewhere(move || {
            let (mut buffer, mut pongs) = (vec![0; 1 << 20], 0);
            while let Ok(count @ 1..) = flooder.read(&mut buffer) {
                pongs += count;
            }
            pongs
        });
        let pongs = reading.await;
        assert!(pongs > written / 2, "{pongs} bytes of pongs for {written} bytes of pings");
    }

    /// Each of them keeps the memory that it was read to, which the pings were read to, too.
    async fn a_small_message_among_pings_counts_as_what_was_read_with_it<R>() {
        let config = Config { ping: PingRule::Off, ..Config::default() };
        let server = server::<R>(ConnectOptions { config, ..ConnectOptions::default() }).await;
        let mut flooder = TcpStream::connect(server.addresses()[0]).expect("connected");
        let accepted = server.accept().await.expect("a connection");
        let mut pongs = flooder.try_clone().expect("a descriptor");
        let reader = std::thread::spawn(move || std::io::copy(&mut pongs, &mut std::io::sink()));

        flooder.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        let flooding = R::elsewhere(move || {
            let block = [&PING.repeat(2_600), MESSAGE].concat();
            let mut messages = 0;
            while flooder.write_all(&block).is_ok() {
                messages += 1;
                // 4 MiB in the inbox, and what the system keeps
                assert!(messages * block.len() < 32 * 1024 * 1024, "more is read than may be kept");
            }
            (flooder, messages)
        });
        // it is open as long as what is in the inbox is taken
        let (_flooder, messages) = flooding.await;
        for _ in 0..messages {
            assert_eq!(&accepted.receive().await.expect("sent").data.data[..], b"x");
        }
        accepted.close().await;
        reader.join().expect("it reads").expect("until the end");
    }
}
