//! We are late, and not the peer: an application that takes nothing for a while, a thread that was
//! held up. The answer to a ping is in the socket then, behind other messages.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Buf;
use hat_aio::SocketOptions;
use hat_aio::chatter::{Connection, InboxLimits, ListenOptions, Server, listen};
use hat_aio::server::AcceptOptions;
use hat_core::buffer::RecvBuf;
use hat_core::chatter::{Config, Connection as Machine, Dialect, PingRule, SendOptions};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;
use hat_tests::shifted::ShiftedRuntime;

use super::{data, local, one};

/// Far more than any machine takes for a test.
const INTERVAL: Duration = Duration::from_secs(3600);

/// A peer without a task, which reads and writes when the test says so.
struct Peer {
    stream: TcpStream,
    machine: Machine,
    rx: RecvBuf,
}

impl Peer {
    fn send(&mut self, count: usize) {
        for number in 0..count {
            let options = SendOptions::default();
            self.machine.send(data(number.to_string()), options).expect("room");
        }
    }

    fn write(&mut self) {
        let tx = self.machine.tx();
        let bytes = tx.copy_to_bytes(tx.remaining());
        self.stream.write_all(&bytes).expect("the server is there");
    }

    /// Writes all but the last `left` bytes.
    fn write_some(&mut self, left: usize) {
        let tx = self.machine.tx();
        let bytes = tx.copy_to_bytes(tx.remaining() - left);
        self.stream.write_all(&bytes).expect("the server is there");
    }

    /// Reads once.
    fn take_in(&mut self) {
        let mut bytes = [0; 4096];
        let count = self.stream.read(&mut bytes).expect("the server is there");
        assert!(count > 0, "it has not closed");
        self.rx.feed(&bytes[..count]);
    }

    /// The next message of what was read; the answer to a ping is queued.
    fn poll(&mut self) -> Option<bytes::Bytes> {
        let polled = self.machine.poll(&mut self.rx, Instant::ORIGIN).expect("no error");
        match polled.incoming() {
            Some(hat_core::chatter::Incoming::Message(message)) => Some(message.data.data),
            _ => None,
        }
    }
}

/// A server on a clock of the test's own, which pings every hour, a peer, and the server's end of
/// it.
async fn pinging<R: TestRuntime, Of: 'static>(inbox: usize) -> (Server, Connection, Peer) {
    let config =
        Config { ping: PingRule::Every { interval: INTERVAL }, ..Config::new(Dialect::Hat) };
    let inbox = InboxLimits { messages: inbox, ..InboxLimits::default() };
    let options = ListenOptions { config, inbox, ..ListenOptions::default() };
    let server = listen::<ShiftedRuntime<R, Of>>(local(), options).await.expect("listens");
    let stream = TcpStream::connect(server.addresses()[0]).expect("connected");
    let accepted = server.accept().await.expect("a connection");
    let config = Config { ping: PingRule::Off, ..Config::new(Dialect::Hat) };
    let machine = Machine::new(config, Instant::ORIGIN);
    (server, accepted, Peer { stream, machine, rx: RecvBuf::new() })
}

/// The server pings, which the peer reads, and answers behind 300 messages.
async fn ping_and_pong<R: TestRuntime, Of: 'static>(accepted: &Connection, peer: &mut Peer) {
    ShiftedRuntime::<R, Of>::pass(INTERVAL);
    // wakes the server, which sees what time it is
    peer.send(1);
    peer.write();
    assert_eq!(accepted.receive().await.expect("received").data.data, "0");
    peer.take_in();
    peer.send(300);
    assert!(peer.poll().is_none(), "a ping, which is answered behind them");
    peer.write();
}

/// Has the server's end look at its clock: of two messages the first may be an answer, which wakes
/// nobody.
async fn wake(accepted: &Connection) {
    for _ in 0..2 {
        accepted.send(data("is anybody there"), one()).await.expect("open");
    }
}

