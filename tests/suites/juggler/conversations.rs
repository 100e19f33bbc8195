//! Whole conversations, from the handshake on, at every grain; and their bytes.

use std::time::Duration;

use hat_core::juggler::client::Incoming;
use hat_core::juggler::{Notification, SendFault};
use hat_tests::pair::GRAINS;

use super::*;

/// What a server writes is not masked, and so can be read here.
#[test]
fn the_bytes_of_a_server() {
    let mut pair = to_server(server_config(), usize::MAX);
    say(&mut pair, &[r#"0{"type":"request","id":1,"name":"add","data":[1,2]}"#]);
    let (request, name, data) = asked(pair.b.take());
    assert_eq!((name.as_str(), data), ("add", json("[1,2]")));
    let server = &mut pair.b.machine;
    server.respond(request, Ok(&3.into())).expect("it is open");
    server.notify(&Notification::new("n", &1.into())).expect("room");
    server.change(|state| state.replace(5)).expect("small");
    server.flush().expect("room");
    let mut expected = Vec::new();
    expected.extend_from_slice(
        b"\x81\x330{\"type\":\"response\",\"id\":1,\"success\":true,\"data\":3}",
    );
    expected.extend_from_slice(b"\x81\x260{\"type\":\"notify\",\"name\":\"n\",\"data\":1}");
    expected.extend_from_slice(
        b"\x81\x3f0{\"type\":\"state\",\"diff\":[{\"op\":\"replace\",\"path\":\"\",\"value\":5}]}",
    );
    assert_eq!(pair.b.take_tx(), expected);
}

#[test]
fn the_bytes_of_a_peer() {
    let mut pair = to_peer(peer::Config::default(), usize::MAX);
    let peer = &mut pair.b.machine;
    peer.send(&peer::Message::new(&"hi".into())).expect("room");
    peer.set_local_data(7).expect("small");
    peer.flush().expect("room");
    let mut expected = Vec::new();
    expected.extend_from_slice(b"\x81\x21{\"type\":\"MESSAGE\",\"payload\":\"hi\"}");
    expected.extend_from_slice(
        b"\x81\x40{\"type\":\"DATA\",\"payload\":[{\"op\":\"replace\",\"path\":\"\",\"value\":7}]}",
    );
    assert_eq!(pair.b.take_tx(), expected);
}

fn connecting() -> ws::Connection {
    let request = ws::Request::new("plant.example:8080", "/ws");
    let config = ws::Config { mask_seed: 7, ..ws::Config::default() };
    ws::Connection::connect(config, request, Instant::ORIGIN).expect("a good request")
}

fn accepting() -> ws::Connection {
    ws::Connection::accept(ws::Config::default(), Instant::ORIGIN)
}

#[test]
fn a_life_of_0_7() {
    for grain in GRAINS {
        let server = server::Connection::new(accepting(), server_config());
        let mut pair = Pair::new(Client::new(connecting(), client_config()), server, grain);

        // nobody can be asked yet; what is changed now is told once somebody listens
        assert_eq!(pair.a.machine.request("early", &Value::Null), Err(SendFault::NotOpen));
        pair.b.machine.change(|state| state.replace(json(r#"{"on":false}"#))).expect("small");
        assert_eq!(pair.b.machine.flush(), Err(SendFault::NotOpen));
        pair.drive();
        let server::Incoming::Upgrade(request) = pair.b.take() else { panic!("not a request") };
        assert_eq!(request.path, "/ws");
        pair.b.machine.confirm(&ws::Response::default()).expect("it waits");
        pair.wait(Duration::from_millis(200));
        assert!(matches!(pair.a.take(), Incoming::Open(_)));
        assert_eq!(pair.a.take(), Incoming::State);
        assert_eq!(pair.a.machine.state(), &json(r#"{"on":false}"#));

        let request = pair.a.machine.request("switch", &true.into()).expect("open");
        pair.drive();
        let (asked, name, data) = asked(pair.b.take());
        assert_eq!((name.as_str(), data), ("switch", true.into()));
        let on = "/on".parse().expect("a path");
        pair.b.machine.change(|state| state.set(&on, true)).expect("small");
        pair.b.machine.flush().expect("room");
        pair.b.machine.notify(&Notification::new("switched", &Value::Null)).expect("room");
        pair.b.machine.respond(asked, Ok(&"done".into())).expect("it is open");
        pair.drive();
        assert_eq!(pair.a.take(), Incoming::State);
        assert_eq!(notified(pair.a.take()), ("switched".into(), Value::Null));
        assert_eq!(answered(pair.a.take()), (request, Ok("done".into())));
        assert_eq!(pair.a.machine.state(), &json(r#"{"on":true}"#));

        pair.a.machine.close();
        pair.drive();
        assert!(pair.a.error.as_ref().is_some_and(juggler::Error::is_closed), "{:?}", pair.a.error);
        assert!(pair.b.error.as_ref().is_some_and(juggler::Error::is_closed), "{:?}", pair.b.error);
        assert!(pair.a.machine.is_closed() && pair.b.machine.is_closed());
    }
}

#[test]
fn a_life_of_0_5() {
    for grain in GRAINS {
        let config = peer::Config::default;
        let server = peer::Connection::new(accepting(), config());
        let mut pair = Pair::new(peer::Connection::new(connecting(), config()), server, grain);
        let early = peer::Message::new(&"early".into());
        assert_eq!(pair.a.machine.send(&early), Err(SendFault::NotOpen));
        pair.a.machine.set_local_data("mine").expect("small");
        pair.drive();
        assert!(matches!(pair.b.take(), peer::Incoming::Upgrade(_)));
        pair.b.machine.confirm(&ws::Response::default()).expect("it waits");
        pair.drive();
        assert!(matches!(pair.a.take(), peer::Incoming::Open(_)));

        pair.b.machine.set_local_data("yours").expect("small");
        pair.a.machine.flush().expect("open");
        pair.b.machine.flush().expect("open");
        pair.a.machine.send(&peer::Message::new(&json("[1]"))).expect("open");
        pair.drive();
        assert_eq!(pair.a.take(), peer::Incoming::Data);
        assert_eq!(pair.b.take(), peer::Incoming::Data);
        assert_eq!(pair.b.take(), peer::Incoming::Message { payload: json("[1]"), size: 32 });
        assert_eq!(pair.a.machine.remote_data(), &"yours".into());
        assert_eq!(pair.b.machine.remote_data(), pair.a.machine.local_data());

        pair.b.machine.close();
        pair.drive();
        assert!(pair.a.error.as_ref().is_some_and(juggler::Error::is_closed));
        assert!(pair.b.error.as_ref().is_some_and(juggler::Error::is_closed));
    }
}

#[test]
fn a_websocket_that_is_refused() {
    let server = server::Connection::new(accepting(), server_config());
    let mut pair = Pair::new(Client::new(connecting(), client_config()), server, 7);
    pair.drive();
    pair.b.take();
    pair.b.machine.refuse(403, &[], "Not from there.").expect("it waits");
    pair.drive();
    let refused = pair.a.error.expect("refused");
    assert!(matches!(refused, juggler::Error::Ws(ws::Error::Refused { status: 403, .. })));
}
