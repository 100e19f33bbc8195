//! Eventer, a client's machine against a server's, and each against bytes.

mod closing;
mod init;
mod limits;
mod model;
mod notifications;
mod properties;
mod refusals;
mod requests;
mod session;
mod shared;
mod vectors;

use hat_core::chatter::{self, PingRule};
use hat_core::eventer::client::{self, Client};
use hat_core::eventer::message::InitReq;
use hat_core::eventer::server::{self, ClientInfo, Connection};
use hat_core::eventer::{
    EncodedEvents, Event, EventId, EventType, Payload, RegisterEvent, Status, Timestamp,
};
use hat_core::time::Instant;

type Pair = hat_tests::pair::Pair<Client, Connection>;

/// Chatter without pings: nothing moves but what a test asks for.
fn quiet() -> chatter::Config {
    chatter::Config { ping: PingRule::Off, ..chatter::Config::default() }
}

fn client_config() -> client::Config {
    client::Config { chatter: quiet(), ..client::Config::default() }
}

fn server_config() -> server::Config {
    server::Config { chatter: quiet(), ..server::Config::default() }
}

/// A client that wants the events whose types match `subscriptions`.
fn init(subscriptions: &[&str]) -> InitReq {
    let subscriptions = subscriptions.iter().map(|text| event_type(text)).collect();
    InitReq { client_name: "client".into(), subscriptions, ..InitReq::default() }
}

fn pair(grain: usize) -> Pair {
    pair_of(client_config(), server_config(), &init(&["*"]), grain)
}

fn pair_of(client: client::Config, server: server::Config, init: &InitReq, grain: usize) -> Pair {
    let client = Client::new(client, init, Instant::ORIGIN).expect("not too large");
    Pair::new(client, Connection::new(server, Instant::ORIGIN), grain)
}

/// A pair whose client was accepted by an operational server; nothing else has happened.
fn ready(grain: usize) -> Pair {
    ready_of(client_config(), server_config(), &init(&["*"]), grain)
}

fn ready_of(client: client::Config, server: server::Config, init: &InitReq, grain: usize) -> Pair {
    let mut pair = pair_of(client, server, init, grain);
    pair.drive();
    initialized(&mut pair);
    pair.b.machine.accept(Status::Operational).expect("a client waits for it");
    pair.drive();
    assert_eq!(pair.a.take(), client::Incoming::Ready(Status::Operational));
    pair
}

/// What the client said to the server.
#[track_caller]
fn initialized(pair: &mut Pair) -> ClientInfo {
    match pair.b.take() {
        server::Incoming::Init(info) => info,
        other => panic!("not an initialization: {other:?}"),
    }
}

/// Feeds the client in pieces of `grain` bytes.
fn to_client(pair: &mut Pair, bytes: &[u8], grain: usize) {
    for chunk in bytes.chunks(grain.min(bytes.len())) {
        pair.a.feed(chunk, pair.now);
    }
}

/// Feeds the server in pieces of `grain` bytes.
fn to_server(pair: &mut Pair, bytes: &[u8], grain: usize) {
    for chunk in bytes.chunks(grain.min(bytes.len())) {
        pair.b.feed(chunk, pair.now);
    }
}

/// Nothing waits for anything, on either side.
#[track_caller]
fn nothing_is_open(pair: &Pair) {
    assert_eq!((pair.a.machine.open_requests(), pair.b.machine.open_requests()), (0, 0));
    assert_eq!((pair.a.machine.open_conversations(), pair.b.machine.open_conversations()), (0, 0));
}

/// The type written as `a/b`.
fn event_type(text: &str) -> EventType {
    EventType::from_segments(text.split('/'))
}

fn event(server: i64, instance: i64, name: &str) -> Event {
    Event {
        id: EventId::new(server, 1, instance),
        event_type: event_type(name),
        timestamp: Timestamp::from_secs(1_700_000_000),
        source_timestamp: None,
        payload: Some(Payload::binary("t", &b"data"[..])),
    }
}

fn encoded(events: &[Event]) -> EncodedEvents {
    EncodedEvents::new(events)
}

fn to_register(name: &str) -> RegisterEvent {
    RegisterEvent::new(event_type(name))
}

/// A block of Chatter by its parts, whose ids are below 64; the token goes with the message.
fn frame(id: u8, first: u8, owner: bool, last: bool, name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = vec![0x80 | id, 0x80 | first, owner.into(), 1, last.into()];
    body.extend(count(name.len()));
    body.extend_from_slice(name.as_bytes());
    body.extend(count(data.len()));
    body.extend_from_slice(data);
    let length = (body.len() as u64).to_be_bytes();
    let zeros = length.iter().take(7).take_while(|&&byte| byte == 0).count();
    let mut block = vec![8 - zeros as u8];
    block.extend_from_slice(&length[zeros..]);
    block.extend(body);
    block
}

/// A length as SBS writes it: seven bits a byte, the last one marked; in the first the sign takes one of them.
fn count(len: usize) -> Vec<u8> {
    let mut bytes = vec![0x80 | (len & 0x7f) as u8];
    let mut rest = len >> 7;
    while rest > 0 || bytes[0] & 0x40 != 0 {
        bytes.insert(0, (rest & 0x7f) as u8);
        rest >>= 7;
    }
    bytes
}