/// On one thread, where nothing runs but at an await: a test of what happens before a task runs.
fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

async fn takes_all(from: usize, accepted: &Connection, peer: &mut Peer) {
    for number in from..300 {
        let message = accepted.receive().await.expect("it is not given up");
        assert_eq!(message.data.data, number.to_string());
    }
    accepted.send(data("still here"), one()).await.expect("open");
    accepted.drain().await.expect("written");
    loop {
        match peer.poll() {
            Some(data) if data == "still here" => return,
            // another ping
            _ => peer.take_in(),
        }
    }
}

#[test]
fn an_application_that_takes_nothing_for_hours() {
    type R = hat_tokio::Tokio;
    struct Here;
    on_one_thread(async {
        let (_server, accepted, mut peer) = pinging::<R, Here>(8).await;
        ping_and_pong::<R, Here>(&accepted, &mut peer).await;
        // the driver has run when there is the first: the inbox is full, and the rest is in the
        // socket
        assert_eq!(accepted.receive().await.expect("received").data.data, "0");
        ShiftedRuntime::<R, Here>::pass(10 * INTERVAL);
        takes_all(1, &accepted, &mut peer).await;
    });
}

/// Its thread was held up, or its machine asleep.
#[test]
fn a_server_that_did_not_run_for_hours() {
    type R = hat_tokio::Tokio;
    struct Here;
    on_one_thread(async {
        let (_server, accepted, mut peer) = pinging::<R, Here>(1024).await;
        ping_and_pong::<R, Here>(&accepted, &mut peer).await;
        // all of it is in the socket, and nobody has looked yet
        ShiftedRuntime::<R, Here>::pass(10 * INTERVAL);
        takes_all(0, &accepted, &mut peer).await;
    });
}

/// Lets the driver run until it has nothing to do.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// The answer to the ping, and the rest of a message, have not left the peer when the application
/// takes again: its socket had no room for them.
#[test]
fn an_application_that_takes_nothing_for_hours_and_a_peer_that_could_not_write() {
    type R = hat_tokio::Tokio;
    struct Here;
    on_one_thread(async {
        let (_server, accepted, mut peer) = pinging::<R, Here>(8).await;
        ShiftedRuntime::<R, Here>::pass(INTERVAL);
        peer.send(1);
        peer.write();
        assert_eq!(accepted.receive().await.expect("received").data.data, "0");
        peer.take_in();
        peer.send(300);
        peer.write_some(5);
        assert_eq!(accepted.receive().await.expect("received").data.data, "0");
        ShiftedRuntime::<R, Here>::pass(10 * INTERVAL);
        for number in 1..299 {
            let message = accepted.receive().await.expect("it is not given up");
            assert_eq!(message.data.data, number.to_string());
        }
        settle().await;
        assert!(peer.poll().is_none(), "a ping, which is answered");
        peer.write();
        takes_all(299, &accepted, &mut peer).await;
    });
}

/// The same where nothing waited but a message of which only the start was here.
#[test]
fn a_server_that_did_not_run_for_hours_and_a_message_that_had_begun() {
    type R = hat_tokio::Tokio;
    struct Here;
    on_one_thread(async {
        let (_server, accepted, mut peer) = pinging::<R, Here>(1024).await;
        peer.send(300);
        peer.write_some(10);
        assert_eq!(accepted.receive().await.expect("received").data.data, "0");
        settle().await;
        ShiftedRuntime::<R, Here>::pass(10 * INTERVAL);
        peer.write_some(5);
        settle().await;
        peer.write();
        takes_all(1, &accepted, &mut peer).await;
    });
}

