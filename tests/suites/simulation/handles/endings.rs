//! What is said last, in a network where nothing is lost and a round trip is short against the time
//! that an ending takes: it must all arrive, whatever else is on its way.
//!
//! - One side closes while the other goes on sending: all that it said before arrives, and then an
//!   orderly end.
//! - A side that refuses what came still says what it had to say: messages that were queued, an ER
//!   of COTP, the close code of a WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hat_aio::{chatter, cotp, tcp, tpkt, websocket};
use hat_core::cotp::Policy;
use hat_tests::simulated::{Habits, Simulated};
use hat_tests::simulation::{Random, Shape, Tally};

use super::line::Line;
use super::tasks::start;
use super::{count, draw, pause};

const ANY: ([u8; 4], u16) = ([10, 0, 0, 1], 0);

/// Messages that a side says before its end, and bytes of each.
const MOST: usize = 12;
const SIZE: usize = 20;

/// A byte that stands in messages only.
const MARK: u8 = 0xee;

/// A calm world whose lines have short round trips: the time to write what is left is bounded.
pub(super) fn prompt(random: &mut Random) -> Habits {
    let latency = random.pick(&[0, 500, 10_000]);
    let latency = random.duration(Duration::from_micros(latency));
    let shape = Shape {
        latency,
        jitter: random.duration(latency),
        window: random.pick(&[256, 4096, 65536]),
        // one byte a write would take longer than an ending may
        piece: random.pick(&[40, 1500, 65536]),
        read: random.pick(&[0, 1, 2048]),
    };
    Habits { shape: Some(shape), ..Habits::calm(random) }
}

pub(super) async fn endings() -> Tally {
    let mut tally = Tally::new();
    match draw(|random| random.below(8)) {
        0 => hang_up::<chatter::Connection>(&mut tally).await,
        1 => hang_up::<tcp::Connection>(&mut tally).await,
        2 => hang_up::<tpkt::Connection>(&mut tally).await,
        3 => hang_up::<cotp::Connection>(&mut tally).await,
        // a message of 8 MiB and more, and TPKT version 9
        4 => last_messages::<chatter::Connection>(b"\x04\xff\xff\xff\xff", &mut tally).await,
        5 => last_messages::<tpkt::Connection>(b"\x09\x00\x00\x08", &mut tally).await,
        6 => error_report(&mut tally).await,
        _ => close_code(&mut tally).await,
    }
    tally
}

/// One side says something and closes at once, the other sends until it is over.
async fn hang_up<L: Line>(tally: &mut Tally) {
    let server = L::listen().await;
    let address = server.addresses()[0];
    let calling = start(async move { L::connect(address).await });
    let accepted = server.accept().await.expect("somebody calls");
    let caller = calling.await.expect("nothing is refused");
    let (closing, other) =
        if draw(|random| random.chance(50)) { (caller, accepted) } else { (accepted, caller) };
    let talking = start(talk(other.clone()));
    let hearing = start(hear(other));
    pause(Duration::from_millis(100)).await;
    let said = say(&closing).await;
    assert!(closing.close().await, "not closed in order");
    let (heard, is_orderly, end) = hearing.await;
    assert_eq!((heard, is_orderly), (said, true), "messages that came, and then: {end}");
    talking.await;
    server.close().await;
    count(tally, "hung up");
}

/// Says some messages; gives how many were sent.
async fn say<L: Line>(connection: &L) -> usize {
    let message = Bytes::from(vec![MARK; SIZE]);
    let most = draw(|random| random.within(1..=MOST));
    for said in 0..most {
        if !connection.send(message.clone()).await {
            return said;
        }
    }
    most
}

async fn talk<L: Line>(connection: L) {
    let message = Bytes::from(vec![0; draw(|random| random.within(4..=2_000))]);
    while connection.send(message.clone()).await {
        pause(Duration::from_millis(2)).await;
    }
}

