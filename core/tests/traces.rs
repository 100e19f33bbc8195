//! What the machines of every protocol tell `tracing` of each message: its type and its size. And
//! what they warn of.
#![cfg(feature = "tracing")]
#![allow(missing_docs, reason = "tests")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_core::{chatter, cotp, eventer, juggler, observer, sbs, tpkt, ws};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps what is traced about messages, `sent MsgInitReq`, and warnings.
#[derive(Clone, Default)]
struct TraceLog(Arc<Mutex<Vec<String>>>);

/// The fields of one event.
#[derive(Default)]
struct Fields {
    message: String,
    r#type: Option<String>,
    bytes: Option<u64>,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "bytes" {
            self.bytes = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "type" {
            self.r#type = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

impl Subscriber for TraceLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && [Level::TRACE, Level::WARN].contains(metadata.level())
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = match (*event.metadata().level(), fields.r#type, fields.bytes) {
            (Level::WARN, _, _) => fields.message,
            (_, Some(r#type), Some(_)) => format!("{} {type}", fields.message),
            _ => return,
        };
        self.0.lock().expect("no panic").push(line);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// What is traced while `run` runs.
fn traced(run: impl FnOnce()) -> Vec<String> {
    let traced = TraceLog::default();
    tracing::subscriber::with_default(traced.clone(), run);
    let mut lines = traced.0.lock().expect("no panic");
    std::mem::take(&mut *lines)
}

/// Both are there, and in this order.
#[track_caller]
fn are(lines: &[String], expected: &[&str]) {
    let mut rest = lines.iter();
    for line in expected {
        assert!(rest.any(|traced| traced == line), "{line} is not in its place in {lines:#?}");
    }
}

/// Two machines, and what is under way to each.
struct Two<A, B> {
    a: (A, RecvBuf),
    b: (B, RecvBuf),
}

impl<A: Protocol, B: Protocol> Two<A, B>
where
    A::Error: Debug,
    B::Error: Debug,
{
    fn new(a: A, b: B) -> Self {
        Self { a: (a, RecvBuf::new()), b: (b, RecvBuf::new()) }
    }

    /// Until nothing moves; gives what came at `b`.
    fn drive(&mut self) -> Vec<B::Incoming> {
        let mut came = Vec::new();
        loop {
            let (a, b) = (poll(&mut self.a), poll(&mut self.b));
            came.extend(b);
            let moved = carry(&mut self.a.0, &mut self.b.1) + carry(&mut self.b.0, &mut self.a.1);
            if moved == 0 && a.is_empty() {
                return came;
            }
        }
    }
}

fn poll<P: Protocol>(side: &mut (P, RecvBuf)) -> Vec<P::Incoming>
where
    P::Error: Debug,
{
    let mut came = Vec::new();
    while let Some(incoming) =
        side.0.poll(&mut side.1, Instant::ORIGIN).expect("no error").incoming()
    {
        came.push(incoming);
    }
    came
}

fn carry(from: &mut impl Protocol, to: &mut RecvBuf) -> usize {
    let tx = from.tx();
    let bytes = tx.copy_to_bytes(tx.remaining());
    to.feed(&bytes);
    bytes.len()
}

#[test]
fn chatter_names_the_type_of_the_data() {
    let machine = || chatter::Connection::new(chatter::Config::default(), Instant::ORIGIN);
    let lines = traced(|| {
        let mut two = Two::new(machine(), machine());
        let data = chatter::Data::new("Test.Type", &b"data"[..]);
        two.a.0.send(data, chatter::SendOptions::default()).expect("room");
        two.drive();
    });
    are(&lines, &["sent Test.Type", "received Test.Type"]);
}

#[test]
fn the_event_protocol_names_its_messages() {
    let lines = traced(|| {
        let init = eventer::message::InitReq { client_name: "client".into(), ..Default::default() };
        let config = eventer::client::Config::default();
        let client = eventer::client::Client::new(config, &init, Instant::ORIGIN).expect("small");
        let config = eventer::server::Config::default();
        let server = eventer::server::Connection::new(config, Instant::ORIGIN);
        let mut two = Two::new(client, server);
        two.drive();
        two.b.0.accept(eventer::Status::Operational).expect("it waits");
        two.drive();
        let event = eventer::RegisterEvent::new(eventer::EventType::from_segments(["a"]));
        two.a.0.register(&[event]).expect("room");
        two.drive();
    });
    are(
        &lines,
        &[
            "sent HatEventer.MsgInitReq",
            "received HatEventer.MsgInitReq",
            "sent HatEventer.MsgInitRes",
            "received HatEventer.MsgInitRes",
            "sent HatEventer.MsgRegisterReq",
            "received HatEventer.MsgRegisterReq",
        ],
    );
}

#[test]
fn observer_names_its_messages() {
    let lines = traced(|| {
        let config = observer::Config::default();
        let component = observer::Component::new(config, "name", "group", "1", Instant::ORIGIN);
        let monitor = chatter::Connection::new(chatter::Config::default(), Instant::ORIGIN);
        let mut two = Two::new(component.expect("small"), monitor);
        two.drive();
        let state = observer::ServerMessage::default();
        let data = chatter::Data::new(observer::SERVER, sbs::encode(&state));
        two.b.0.send(data, chatter::SendOptions::default()).expect("room");
        two.drive();
    });
    are(
        &lines,
        &[
            "sent HatObserver.MsgClient",
            "received HatObserver.MsgClient",
            "sent HatObserver.MsgServer",
            "received HatObserver.MsgServer",
        ],
    );
}

#[test]
fn tpkt_and_cotp_name_theirs() {
    let lines = traced(|| {
        let config = cotp::Config::default();
        let a = cotp::Connection::connect(config.clone(), Instant::ORIGIN).expect("a CR");
        let b = cotp::Connection::accept(config, Instant::ORIGIN).expect("fits");
        let mut two = Two::new(a, b);
        two.drive();
        two.a.0.send(bytes::Bytes::from_static(b"data")).expect("room");
        two.drive();
    });
    are(&lines, &["sent CR", "received CR", "sent CC", "received CC", "sent DT", "received DT"]);
    let lines = traced(|| {
        let machine = || tpkt::Connection::new(tpkt::Config::default());
        let mut two = Two::new(machine(), machine());
        two.a.0.send(bytes::Bytes::from_static(b"\x02\xf0\x80data")).expect("room");
        two.drive();
    });
    are(&lines, &["sent TPKT packet", "received TPKT packet"]);
}

fn websocket(role: ws::Role) -> ws::Connection {
    ws::Connection::established(role, ws::Config::default(), Instant::ORIGIN)
}

#[test]
fn web_sockets_say_whether_it_is_text() {
    let lines = traced(|| {
        let mut two = Two::new(websocket(ws::Role::Client), websocket(ws::Role::Server));
        two.a.0.send_text(&"text".into()).expect("room");
        two.drive();
    });
    are(&lines, &["sent text", "received text"]);
}

#[test]
fn juggler_names_its_messages() {
    let lines = traced(|| {
        let config = juggler::client::Config::default();
        let client = juggler::client::Client::new(websocket(ws::Role::Client), config);
        let config = juggler::server::Config::default();
        let server = juggler::server::Connection::new(websocket(ws::Role::Server), config);
        let mut two = Two::new(client, server);
        two.a.0.request("name", &1.into()).expect("room");
        let asked = two.drive();
        let [juggler::server::Incoming::Request { request, .. }] = &asked[..] else {
            panic!("{asked:?}");
        };
        two.b.0.respond(*request, Ok(&2.into())).expect("room");
        two.b.0.notify(&juggler::Notification::new("name", &3.into())).expect("room");
        two.b.0.change(|state| state.replace(4)).expect("small");
        two.b.0.flush().expect("room");
        two.drive();
    });
    are(
        &lines,
        &[
            "sent juggler request",
            "received juggler request",
            "sent juggler response",
            "sent juggler notify",
            "sent juggler state",
            "received juggler response",
            "received juggler notify",
            "received juggler state",
        ],
    );
}

#[test]
fn juggler_0_5_names_its_messages() {
    let lines = traced(|| {
        let machine = |role| {
            juggler::peer::Connection::new(websocket(role), juggler::peer::Config::default())
        };
        let mut two = Two::new(machine(ws::Role::Client), machine(ws::Role::Server));
        two.a.0.set_local_data(1).expect("small");
        two.a.0.flush().expect("room");
        two.a.0.send(&juggler::peer::Message::new(&2.into())).expect("room");
        two.drive();
    });
    are(
        &lines,
        &[
            "sent juggler DATA",
            "sent juggler MESSAGE",
            "received juggler DATA",
            "received juggler MESSAGE",
        ],
    );
}

/// Sends, of the peer's pings, an answer to none. It is not silent: it says something every second.
#[test]
fn who_answers_no_ping_behind_changes_is_warned_of_once() {
    const WARNING: &str = "the peer does not answer a ping behind changes";
    let config = juggler::server::Config::default();
    let mut server = juggler::server::Connection::new(websocket(ws::Role::Server), config);
    let mut silent = websocket(ws::Role::Client);
    let mut rx = RecvBuf::new();
    let mut second = |seconds, text: String| {
        server.change(|state| state.replace(text)).expect("small");
        // refused while so much is under way
        let _ = server.flush();
        // an answer to nothing
        silent.send_text(&"3".into()).expect("room");
        carry(&mut silent, &mut rx);
        let now = Instant::ORIGIN + Duration::from_secs(seconds);
        assert!(server.poll(&mut rx, now).expect("it is not silent").incoming().is_none());
        server.tx().clear();
    };
    let few = traced(|| (0..100).for_each(|at| second(at, at.to_string())));
    assert!(!few.iter().any(|line| line == WARNING), "it need not answer yet: {few:#?}");
    let lines = traced(|| (100..200).for_each(|at| second(at, at.to_string().repeat(10_000))));
    assert_eq!(lines.iter().filter(|line| *line == WARNING).count(), 1, "{lines:#?}");
    let sent = lines.iter().filter(|line| *line == "sent juggler state").count();
    assert_eq!(sent, 2, "64 KiB are under way, with the small ones");
}