/// A message that comes byte by byte has no longer than any other, however often a byte arrives
/// in the very moment in which its time is over.
#[test]
fn a_message_that_never_ends_is_given_up_in_time() {
    type R = hat_tokio::Tokio;
    struct Here;
    on_one_thread(async {
        let (_server, accepted, mut peer) = pinging::<R, Here>(8).await;
        peer.send(1);
        peer.write_some(5);
        settle().await;
        let limit = Config::new(Dialect::Hat).message_timeout;
        ShiftedRuntime::<R, Here>::pass(limit);
        peer.write_some(4);
        let error = accepted.closed().await;
        assert_eq!(error.protocol(), Some(&hat_core::chatter::Error::MessageTimeout));
    });
}

/// A call wakes the server before its loop has heard of what is in the socket.
async fn woken_before_it_reads<R: TestRuntime, Of: 'static>() {
    let (_server, accepted, mut peer) = pinging::<R, Of>(1024).await;
    ping_and_pong::<R, Of>(&accepted, &mut peer).await;
    ShiftedRuntime::<R, Of>::pass(10 * INTERVAL);
    wake(&accepted).await;
    for number in 0..300 {
        let message = accepted.receive().await.expect("it is not given up");
        assert_eq!(message.data.data, number.to_string());
    }
}

/// The same where the machine has no time of its own, and the socket has.
async fn woken_before_it_reads_with_a_limit<R: TestRuntime, Of: 'static>() {
    let config = Config { ping: PingRule::Off, ..Config::new(Dialect::Hat) };
    let socket = SocketOptions { idle_timeout: Some(INTERVAL), ..SocketOptions::default() };
    let accept = AcceptOptions { socket, ..AcceptOptions::default() };
    let options = ListenOptions { config, accept, ..ListenOptions::default() };
    let server = listen::<ShiftedRuntime<R, Of>>(local(), options).await.expect("listens");
    let stream = TcpStream::connect(server.addresses()[0]).expect("connected");
    let accepted = server.accept().await.expect("a connection");
    let config = Config { ping: PingRule::Off, ..Config::new(Dialect::Hat) };
    let machine = Machine::new(config, Instant::ORIGIN);
    let mut peer = Peer { stream, machine, rx: RecvBuf::new() };
    for number in 0..3 {
        peer.send(1);
        peer.write();
        ShiftedRuntime::<R, Of>::pass(10 * INTERVAL);
        wake(&accepted).await;
        accepted.receive().await.unwrap_or_else(|error| panic!("{number}: {error}"));
    }
    ShiftedRuntime::<R, Of>::pass(10 * INTERVAL);
    wake(&accepted).await;
    let error = accepted.closed().await;
    assert!(matches!(error, hat_aio::Error::Idle { .. }), "{error}");
}

#[test]
fn a_server_that_is_woken_before_it_reads() {
    type R = hat_tokio::Tokio;
    struct Here;
    struct Limited;
    on_one_thread(woken_before_it_reads::<R, Here>());
    on_one_thread(woken_before_it_reads_with_a_limit::<R, Limited>());
}

#[cfg(target_os = "linux")]
#[test]
fn a_ring_that_is_woken_before_it_reads() {
    type R = hat_compio::Compio;
    struct Here;
    struct Limited;
    if hat_tests::runtimes::has_no_ring("a_ring_that_is_woken_before_it_reads") {
        return;
    }
    R::run(woken_before_it_reads::<R, Here>());
    R::run(woken_before_it_reads_with_a_limit::<R, Limited>());
}

on_every_runtime! {
    /// One that is silent is given up all the same.
    async fn a_peer_that_does_not_answer<R>() {
        struct Here;
        let (_server, accepted, mut peer) = pinging::<R, Here>(8).await;
        ShiftedRuntime::<R, Here>::pass(INTERVAL);
        peer.send(1);
        peer.write();
        accepted.receive().await.expect("received");
        peer.take_in();
        ShiftedRuntime::<R, Here>::pass(10 * INTERVAL);
        wake(&accepted).await;
        let error = accepted.closed().await;
        let expected = hat_core::chatter::Error::PingTimeout;
        assert_eq!(error.protocol(), Some(&expected));
    }
}
