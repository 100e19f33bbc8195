//! Pings and autoflush, to the millisecond.

use std::time::Duration;

use hat_core::juggler::{Error, SendFault};
use hat_tests::pair::GRAINS;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// With the deployed peers' pings.
fn server_that_pings() -> server::Config {
    server::Config::default()
}

#[test]
fn idle_connections_stay_up_for_months_and_the_application_sees_nothing() {
    for grain in GRAINS {
        let mut pair = both_of(client::Config::default(), server_that_pings(), grain);
        pair.wait(seconds(100_000));
        assert!(pair.a.error.is_none() && pair.b.error.is_none());
        assert!(pair.a.incoming.is_empty() && pair.b.incoming.is_empty());
    }
}

#[test]
fn a_ping_after_30_s_of_silence_and_the_end_after_30_more() {
    let mut pair = to_server(server_that_pings(), usize::MAX);
    pair.wait(seconds(30) - MS);
    assert_eq!(texts(&mut pair.a), [""; 0]);
    pair.wait(MS);
    assert_eq!(texts(&mut pair.a), ["2"]);
    pair.wait(seconds(30) - MS);
    assert_eq!(pair.b.error, None);
    pair.wait(MS);
    assert_eq!(pair.b.error, Some(Error::PingTimeout));
    let (code, reason) = close_of(&pair.a);
    assert_eq!((code, reason.as_str()), (1001, "the peer did not answer a ping in time"));
}

#[test]
fn anything_is_a_sign_of_life() {
    let mut pair = to_server(server_that_pings(), usize::MAX);
    for _ in 0..3 {
        pair.wait(seconds(59));
        assert_eq!(texts(&mut pair.a), ["2"]);
        // half of a message, which is no answer to the ping
        say(&mut pair, &["1"]);
    }
    pair.wait(seconds(30) - MS);
    assert_eq!(texts(&mut pair.a), [""; 0]);
    assert_eq!(pair.b.error, None);
}

/// Every pong is a sign of life, and what came of the message before it is kept all the same.
#[test]
fn a_message_in_segments_that_does_not_end() {
    let limit = ws::Config::default().message_timeout;
    fn ends<P: Protocol<Error = Error>>(mut pair: Pair<ws::Connection, P>, limit: Duration) {
        say(&mut pair, &["1["]);
        while pair.now + seconds(25) < Instant::ORIGIN + limit {
            pair.wait(seconds(25));
            say(&mut pair, &["3", "1"]);
        }
        pair.wait((Instant::ORIGIN + limit) - pair.now - MS);
        assert!(pair.b.error.is_none());
        pair.wait(MS);
        assert_eq!(pair.b.error, Some(Error::MessageTimeout));
        let expected = "the peer began a message and did not finish it in time";
        assert_eq!(close_of(&pair.a), (1008, expected.to_owned()));
        assert_eq!(pair.b.machine.deadline(), None);
    }
    ends(to_server(server_that_pings(), usize::MAX), limit);
    ends(to_server(server_config(), 1), limit);
    ends(to_client(client_config(), usize::MAX), limit);
}

