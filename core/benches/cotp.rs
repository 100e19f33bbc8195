//! A message through COTP, from `send` to what is written and from what was read to the message.
//!
//! The profiler counts allocations: sending takes a fixed number of them for a message of any
//! number of TPDUs of 1 KiB and more, receiving one of a single TPDU none of its own.

use bytes::{Buf, Bytes};
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use hat_core::buffer::RecvBuf;
use hat_core::cotp::{Config, Connection, Incoming, Receive, TpduSize};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

/// A message and the size of the TPDUs, in octets.
const CASES: [(usize, u16); 4] = [(1 << 20, 65531), (1 << 20, 2048), (1 << 20, 128), (100, 2048)];

fn main() {
    divan::main();
}

/// A caller and a called that have agreed on a size.
fn connected(size: u16, receive: Receive) -> (Connection, Connection) {
    let caller = Config { offered_size: TpduSize::new(size), ..Config::default() };
    let mut caller = Connection::connect(caller, Instant::ORIGIN).expect("fits");
    let called = Config { receive, ..Config::default() };
    let mut called = Connection::accept(called, Instant::ORIGIN).expect("fits");
    for _ in 0..2 {
        carry(&mut caller, &mut called);
        carry(&mut called, &mut caller);
    }
    assert!(caller.info().is_some() && called.info().is_some());
    (caller, called)
}

fn carry(from: &mut Connection, to: &mut Connection) {
    let mut rx = RecvBuf::new();
    rx.feed(&written(from));
    while let Ok(Polled::Incoming(_)) = to.poll(&mut rx, Instant::ORIGIN) {}
}

fn written(from: &mut Connection) -> Bytes {
    let queued = from.tx().remaining();
    from.tx().copy_to_bytes(queued)
}

/// Into the queue, and out of it as a driver takes it.
#[divan::bench(args = CASES)]
fn send(bencher: Bencher, (len, size): (usize, u16)) {
    let (mut caller, _) = connected(size, Receive::Whole);
    let message = Bytes::from(vec![7; len]);
    bencher.counter(BytesCount::new(len)).bench_local(|| {
        caller.send(message.clone()).expect("room");
        while caller.tx().has_remaining() {
            let chunk = caller.tx().chunk().len();
            caller.tx().advance(chunk);
        }
    });
}

fn receive(bencher: Bencher, (len, size): (usize, u16), receive: Receive) {
    let (mut caller, mut called) = connected(size, receive);
    caller.send(vec![7; len].into()).expect("room");
    let bytes = written(&mut caller);
    let read = || {
        let mut rx = RecvBuf::new();
        rx.feed(&bytes);
        rx
    };
    bencher.counter(BytesCount::new(len)).with_inputs(read).bench_local_values(|mut rx| {
        while let Ok(Polled::Incoming(Incoming::Data { end, .. })) =
            called.poll(&mut rx, Instant::ORIGIN)
        {
            if end {
                return;
            }
        }
        panic!("no message");
    });
}

#[divan::bench(args = CASES)]
fn receive_whole(bencher: Bencher, case: (usize, u16)) {
    receive(bencher, case, Receive::Whole);
}

#[divan::bench(args = CASES)]
fn receive_parts(bencher: Bencher, case: (usize, u16)) {
    receive(bencher, case, Receive::Parts);
}
