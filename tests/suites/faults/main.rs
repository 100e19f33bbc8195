//! Faults over real sockets: peers that are killed, silent, slow or hostile, and a system that runs
//! out of something.
//!
//! Each test names the rule that it shows; the rule stands in the documentation of the limit. Where
//! memory or descriptors are measured, or somebody is killed, the other side is a process of its
//! own: `tests/src/bin/event_server.rs`.

mod closing;
mod crowds;
mod deployed;
mod descriptors;
mod floods;
mod killed;
mod process;
mod silent;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Buf;
use hat_aio::eventer::{Client, ConnectOptions, connect};
use hat_core::eventer::EventType;
use hat_core::eventer::client::{Client as Machine, Config};
use hat_core::eventer::message::InitReq;
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::runtimes::{TestRuntime, sleep, within};

/// A free port of this machine.
fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Only what hangs takes longer.
const LONG: Duration = Duration::from_secs(45);

/// Much less than the 40 s after which a ping rule would end a connection; much more than a busy
/// machine needs.
const AT_ONCE: Duration = Duration::from_secs(20);

/// Waits until `reached`, which costs something to ask.
async fn until<R: TestRuntime>(mut reached: impl FnMut() -> bool) {
    let waiting = async {
        while !reached() {
            sleep::<R>(Duration::from_millis(50)).await;
        }
    };
    within::<R, _>(LONG, waiting).await.expect("it comes to that");
}

/// What `future` gives, which no ping rule brings about.
async fn at_once<R: TestRuntime, T>(future: impl Future<Output = T>) -> T {
    within::<R, T>(AT_ONCE, future).await.expect("long before a ping would find out")
}

/// A client of that name, which subscribes to everything.
async fn client<R: TestRuntime>(address: SocketAddr, name: &'static str) -> Client {
    let subscriptions = vec![EventType::from_segments(["*"])];
    let options = ConnectOptions { subscriptions, ..ConnectOptions::default() };
    connect::<R>(address, name, options).await.expect("taken")
}

/// What such a client says first.
fn init(name: impl Into<String>) -> (Machine, Vec<u8>) {
    let init = InitReq {
        client_name: name.into().into(),
        subscriptions: vec![EventType::from_segments(["*"])],
        ..InitReq::default()
    };
    let mut machine = Machine::new(Config::default(), &init, Instant::ORIGIN).expect("small");
    let bytes = drained(&mut machine);
    (machine, bytes)
}

/// What a machine has to say.
fn drained(machine: &mut impl Protocol) -> Vec<u8> {
    let length = machine.tx().remaining();
    machine.tx().copy_to_bytes(length).to_vec()
}
