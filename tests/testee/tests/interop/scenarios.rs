//! What any two implementations do with each other.

use std::thread::sleep;
use std::time::Duration;

use hat_tests::peers::chatter::{ASK, How, Layer, ONE};
use hat_tests::peers::{self, ErrorKind, Peer};
use serde_json::{Value, json};

use super::link::Link;

type Scenario = fn(Layer, &Peer, &Peer);

macro_rules! scenarios {
    ($($name:ident)+) => {
        pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[$((stringify!($name), $name)),+];
    };
}

scenarios! {
    a_conversation_with_its_flags
    conversations_at_once
    messages_of_many_sizes
    requests_run_in_order_and_at_once
    a_close_leaves_what_was_sent_before
    a_receive_that_waits_ends_with_the_connection
    a_server_closes_its_connections_first
    connections_that_are_not_bound_live_on
    pings_are_answered_both_ways
    nobody_listens
    timeouts_of_conversations
    reset_forgets
}

fn a_conversation_with_its_flags(layer: Layer, client: &Peer, server: &Peer) {
    let link = Link::new(layer, client, server);
    for (ours, theirs) in link.both_ways() {
        let conv = ours.send(b"question", ASK);
        assert_eq!(conv["owner"], true);
        let message = theirs.receive(b"question");
        let seen = json!({"owner": false, "first_id": conv["first_id"]});
        assert_eq!(message["conv"], seen);
        let flags = |message: &Value| ["first", "last", "token"].map(|flag| message[flag] == true);
        assert_eq!(flags(&message), [true, false, true]);

        // two in a row: the first keeps the token
        let keep = How { conv: seen.clone(), last: false, token: false, timeout: None };
        assert_eq!(theirs.send(b"part", keep.clone()), seen);
        theirs.send(b"answer", How { token: true, ..keep });
        let part = ours.receive(b"part");
        assert_eq!((&part["conv"], flags(&part)), (&conv, [false, false, false]));
        let answer = ours.receive(b"answer");
        assert_eq!((&answer["conv"], flags(&answer)), (&conv, [false, false, true]));

        ours.send(b"thanks", How { conv, token: false, ..ONE });
        let thanks = theirs.receive(b"thanks");
        assert_eq!((&thanks["conv"], flags(&thanks)), (&seen, [false, true, false]));
    }
}

fn conversations_at_once(layer: Layer, client: &Peer, server: &Peer) {
    let link = Link::new(layer, client, server);
    let sides = [link.client, link.accepted];
    let started = sides.map(|side| (0..10).map(|n| side.send(&[n], ASK)).collect::<Vec<_>>());
    for side in sides {
        let mut asked: Vec<_> = (0..10).map(|n| side.receive(&[n])["conv"].take()).collect();
        // the last is answered first
        for n in (0..10).rev() {
            side.send(&[n], How { conv: asked.pop().expect("ten"), ..ONE });
        }
    }
    for (side, started) in sides.into_iter().zip(started) {
        for (n, conv) in (0..10).zip(started).rev() {
            assert_eq!(side.receive(&[n])["conv"], conv);
        }
    }
}

fn messages_of_many_sizes(layer: Layer, client: &Peer, server: &Peer) {
    let link = Link::new(layer, client, server);
    for (ours, theirs) in link.both_ways() {
        for size in [0, 1, 100, 127, 128, 1023, 1024, 65_535, 100_000, 1 << 20] {
            let data: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            let sent = ours.start_send(&data, ONE);
            theirs.receive(&data);
            sent.expect();
        }
    }
}

