//! Followers of a state that read slowly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hat_aio::Runtime;
use hat_aio::juggler::{ConnectOptions, ListenOptions, SharedState, connect, listen};
use hat_core::json::Pointer;
use hat_core::juggler::State;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep};

use super::peer::{Peer, upgraded};
use super::{local, until};

/// Changes the state to texts that begin with each number. Each is larger than what may be under
/// way, and all are more than any system's buffers hold.
fn change(state: &SharedState, numbers: std::ops::Range<u32>) {
    let path: Pointer = "/text".parse().expect("a pointer");
    for number in numbers {
        let text = format!("{number} {}", "x".repeat(200_000));
        state.change(|state| state.set(&path, text)).expect("set");
    }
}

/// The number that the next patch brings, and the payload of the ping behind it.
async fn shown(peer: &mut Peer) -> (u32, Vec<u8>) {
    let mut text = Vec::new();
    loop {
        let (opcode, payload) = peer.frame().await;
        assert_eq!(opcode, 1, "a text");
        match payload.split_first() {
            Some((b'0' | b'1', part)) => text.extend_from_slice(part),
            Some((b'2', ping)) => {
                let text = String::from_utf8(text).expect("UTF-8");
                let number = text.split(" x").next().and_then(|front| front.rsplit('"').next());
                return (number.and_then(|it| it.parse().ok()).expect("a number"), ping.to_vec());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A pong, in a frame with a mask of zeros (RFC 6455 section 5.2).
async fn pong(peer: &Peer, ping: &[u8]) {
    let len = 0x80 | u8::try_from(ping.len() + 1).expect("short");
    peer.send([&[0x81, len, 0, 0, 0, 0, b'3'], ping].concat()).await;
}

on_every_runtime! {
    /// 20 MB of changes between two reads: there is one patch under way, and the next one is the
    /// newest.
    async fn one_patch_is_under_way_and_the_rest_is_merged<R>() {
        let state = SharedState::new(State::default(), Some(Duration::ZERO));
        let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
        let server = listen::<R>(local(), (), options).await.expect("a free port");
        let mut peer = upgraded::<R>(server.addresses()[0]).await;
        until::<R>(|| state.followers() == 1).await;
        change(&state, 0..100);
        let (number, ping) = shown(&mut peer).await;
        assert_eq!(number, 0);
        pong(&peer, &ping).await;
        let (number, ping) = shown(&mut peer).await;
        assert_eq!(number, 99, "the newest when the one before had come");
        change(&state, 100..200);
        pong(&peer, &ping).await;
        assert_eq!(shown(&mut peer).await.0, 199);
        assert_eq!(server.connections().len(), 1);
    }
}

/// Passes 1 Mbit/s from `to` to the one that connects, and everything the other way.
fn slow_proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(local()).expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let mut near = listener.accept().expect("a client").0;
        let mut far = TcpStream::connect(to).expect("the server");
        let (mut up, mut into) = (near.try_clone().expect("one"), far.try_clone().expect("one"));
        thread::spawn(move || std::io::copy(&mut up, &mut into));
        let mut bytes = vec![0; 12_500];
        while let Ok(count @ 1..) = far.read(&mut bytes) {
            if near.write_all(&bytes[..count]).is_err() {
                return;
            }
            thread::sleep(Duration::from_nanos(8_000 * count as u64));
        }
    });
    address
}

/// How old is what a reader of 1 Mbit/s is shown: 10 000 values, 2 000 changes a second, for 100 s.
/// `cargo test -p hat-tests --test web age_behind -- --ignored --nocapture`
#[test]
#[ignore = "takes two minutes, and measures"]
fn age_behind_a_link_of_1_mbit() {
    type R = hat_tokio::Tokio;
    let measure = async {
        let state = SharedState::default();
        let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
        let server = listen::<R>(local(), (), options).await.expect("a free port");
        let proxy = slow_proxy(server.addresses()[0]);
        let page = connect::<R>(proxy, ConnectOptions::default()).await.expect("connected");
        let start = Instant::now();
        let millis = move || i64::try_from(start.elapsed().as_millis()).expect("small");
        let now_at: Pointer = "/now".parse().expect("a pointer");
        let writer = state.clone();
        R::spawn(async move {
            for round in 0_u32.. {
                writer.change(|state| {
                    for change in 0..200 {
                        let path =
                            format!("/plant~1line~1value {}", (round * 200 + change) % 10_000);
                        let value = format!("{{event {round:0>60}}}");
                        state.set(&path.parse().expect("a pointer"), value).expect("set");
                    }
                    state.set(&"/now".parse().expect("a pointer"), millis()).expect("set");
                });
                sleep::<R>(Duration::from_millis(100)).await;
            }
        });
        let (mut oldest, mut changes) = (0, 0);
        while millis() < 100_000 {
            let age = match page.state().get(&now_at) {
                Some(now) => millis() - now.as_i64().expect("a number"),
                None => millis(),
            };
            if age > oldest {
                oldest = age;
                println!("at {} s: {age} ms old", millis() / 1000);
            }
            changes = changes.max(server.connections().len());
            assert!(page.end_reason().is_none(), "{:?}", page.end_reason());
            sleep::<R>(Duration::from_millis(50)).await;
        }
        println!("at most {oldest} ms old, in {changes} connection");
    };
    <R as TestRuntime>::run(measure);
}
