//! Eventer pairs and events of a few words, for tests of both ends.

use hat_core::chatter::{self, PingRule};
use hat_core::eventer::client::{self, Client};
use hat_core::eventer::message::InitReq;
use hat_core::eventer::server::{self, ClientInfo, Connection};
use hat_core::eventer::{
    EncodedEvents, Event, EventId, EventType, Payload, RegisterEvent, Status, Timestamp,
};
use hat_core::time::Instant;

/// A client and a server.
pub type Pair = crate::pair::Pair<Client, Connection>;

/// Chatter without pings: nothing moves but what a test asks for.
pub fn quiet() -> chatter::Config {
    chatter::Config { ping: PingRule::Off, ..chatter::Config::default() }
}

/// A client without pings.
pub fn client_config() -> client::Config {
    client::Config { chatter: quiet(), ..client::Config::default() }
}

/// A server without pings.
pub fn server_config() -> server::Config {
    server::Config { chatter: quiet(), ..server::Config::default() }
}

/// A client that wants the events whose types match `subscriptions`.
pub fn init(subscriptions: &[&str]) -> InitReq {
    let subscriptions = subscriptions.iter().map(|text| event_type(text)).collect();
    InitReq { client_name: "client".into(), subscriptions, ..InitReq::default() }
}

/// A client that has sent `init`, and a server that has not read it.
pub fn pair_of(
    client: client::Config,
    server: server::Config,
    init: &InitReq,
    grain: usize,
) -> Pair {
    let client = Client::new(client, init, Instant::ORIGIN).expect("not too large");
    Pair::new(client, Connection::new(server, Instant::ORIGIN), grain)
}

/// A pair whose client was accepted by an operational server; nothing else has happened.
pub fn ready_of(
    client: client::Config,
    server: server::Config,
    init: &InitReq,
    grain: usize,
) -> Pair {
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
pub fn initialized(pair: &mut Pair) -> ClientInfo {
    match pair.b.take() {
        server::Incoming::Init(info) => info,
        other => panic!("not an initialization: {other:?}"),
    }
}

/// The type written as `a/b`.
pub fn event_type(text: &str) -> EventType {
    EventType::from_segments(text.split('/'))
}

/// An event with a small payload, of session 1.
pub fn event(server: i64, instance: i64, name: &str) -> Event {
    Event {
        id: EventId::new(server, 1, instance),
        event_type: event_type(name),
        timestamp: Timestamp::from_secs(1_700_000_000),
        source_timestamp: None,
        payload: Some(Payload::binary("t", &b"data"[..])),
    }
}

/// Events as servers send them.
pub fn encoded(events: &[Event]) -> EncodedEvents {
    EncodedEvents::new(events)
}

/// An event to register, of the type written as `a/b`.
pub fn to_register(name: &str) -> RegisterEvent {
    RegisterEvent::new(event_type(name))
}

/// Nothing waits for anything, on either side.
#[track_caller]
pub fn nothing_is_open(pair: &Pair) {
    assert_eq!((pair.a.machine.open_requests(), pair.b.machine.open_requests()), (0, 0));
    assert_eq!((pair.a.machine.open_conversations(), pair.b.machine.open_conversations()), (0, 0));
}

/// A block of Chatter by its parts, whose ids are below 64; the token goes with the message.
#[must_use]
pub fn frame(id: u8, first: u8, owner: bool, last: bool, name: &str, data: &[u8]) -> Vec<u8> {
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

/// A length as SBS writes it: seven bits a byte, the last one marked; in the first the sign takes
/// one of them.
fn count(len: usize) -> Vec<u8> {
    let mut bytes = vec![0x80 | (len & 0x7f) as u8];
    let mut rest = len >> 7;
    while rest > 0 || bytes[0] & 0x40 != 0 {
        bytes.insert(0, (rest & 0x7f) as u8);
        rest >>= 7;
    }
    bytes
}
