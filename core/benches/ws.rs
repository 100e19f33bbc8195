//! WebSocket messages, from `send` to what is written and from what was read to the message, as a
//! client and as a server: the frames of a client are masked.

use bytes::{Buf, Bytes};
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Incoming, Role};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

/// Bytes of a message.
const SIZES: [usize; 4] = [16, 1024, 64 * 1024, 1 << 20];

fn main() {
    divan::main();
}

fn connection(role: Role) -> Connection {
    Connection::established(role, Config::default(), Instant::ORIGIN)
}

/// Into the queue, and out of it as a driver takes it.
fn send(bencher: Bencher, role: Role, size: usize) {
    let mut connection = connection(role);
    let message = Bytes::from(vec![b'a'; size]);
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        connection.send_binary(&message).expect("room");
        while connection.tx().has_remaining() {
            let chunk = connection.tx().chunk().len();
            connection.tx().advance(chunk);
        }
    });
}

/// From what was read; the frames are those of the other side.
fn receive(bencher: Bencher, role: Role, size: usize, text: bool) {
    let mut peer = connection(if role == Role::Client { Role::Server } else { Role::Client });
    let message = "a".repeat(size);
    if text {
        peer.send_text(&message.into()).expect("room");
    } else {
        peer.send_binary(&message.into()).expect("room");
    }
    let queued = peer.tx().remaining();
    let bytes = peer.tx().copy_to_bytes(queued);
    let mut connection = connection(role);
    let read = || {
        let mut rx = RecvBuf::new();
        rx.feed(&bytes);
        rx
    };
    bencher.counter(BytesCount::new(size)).with_inputs(read).bench_local_refs(
        |rx| match connection.poll(rx, Instant::ORIGIN) {
            Ok(Polled::Incoming(message @ (Incoming::Text(_) | Incoming::Binary(_)))) => message,
            other => panic!("{other:?}"),
        },
    );
}

#[divan::bench(args = SIZES)]
fn client_sends(bencher: Bencher, size: usize) {
    send(bencher, Role::Client, size);
}

#[divan::bench(args = SIZES)]
fn server_sends(bencher: Bencher, size: usize) {
    send(bencher, Role::Server, size);
}

#[divan::bench(args = SIZES)]
fn server_receives_binary(bencher: Bencher, size: usize) {
    receive(bencher, Role::Server, size, false);
}

#[divan::bench(args = SIZES)]
fn server_receives_text(bencher: Bencher, size: usize) {
    receive(bencher, Role::Server, size, true);
}

#[divan::bench(args = SIZES)]
fn client_receives_binary(bencher: Bencher, size: usize) {
    receive(bencher, Role::Client, size, false);
}