fn requests_run_in_order_and_at_once(layer: Layer, client: &Peer, server: &Peer) {
    let link = Link::new(layer, client, server);
    for (ours, theirs) in link.both_ways() {
        let waiting = ours.start("receive");
        let sends: Vec<_> = (0..200_u8).map(|data| ours.start_send(&[data; 3000], ONE)).collect();
        let drained = ours.start("drain");
        let ids: Vec<_> =
            sends.into_iter().map(|sent| sent.expect()["first_id"].as_i64()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        for data in 0..200 {
            theirs.receive(&[data; 3000]);
        }
        drained.expect();
        assert!(!waiting.is_ready());
        theirs.send(b"at last", ONE);
        assert_eq!(peers::from_base64(&waiting.expect()["data"]), b"at last");
    }
}

fn a_close_leaves_what_was_sent_before(layer: Layer, client: &Peer, server: &Peer) {
    for from_client in [true, false] {
        let link = Link::new(layer, client, server);
        let [first, second] = link.both_ways();
        let (ours, theirs) = if from_client { first } else { second };
        for data in 0..20 {
            ours.send(&[data], ONE);
        }
        // the deployed peer drops what it did not write
        ours.drain();
        ours.close().expect();
        assert!(ours.try_event("closing").is_some() && ours.try_event("closed").is_some());
        ours.close().expect();
        assert_eq!((ours.try_event("closing"), ours.try_event("closed")), (None, None));
        let late = ours.start_send(b"late", ONE).wait().map_err(|error| error.kind);
        assert_eq!(late, Err(ErrorKind::Connection));

        theirs.closes();
        for data in 0..20 {
            theirs.receive(&[data]);
        }
        for _ in 0..2 {
            let end = theirs.try_receive().map_err(|error| error.kind);
            assert_eq!(end, Err(ErrorKind::Connection));
        }
        assert_eq!(server.try_event("closing", link.server), None);
    }
}

fn a_receive_that_waits_ends_with_the_connection(layer: Layer, client: &Peer, server: &Peer) {
    let link = Link::new(layer, client, server);
    let waiting = [link.client.start("receive"), link.accepted.start("receive")];
    link.client.close().expect();
    for waiting in waiting {
        assert_eq!(waiting.wait().map_err(|error| error.kind), Err(ErrorKind::Connection));
    }
    link.accepted.closes();
}

fn a_server_closes_its_connections_first(layer: Layer, client: &Peer, server: &Peer) {
    let link = Link::with(layer, client, json!({}), server, json!({"bind_connections": true}));
    server.expect("close", json!({"obj": link.server}));
    for name in ["closing", "closed"] {
        assert!(link.accepted.try_event(name).is_some(), "{name} of the connection");
        assert!(server.try_event(name, link.server).is_some(), "{name} of the server");
    }
    link.client.closes();
}

fn connections_that_are_not_bound_live_on(layer: Layer, client: &Peer, server: &Peer) {
    let link = Link::with(layer, client, json!({}), server, json!({"bind_connections": false}));
    server.expect("close", json!({"obj": link.server}));
    assert!(server.try_event("closed", link.server).is_some());
    for (ours, theirs) in link.both_ways() {
        ours.send(b"still here", ONE);
        theirs.receive(b"still here");
    }
    assert_eq!(link.accepted.try_event("closing"), None);
}

/// Often enough that several go either way, and with time enough for a slow machine.
fn pings_are_answered_both_ways(layer: Layer, client: &Peer, server: &Peer) {
    let (pings, none) = (layer.pings(0.3), layer.pings(0.0));
    let links = [(&pings, &none), (&none, &pings), (&pings, &pings)].map(|(connect, listen)| {
        Link::with(layer, client, connect.clone(), server, listen.clone())
    });
    sleep(Duration::from_millis(1000));
    for (ours, theirs) in links.iter().flat_map(Link::both_ways) {
        assert_eq!(ours.try_event("closing"), None);
        ours.send(b"still here", ONE);
        theirs.receive(b"still here");
    }
}

fn nobody_listens(layer: Layer, client: &Peer, _: &Peer) {
    let target = layer.target(peers::unused_addr(), json!({}));
    let refused = client.request(&layer.method("connect"), target);
    assert_eq!(refused.map_err(|error| error.kind), Err(ErrorKind::Connection));
}

fn timeouts_of_conversations(layer: Layer, client: &Peer, server: &Peer) {
    if layer == Layer::Chatter {
        return;
    }
    let link = Link::new(layer, client, server);
    let soon = How { timeout: Some(0.4), ..ASK };
    for (ours, theirs) in link.both_ways() {
        // answered in time, gone on with by ourselves, over at once, and neither
        let answered = ours.send(b"1", soon.clone());
        let gone_on = ours.send(b"2", How { token: false, ..soon.clone() });
        ours.send(b"2", How { conv: gone_on.clone(), ..ASK });
        ours.send(b"3", How { last: true, ..soon.clone() });
        let seen = theirs.receive(b"1")["conv"].take();
        theirs.send(b"1", How { conv: seen, ..ASK });
        ours.receive(b"1");
        let late = ours.send(b"4", soon.clone());
        assert_eq!(ours.event("conv_timeout"), json!({"conv": late}));
        assert_eq!(ours.try_event("conv_timeout"), None, "{answered} or {gone_on}");
        // it is still open
        for data in [b"2", b"2", b"3"] {
            theirs.receive(data);
        }
        let seen = theirs.receive(b"4")["conv"].take();
        theirs.send(b"4", How { conv: seen, ..ONE });
        assert_eq!(ours.receive(b"4")["conv"], late);
    }
    link.client.send(b"5", soon);
    link.client.close().expect();
    sleep(Duration::from_millis(500));
    assert_eq!(link.client.try_event("conv_timeout"), None);
}

fn reset_forgets(layer: Layer, client: &Peer, server: &Peer) {
    let link = Link::new(layer, client, server);
    let waiting = link.accepted.start("receive");
    server.expect("reset", json!({}));
    assert_eq!(waiting.wait().map_err(|error| error.kind), Err(ErrorKind::Connection));
    link.client.closes();
    for handle in [link.server, link.accepted.object, 1_000_000] {
        let error = server.request("close", json!({"obj": handle})).map_err(|error| error.kind);
        assert_eq!(error, Err(ErrorKind::Connection));
    }
    let again = Link::new(layer, client, server);
    assert!(again.server > link.server && again.accepted.object > link.accepted.object);
}