/// Takes what comes: how many messages, and whether the end is an orderly one.
async fn hear<L: Line>(connection: L) -> (usize, bool, String) {
    let mut heard = 0;
    loop {
        match connection.receive().await {
            Ok(_) => heard += 1,
            Err((is_orderly, end)) => return (heard, is_orderly, end),
        }
    }
}

/// A server says something, and is sent what it refuses.
async fn last_messages<L: Line>(garbage: &'static [u8], tally: &mut Tally) {
    let server = L::listen().await;
    let client = raw(server.addresses()[0]).await;
    let accepted = server.accept().await.expect("somebody calls");
    let hearing = start(hear(accepted.clone()));
    let saying = start(async move { say(&accepted).await });
    pause(Duration::from_millis(10)).await;
    client.write(garbage).await.expect("nothing is lost");
    let all = read_all(&client).await;
    let said = saying.await;
    let marks = all.iter().filter(|&&byte| byte == MARK).count();
    assert_eq!(marks, said * SIZE, "of {said} messages of {SIZE} bytes");
    let (_, is_orderly, end) = hearing.await;
    assert!(!is_orderly, "{garbage:?} is taken: {end}");
    server.close().await;
    count(tally, "last messages");
}

/// A CR without a length is answered by an ER.
async fn error_report(tally: &mut Tally) {
    let mut options = cotp::ListenOptions::default();
    options.config.policy = Policy::Strict;
    let server = cotp::listen::<Simulated>(SocketAddr::from(ANY), options).await;
    let server = server.expect("it listens");
    let client = raw(server.addresses()[0]).await;
    client.write(&b"\x03\0\0\x0b\0\xe0\0\0\0\x01\0"[..]).await.expect("nothing is lost");
    let all = read_all(&client).await;
    assert!(all.len() > 5 && all[5] == 0x70, "no ER: {all:x?}");
    assert_eq!(all.len(), usize::from(all[3]), "no whole ER: {all:x?}");
    server.close().await;
    count(tally, "error reports");
}

/// A frame that is not masked is answered by a close code.
async fn close_code(tally: &mut Tally) {
    let options = websocket::ListenOptions::default();
    let server = websocket::listen::<Simulated>(SocketAddr::from(ANY), options).await;
    let server = server.expect("it listens");
    let client = raw(server.addresses()[0]).await;
    let request = "GET /ws HTTP/1.1\r\nHost: 10.0.0.1\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write(request).await.expect("nothing is lost");
    let accepted = server.accept().await.expect("somebody calls");
    let saying = start(async move {
        let message = Bytes::from(vec![MARK; SIZE]);
        for _ in 0..draw(|random| random.within(0..=MOST)) {
            if accepted.send(message.clone()).await.is_err() {
                break;
            }
        }
        accepted
    });
    client.write(&b"\x82\x01x"[..]).await.expect("nothing is lost");
    let all = read_all(&client).await;
    // dropped before, it would close with a code of its own
    drop(saying.await);
    let code = 1002_u16.to_be_bytes();
    let is_told = all.windows(4).any(|it| it[0] == 0x88 && it[1] < 126 && it[2..] == code);
    assert!(is_told, "no close code in {:?}", String::from_utf8_lossy(&all));
    server.close().await;
    count(tally, "close codes");
}

/// A client that may send anything.
async fn raw(address: SocketAddr) -> tcp::Connection {
    let options = tcp::ConnectOptions::default();
    tcp::connect::<Simulated>(address, options).await.expect("nothing is refused")
}

/// Reads up to the end of the stream, which is an orderly one.
async fn read_all(client: &tcp::Connection) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match client.read(usize::MAX).await {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(error) => {
                let is_orderly = error.protocol() == Some(&hat_core::tcp::Error::Closed);
                assert!(is_orderly, "{} bytes, and then: {error}", all.len());
                return all;
            }
        }
    }
}
