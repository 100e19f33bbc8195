//! Peers that want us to hold more than the limits.
//!
//! | what | rule |
//! |---|---|
//! | a client that never reads what it is told | `chatter::Config::max_queued`, then it is closed |
//! | a message of 2^64 bytes | `chatter::Config::max_message`, before any of it is buffered |
//! | conversations without end | `chatter::Config::max_conversations` |
//! | requests without end | `eventer::server::Config::max_requests`: no more is read |

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use hat_aio::chatter;
use hat_aio::chatter::ConnectOptions;
use hat_aio::eventer::Notification;
use hat_core::buffer::RecvBuf;
use hat_core::chatter::{Config, Connection, Data, Error, SendOptions};
use hat_core::eventer::{LatestParams, Status};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::on_threaded_runtimes;
use hat_tests::runtimes::TestRuntime;

use crate::process::Server;
use crate::{LONG, at_once, client, drained, init, local, until};

const MIB: usize = 1024 * 1024;

/// Bytes that a process may take for what its limits allow to one client: 16 MiB in a queue, and as
/// much again for buffers and the allocator.
const ALLOWED: usize = 40 * MIB;

async fn chatter_server<R: TestRuntime>() -> chatter::Server {
    let listening = chatter::listen::<R>(local(), ConnectOptions::default().into());
    listening.await.expect("listens")
}

on_threaded_runtimes! {
    async fn a_client_that_never_reads_a_gigabyte<R>() {
        let mut server = Server::start::<R>();
        let mut sleeper = TcpStream::connect(server.address).expect("connected");
        sleeper.write_all(&init("sleeper").1).expect("written");
        let reader = client::<R>(server.address, "reader").await;
        until::<R>(|| server.report().connections == 2).await;
        let before = server.report();

        let counted = Arc::new(AtomicI64::new(0));
        let counter = counted.clone();
        R::spawn(async move {
            while let Ok(Notification::Events(events)) = reader.next().await {
                for event in &*events {
                    // each, in order
                    assert_eq!(event.id.instance, counter.fetch_add(1, Ordering::SeqCst) + 1);
                }
            }
        });
        server.process.ask(&format!("notify {MIB} 1024"));
        until::<R>(|| counted.load(Ordering::SeqCst) == 1024).await;
        until::<R>(|| server.report().connections == 1).await;
        let after = server.report();
        assert!(after.peak - before.resident < ALLOWED, "{before:?} {after:?}");
    }

    async fn a_message_of_2_to_the_64_bytes<R>() {
        let server = chatter_server::<R>().await;
        let fronts = [
            vec![8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            vec![9, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![0xff; 256],
        ];
        for front in fronts {
            let mut hostile = TcpStream::connect(server.addresses()[0]).expect("connected");
            let accepted = server.accept().await.expect("a connection");
            hostile.write_all(&front).expect("written");
            let error = at_once::<R, _>(accepted.ended()).await;
            let expected = Error::TooLarge { size: u64::MAX, limit: 64 * MIB };
            assert_eq!(error.protocol(), Some(&expected));
        }
    }

    async fn messages_that_are_claimed_and_do_not_come<R>() {
        let mut server = Server::start::<R>();
        let before = server.report();
        let mut hostile = Vec::new();
        for _ in 0..64 {
            let mut stream = TcpStream::connect(server.address).expect("connected");
            // 64 MiB, the most that may be claimed, and a byte of it
            stream.write_all(&[4, 0x04, 0, 0, 0, 1]).expect("written");
            hostile.push(stream);
        }
        until::<R>(|| server.report().tasks == before.tasks + 2 * hostile.len()).await;
        // a client behind them is taken once they are all read
        client::<R>(server.address, "behind").await;
        let after = server.report();
        assert!(after.peak - before.resident < ALLOWED, "{before:?} {after:?}");
    }

    async fn conversations_without_end<R>() {
        let server = chatter_server::<R>().await;
        let stream = TcpStream::connect(server.addresses()[0]).expect("connected");
        let accepted = server.accept().await.expect("a connection");
        let hostile = thread::spawn(move || write_conversations(stream));
        let mut received = 0;
        let error = loop {
            match accepted.receive().await {
                Ok(_) => received += 1,
                Err(error) => break error,
            }
        };
        let limit = Config::default().max_conversations;
        assert_eq!(error.protocol(), Some(&Error::TooManyConversations { limit }));
        assert_eq!(received, limit);
        assert_eq!(accepted.open_conversations(), 0, "none is kept");
        hostile.join().expect("no panic");
    }

    async fn requests_without_end<R>() {
        let mut server = Server::start::<R>();
        let (mut machine, first) = init("unanswered");
        let mut stream = TcpStream::connect(server.address).expect("connected");
        stream.write_all(&first).expect("written");
        let mut rx = RecvBuf::new();
        while machine.poll(&mut rx, Instant::ORIGIN).expect("no error").incoming().is_none() {
            let mut answer = [0; 256];
            let count = stream.read(&mut answer).expect("an answer");
            rx.feed(&answer[..count]);
        }
        let before = server.report();
        stream.set_write_timeout(Some(Duration::from_millis(500))).expect("set");
        let mut written = 0;
        loop {
            // the limits of this side are of no interest
            let mut fresh = ready();
            for _ in 0..10_000 {
                fresh.query(&LatestParams::default().into()).expect("within the limits");
            }
            let bytes = drained(&mut fresh);
            if stream.write_all(&bytes).is_err() {
                break;
            }
            written += bytes.len();
            assert!(written < 256 * MIB, "taken without end");
        }
        let after = server.report();
        assert!(after.peak - before.resident < ALLOWED, "{before:?} {after:?}");
        let other = client::<R>(server.address, "other").await;
        at_once::<R, _>(other.query(LatestParams::default())).await.expect("an answer");
    }
}

/// Starts conversations until the other side has had enough.
fn write_conversations(mut stream: TcpStream) {
    stream.set_write_timeout(Some(LONG)).expect("set");
    let config =
        Config { max_conversations: usize::MAX, max_queued: usize::MAX, ..Config::default() };
    let mut machine = Connection::new(config, Instant::ORIGIN);
    let goes_on = SendOptions { last: false, ..SendOptions::default() };
    loop {
        for _ in 0..1000 {
            machine.send(Data::new("T", vec![]), goes_on).expect("no limits");
        }
        if stream.write_all(&drained(&mut machine)).is_err() {
            return;
        }
    }
}

/// A client machine that a server has taken.
fn ready() -> hat_core::eventer::client::Client {
    let (mut machine, first) = init("unanswered");
    let mut server = hat_core::eventer::server::Connection::new(
        hat_core::eventer::server::Config::default(),
        Instant::ORIGIN,
    );
    let mut rx = RecvBuf::new();
    rx.feed(&first);
    let _ = server.poll(&mut rx, Instant::ORIGIN).expect("no error");
    server.accept(Status::Operational).expect("waits for it");
    let mut answer = RecvBuf::new();
    answer.feed(&drained(&mut server));
    let _ = machine.poll(&mut answer, Instant::ORIGIN).expect("no error");
    machine
}
