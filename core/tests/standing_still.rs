//! The driver's time stands still while the application takes nothing: every deadline of the peer's
//! moves on by as much.

use std::time::Duration;

use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{PingRule, Role};
use hat_core::{chatter, cotp, eventer, juggler, observer, tpkt, ws};

const HOUR: Duration = Duration::from_secs(3600);

/// A machine that was polled with `bytes` at the origin.
fn polled<P: Protocol>(mut machine: P, bytes: &[u8]) -> (P, RecvBuf) {
    let mut rx = RecvBuf::new();
    rx.feed(bytes);
    assert!(matches!(machine.poll(&mut rx, Instant::ORIGIN), Ok(Polled::Needs(_))));
    (machine, rx)
}

/// Its peer has as much time left as before.
fn waits_longer<P: Protocol>(machine: P, bytes: &[u8]) {
    let (mut machine, mut rx) = polled(machine, bytes);
    let due = machine.deadline().expect("the peer has to do something");
    machine.stood_still(HOUR);
    assert_eq!(machine.deadline(), Some(due + HOUR));
    let just = due + (HOUR - Duration::from_nanos(1));
    assert!(matches!(machine.poll(&mut rx, just), Ok(Polled::Needs(_))), "it is not given up");
    // a ping, or the end
    let late = machine.poll(&mut rx, due + HOUR);
    assert!(late.is_err() || machine.deadline() > Some(due + HOUR));
}

/// Without pings, and with.
fn websocket(ping: bool) -> ws::Connection {
    let rule = PingRule::WhenIdle { delay: HOUR / 2, timeout: HOUR / 4 };
    let ping = if ping { rule } else { PingRule::Off };
    let config = ws::Config { ping, ..ws::Config::default() };
    ws::Connection::established(Role::Server, config, Instant::ORIGIN)
}

#[test]
fn websocket_connections() {
    // a frame that has begun; silence; a handshake on either side; a Close that is not answered
    waits_longer(websocket(false), &[0x82]);
    waits_longer(websocket(true), &[]);
    waits_longer(websocket(true), &[0x82]);
    waits_longer(ws::Connection::accept(ws::Config::default(), Instant::ORIGIN), b"GET");
    let request = ws::Request::new("localhost", "/");
    let client = ws::Connection::connect(ws::Config::default(), request, Instant::ORIGIN);
    waits_longer(client.expect("a request"), b"HTTP");
    let mut closing = websocket(false);
    closing.close();
    waits_longer(closing, &[]);
}

#[test]
fn chatter_connections() {
    for dialect in [chatter::Dialect::Hat, chatter::Dialect::HatChatter] {
        let config = chatter::Config::new(dialect);
        waits_longer(chatter::Connection::new(config.clone(), Instant::ORIGIN), &[]);
        let config = chatter::Config { ping: PingRule::Off, ..config };
        waits_longer(chatter::Connection::new(config, Instant::ORIGIN), &[1]);
    }
}

/// A ping that was sent before has its answer under way.
#[test]
fn a_ping_waits_as_much_longer_for_its_answer() {
    let config = chatter::Config::new(chatter::Dialect::Hat);
    let PingRule::Every { interval } = config.ping else { panic!("of this dialect") };
    let (mut machine, mut rx) = polled(chatter::Connection::new(config, Instant::ORIGIN), &[]);
    let sent = Instant::ORIGIN + interval;
    assert!(machine.poll(&mut rx, sent).is_ok());
    machine.stood_still(HOUR);
    let due = sent + HOUR + interval;
    assert_eq!(machine.deadline(), Some(due));
    assert_eq!(machine.poll(&mut rx, due), Err(chatter::Error::PingTimeout));
}

/// The application's own deadlines stay as they are.
#[test]
fn conversations_do_not_wait_longer() {
    let config = chatter::Config { ping: PingRule::Off, ..chatter::Config::default() };
    let mut machine = chatter::Connection::new(config, Instant::ORIGIN);
    let timeout = Some(Instant::ORIGIN + HOUR);
    let options = chatter::SendOptions { last: false, timeout, ..Default::default() };
    machine.send(chatter::Data::new("T", &b""[..]), options).expect("open");
    machine.stood_still(HOUR);
    assert_eq!(machine.deadline(), timeout);
}

#[test]
fn connections_of_the_layers_above() {
    let called = cotp::Connection::accept(cotp::Config::default(), Instant::ORIGIN);
    waits_longer(called.expect("a config"), &[3, 0]);
    let calling = cotp::Connection::connect(cotp::Config::default(), Instant::ORIGIN);
    waits_longer(calling.expect("a config"), &[3, 0]);

    let quick = Duration::from_secs(1);
    let init = eventer::message::InitReq::default();
    for init_timeout in [quick, HOUR] {
        let config = eventer::client::Config { init_timeout, ..Default::default() };
        let client = eventer::client::Client::new(config, &init, Instant::ORIGIN);
        waits_longer(client.expect("not too large"), &[]);
        let config = eventer::server::Config { init_timeout, ..Default::default() };
        waits_longer(eventer::server::Connection::new(config, Instant::ORIGIN), &[]);
    }
    let component =
        observer::Component::new(observer::Config::default(), "a", "b", "{}", Instant::ORIGIN);
    waits_longer(component.expect("not too large"), &[]);

    for ping in [false, true] {
        let ws = || websocket(ping);
        waits_longer(juggler::client::Client::new(ws(), Default::default()), &[]);
        waits_longer(juggler::server::Connection::new(ws(), Default::default()), &[]);
        waits_longer(juggler::texts::Connection::new(ws(), Default::default()), &[]);
    }
    waits_longer(juggler::peer::Connection::new(websocket(true), Default::default()), &[]);
    waits_longer(juggler::rpc::Connection::new(websocket(true), Default::default()), &[]);
}

/// Those whose peer has to do nothing by any time.
#[test]
fn packets_and_bytes() {
    let (mut machine, _) = polled(tpkt::Connection::new(tpkt::Config::default()), &[3, 0]);
    machine.stood_still(HOUR);
    assert_eq!(machine.deadline(), None);
}