/// Each message has its own time, and none is counted between them.
#[test]
fn messages_in_segments_that_end_in_time() {
    let mut pair = to_server(server_config(), usize::MAX);
    let limit = ws::Config::default().message_timeout;
    for _ in 0..3 {
        say(&mut pair, &[r#"1{"type":"request","id":1,"#]);
        pair.wait(limit - MS);
        say(&mut pair, &[r#"0"name":"","data":1}"#]);
        pair.wait(limit - MS);
    }
    assert_eq!((pair.b.error.as_ref(), texts(&mut pair.a).len()), (None, 3));
    // the machine's time may stand still
    say(&mut pair, &["1"]);
    pair.wait(limit - MS);
    pair.b.machine.stood_still(seconds(1));
    pair.wait(seconds(1));
    assert_eq!(pair.b.error, None);
    pair.wait(MS);
    assert_eq!(pair.b.error, Some(Error::MessageTimeout));
}

/// Nor while nothing is read for the application's sake.
#[test]
fn the_time_of_a_message_does_not_go_on_while_we_do_not_listen() {
    let config = server::Config { max_requests: 1, ..server_config() };
    let mut pair = to_server(config, usize::MAX);
    say(&mut pair, &[r#"0{"type":"request","id":1,"name":"slow","data":0}"#]);
    let (request, ..) = asked(pair.b.take());
    pair.b.machine.respond(request, Ok(&Value::Null)).expect("it is open");
    say(&mut pair, &["1"]);
    let limit = ws::Config::default().message_timeout;
    pair.wait(limit - MS);
    // all that is queued behind the pong waits
    (pair.a.stalled, pair.a.missing) = (true, 0);
    say(&mut pair, &["2"; 17]);
    assert_eq!((pair.b.missing, pair.b.machine.deadline()), (0, None));
    pair.wait(seconds(100_000));
    assert_eq!(pair.b.error, None);
    pair.a.stalled = false;
    pair.wait(limit - MS);
    assert_eq!(pair.b.error, None);
    pair.wait(MS);
    assert_eq!(pair.b.error, Some(Error::MessageTimeout));
}

/// An application that answers nothing must not make the connection look dead: we do not listen.
#[test]
fn silence_does_not_count_while_we_do_not_listen() {
    let config = server::Config { max_requests: 1, ..server_that_pings() };
    let mut pair = to_server(config, usize::MAX);
    say(&mut pair, &[r#"0{"type":"request","id":1,"name":"slow","data":0}"#]);
    let (request, ..) = asked(pair.b.take());
    pair.wait(seconds(1000));
    assert_eq!(texts(&mut pair.a), [""; 0]);
    pair.b.machine.respond(request, Ok(&Value::Null)).expect("it is open");
    pair.wait(seconds(30) - MS);
    assert_eq!(texts(&mut pair.a).len(), 1, "the response");
    pair.wait(MS);
    assert_eq!(texts(&mut pair.a), ["2"]);
}

/// Nor while our own answers, which the peer has not read, keep it from being read.
#[test]
fn silence_does_not_count_while_our_answers_are_not_written() {
    let mut pair = to_server(server_that_pings(), usize::MAX);
    pair.drive();
    (pair.a.stalled, pair.a.missing) = (true, 0);
    say(&mut pair, &["2"; 17]);
    assert_eq!((pair.b.missing, pair.b.machine.deadline()), (0, None));
    pair.wait(seconds(1000));
    assert_eq!(pair.b.error, None);
    pair.a.stalled = false;
    pair.wait(seconds(30) - MS);
    assert_eq!(texts(&mut pair.a), ["3"; 17]);
    pair.wait(MS);
    assert_eq!(texts(&mut pair.a), ["2"], "a ping");
}

/// A link of 1 Mbit/s with a megabyte of buffers in it: of the systems at its ends, of a proxy.
#[derive(Default)]
struct SlowLink(std::collections::VecDeque<u8>);

impl SlowLink {
    const BUFFERS: usize = 1_000_000;
    const STEP: Duration = Duration::from_millis(100);
    const BYTES_A_STEP: usize = 12_500;

    /// What comes out in one step, of what is written as far as there is room for it.
    fn step(&mut self, tx: &mut hat_core::buffer::SendQueue) -> Vec<u8> {
        use bytes::Buf;
        let count = tx.remaining().min(Self::BUFFERS - self.0.len());
        self.0.extend(tx.copy_to_bytes(count));
        let out = self.0.len().min(Self::BYTES_A_STEP);
        self.0.drain(..out).collect()
    }
}

/// A page that follows 2 000 values, of which 200 change every 0.2 s, over such a link for 150 s:
/// more than it carries. A patch of all values takes 3 s, so what is shown was true when the patch
/// before the one that is under way was made, and it is not given up.
#[test]
fn who_reads_slowly_is_shown_what_is_new_and_not_given_up() {
    let mut pair = both_of(client::Config::default(), server_that_pings(), usize::MAX);
    let mut link = SlowLink::default();
    let path = |text: String| -> hat_core::json::Pointer { text.parse().expect("a pointer") };
    let (mut oldest, mut shown) = (Duration::ZERO, 0);
    for step in 0..1_500_u32 {
        pair.now = Instant::ORIGIN + step * SlowLink::STEP;
        if step % 2 == 0 {
            pair.b.machine.change(|state| {
                for change in 0..200 {
                    let name =
                        path(format!("/a name of some length {}", (step * 100 + change) % 2_000));
                    state.set(&name, format!("{step:0>100}")).expect("small");
                }
                state.set(&path("/now".into()), i64::from(step)).expect("small");
            });
        }
        pair.b.feed(&[], pair.now);
        let came = link.step(pair.b.machine.tx());
        pair.a.feed(&came, pair.now);
        let back = pair.a.take_tx();
        pair.b.feed(&back, pair.now);
        assert!(pair.a.error.is_none() && pair.b.error.is_none(), "at {:?}", pair.now);
        if let Some(now) = pair.a.machine.state().get(&path("/now".into())) {
            shown += pair.a.incoming.len();
            oldest = oldest.max((step - now.as_i64().expect("a step") as u32) * SlowLink::STEP);
        }
        pair.a.incoming.clear();
    }
    assert!(shown > 30, "{shown} patches");
    assert!(oldest <= seconds(8), "what is shown is {oldest:?} old");
}

/// What it has not seen yet is merged, also where all of it was taken by the system.
#[test]
fn one_patch_is_under_way_until_the_peer_says_that_it_came() {
    let mut pair = with_delay(Some(Duration::ZERO));
    let text = |number: usize| format!("{number} {}", "x".repeat(100_000));
    let mut segments = std::collections::VecDeque::new();
    for number in 0..10 {
        pair.b.machine.change(|state| state.replace(text(number))).expect("small");
        pair.drive();
        segments.extend(texts(&mut pair.a));
    }
    let mut told = Vec::new();
    while let Some(segment) = segments.pop_front() {
        match segment.strip_prefix('2') {
            Some(payload) => {
                say(&mut pair, &[&format!("3{payload}")]);
                segments.extend(texts(&mut pair.a));
            }
            None => told.push(segment),
        }
    }
    let number =
        |value: &Value| value["diff"][0]["value"].as_str().map(|text| text[..2].to_owned());
    let told: Vec<_> = joined(&told).iter().map(number).collect();
    assert_eq!(told, [Some("0 ".into()), Some("9 ".into())]);
}

/// The frames of a server: opcode and payload of each.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, len, rest @ ..] = bytes {
        let (len, rest) = match len {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => panic!("no frame is so long here"),
            len => (usize::from(*len), rest),
        };
        frames.push((first & 0x0f, rest[..len].to_vec()));
        bytes = &rest[len..];
    }
    frames
}

/// Of several pings a peer may answer the last one only (RFC 6455 section 5.5.3), also where that
/// is one of the WebSocket's own.
#[test]
fn changes_go_on_to_a_peer_that_answers_the_last_ping_only() {
    let rule = PingRule::WhenIdle { delay: seconds(30), timeout: seconds(30) };
    let ws = websocket_of(Role::Server, ws::Config { ping: rule, ..ws::Config::default() });
    let config = peer::Config { autoflush_delay: Some(Duration::ZERO), ..peer::Config::default() };
    // the other side is bytes: its own machine would answer every ping
    let mut pair = Pair::new(websocket(Role::Client), peer::Connection::new(ws, config), 1);
    let mut told = 0;
    let mut read = |pair: &mut ToPeer, answers: bool| {
        let came = frames(&pair.b.take_tx());
        told += came.iter().filter(|(opcode, _)| *opcode == 1).count();
        let last = came.iter().rfind(|(opcode, _)| *opcode == 9).filter(|_| answers);
        let pong = last.map(|(_, payload)| {
            [&[0x8a, 0x80 | payload.len() as u8, 0, 0, 0, 0], &payload[..]].concat()
        });
        pair.b.feed(&pong.unwrap_or_default(), pair.now);
        told
    };
    let change = |pair: &mut ToPeer, number: usize| {
        let text = format!("{number} {}", "x".repeat(20_000));
        pair.b.machine.change(|state| state.replace(text)).expect("small");
        pair.b.feed(&[], pair.now);
    };
    pair.b.feed(&[], pair.now);
    change(&mut pair, 0);
    assert_eq!(read(&mut pair, false), 1);
    // it stalls, is asked whether it lives, and answers that
    pair.now = Instant::ORIGIN + seconds(30);
    pair.b.feed(&[], pair.now);
    read(&mut pair, true);
    for number in 1..100 {
        change(&mut pair, number);
        assert_eq!(read(&mut pair, true), 1 + number);
    }
}

#[test]
fn a_ping_carries_any_payload_and_pings_of_ours_may_be_off() {
    let mut pair = to_server(server_config(), 1);
    say(&mut pair, &["2", "2čšž🚀", "3", "3unasked"]);
    assert_eq!(texts(&mut pair.a), ["3", "3čšž🚀"]);
    pair.wait(seconds(1_000_000));
    assert_eq!(pair.b.error, None);
}

fn with_delay(delay: Option<Duration>) -> ToServer {
    to_server(server::Config { autoflush_delay: delay, ..server_config() }, usize::MAX)
}

fn set(pair: &mut ToServer, value: i64) {
    pair.b.machine.change(|state| state.replace(value)).expect("small");
    pair.drive();
}

fn values(pair: &mut ToServer) -> Vec<Value> {
    let messages = joined(&texts(&mut pair.a));
    messages.iter().map(|message| message["diff"][0]["value"].clone()).collect()
}

#[test]
fn the_first_change_opens_the_window_and_the_last_is_sent() {
    let mut pair = with_delay(server::Config::default().autoflush_delay);
    pair.wait(seconds(1));
    set(&mut pair, 1);
    pair.wait(199 * MS);
    set(&mut pair, 2);
    assert_eq!(values(&mut pair), []);
    pair.wait(MS);
    assert_eq!(values(&mut pair), [2.into()]);
    pair.wait(seconds(10));
    assert_eq!(values(&mut pair), []);
    set(&mut pair, 3);
    pair.wait(200 * MS - MS);
    assert_eq!(values(&mut pair), []);
    pair.wait(MS);
    assert_eq!(values(&mut pair), [3.into()]);
}

#[test]
fn a_flush_ends_the_window() {
    let mut pair = with_delay(Some(200 * MS));
    set(&mut pair, 1);
    pair.wait(100 * MS);
    let end = pair.b.machine.flush().expect("room");
    assert!(pair.b.machine.tx().sent() < end, "not on its way yet");
    pair.drive();
    assert_eq!(pair.b.machine.tx().sent(), end);
    assert_eq!(values(&mut pair), [1.into()]);
    set(&mut pair, 2);
    pair.wait(199 * MS);
    assert_eq!(values(&mut pair), []);
    pair.wait(MS);
    assert_eq!(values(&mut pair), [2.into()]);
}

#[test]
fn a_change_that_is_undone_in_its_window_is_not_sent() {
    let mut pair = with_delay(Some(200 * MS));
    set(&mut pair, 1);
    pair.wait(200 * MS);
    assert_eq!(values(&mut pair), [1.into()]);
    set(&mut pair, 2);
    set(&mut pair, 1);
    pair.wait(seconds(1));
    assert_eq!(values(&mut pair), []);
}

#[test]
fn zero_sends_each_change_at_once() {
    let mut pair = with_delay(Some(Duration::ZERO));
    for value in 1..4 {
        pair.b.machine.change(|state| state.replace(value)).expect("small");
    }
    pair.drive();
    assert_eq!(values(&mut pair), [1.into(), 2.into(), 3.into()]);
    set(&mut pair, 3);
    assert_eq!(values(&mut pair), [], "the same again is no change");
}

#[test]
fn none_sends_at_a_flush_only() {
    let mut pair = with_delay(None);
    set(&mut pair, 1);
    set(&mut pair, 2);
    pair.wait(seconds(1_000_000));
    assert_eq!(values(&mut pair), []);
    pair.b.machine.flush().expect("room");
    pair.drive();
    assert_eq!(values(&mut pair), [2.into()]);
}

/// The window that opened before the handshake was done is sent after it.
#[test]
fn a_window_before_the_handshake() {
    let accept = ws::Connection::accept(ws::Config::default(), Instant::ORIGIN);
    let request = ws::Request::new("h", "/ws");
    let connect = ws::Connection::connect(ws::Config::default(), request, Instant::ORIGIN);
    let server = server::Connection::new(accept, server_config());
    let mut pair = Pair::new(connect.expect("a good request"), server, usize::MAX);
    pair.b.machine.change(|state| state.replace(1)).expect("small");
    pair.wait(seconds(5));
    assert!(pair.b.machine.is_behind());
    assert_eq!(pair.b.machine.flush(), Err(SendFault::NotOpen));
    pair.b.machine.confirm(&ws::Response::default()).expect("it waits");
    pair.drive();
    assert!(matches!(pair.a.take(), ws::Incoming::Open(_)));
    assert_eq!(values(&mut pair), [1.into()]);
    assert!(!pair.b.machine.is_behind());
}

/// Nobody flushes a second time what is flushed by hand.
#[test]
fn a_flush_before_the_handshake() {
    let accept = || ws::Connection::accept(ws::Config::default(), Instant::ORIGIN);
    let connect = || {
        let request = ws::Request::new("h", "/ws");
        ws::Connection::connect(ws::Config::default(), request, Instant::ORIGIN).expect("it fits")
    };
    let config = server::Config { autoflush_delay: None, ..server_config() };
    let mut pair = Pair::new(connect(), server::Connection::new(accept(), config), usize::MAX);
    pair.b.machine.change(|state| state.replace(1)).expect("small");
    assert_eq!(pair.b.machine.flush(), Err(SendFault::NotOpen));
    assert!(pair.b.machine.is_behind());
    pair.drive();
    pair.b.machine.confirm(&ws::Response::default()).expect("it waits");
    pair.drive();
    assert!(matches!(pair.a.take(), ws::Incoming::Open(_)));
    assert_eq!(values(&mut pair), [1.into()]);

    let config = peer::Config { autoflush_delay: None, ..peer::Config::default() };
    let mut pair = Pair::new(connect(), peer::Connection::new(accept(), config), usize::MAX);
    pair.b.machine.set_local_data(1).expect("small");
    assert_eq!(pair.b.machine.flush(), Err(SendFault::NotOpen));
    pair.drive();
    pair.b.machine.confirm(&ws::Response::default()).expect("it waits");
    pair.drive();
    assert!(matches!(pair.a.take(), ws::Incoming::Open(_)));
    assert_eq!(texts(&mut pair.a).len(), 1);
}

#[test]
fn peers_of_0_5_flush_by_the_same_rules_and_never_ping() {
    let mut pair = to_peer(peer::Config::default(), 3);
    pair.b.machine.set_local_data(1).expect("small");
    pair.wait(200 * MS - MS);
    assert_eq!(texts(&mut pair.a).len(), 0);
    pair.wait(MS);
    assert_eq!(texts(&mut pair.a).len(), 1);
    pair.wait(seconds(1_000_000));
    assert_eq!(texts(&mut pair.a).len(), 0);
    assert_eq!(pair.b.error, None);
}
