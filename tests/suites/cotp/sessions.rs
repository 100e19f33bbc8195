//! Whole sessions of hat-drivers: handshake and segments as it writes them, and where we answer
//! otherwise.

use bytes::Bytes;
use hat_core::cotp::{Config, Connection, Selector, TpduSize};
use hat_core::protocol::Protocol;
use hat_tests::pair::{GRAINS, Pair, Side};
use hat_tests::vectors::{hex, list, load, text};
use serde_json::Value;

use super::{accept, alone, connect, data, feed, info};

/// A TPDU in its packet.
fn packet(tpdu: &[u8]) -> Vec<u8> {
    let len = u16::try_from(tpdu.len() + 4).expect("it was a packet").to_be_bytes();
    [&[3, 0], &len[..], tpdu].concat()
}

fn selector(value: &Value) -> Option<Selector> {
    value.as_u64().map(|number| Selector::from(u16::try_from(number).expect("two octets")))
}

/// The reference that the process gave.
fn reference(tpdu: &[u8]) -> u16 {
    u16::from_be_bytes([tpdu[4], tpdu[5]])
}

fn written(side: &mut Side<Connection>, session: &Value) -> (Vec<u8>, Vec<u8>) {
    side.machine.send(hex(&session["tsdu"])).expect("sent");
    let expected = list(&session["dt"]).iter().flat_map(|dt| packet(&hex(dt))).collect();
    (side.take_tx(), expected)
}

fn sessions(name: &str) -> Vec<Value> {
    let of = |session: &&Value| session["name"] == name;
    list(&load("cotp_sessions")["sessions"]).iter().filter(of).cloned().collect()
}

#[test]
fn clients() {
    for session in sessions("client") {
        let cr = hex(&session["cr"]);
        let config = Config {
            local_selector: selector(&session["local_tsel"]),
            remote_selector: selector(&session["remote_tsel"]),
            source_reference: reference(&cr),
            ..Config::default()
        };
        for grain in GRAINS {
            let mut pair = alone(connect(config.clone()));
            assert_eq!(pair.a.take_tx(), packet(&cr));
            feed(&mut pair.a, &packet(&hex(&session["cc"])), grain);
            assert_eq!(info(pair.a.take()).tpdu_size, TpduSize::MIN);
            let (ours, theirs) = written(&mut pair.a, &session);
            assert_eq!(ours, theirs);

            // what it wrote comes out at the other end
            feed(&mut pair.a, &theirs, grain);
            assert_eq!(data(pair.a.take()), hex(&session["tsdu"]));
        }
    }
}

/// What our CC is where it is not the peer's, by the CR.
fn ours(cr: &str) -> Option<&'static str> {
    Some(match cr {
        // no size: it answers 128, we the largest of class 0
        "06e00000000700" => "09d00007000400c0010b",
        // the parameters in the order of the request, selectors as they are
        "11e00000000700c0010ac1020001c2020002" => "11d00007000500c0010ac1020001c2020002",
        "0fe00000000700c0010ac10101c20102" => "0fd00007000800c0010ac10101c20102",
        // sizes that do not exist
        "09e00000000700c001ff" => "09d00007000b00c0010b",
        _ => return None,
    })
}

#[test]
fn servers() {
    let mut same = 0;
    for session in sessions("server").iter().filter(|session| session.get("cc").is_some()) {
        let (cr, cc) = (hex(&session["cr"]), hex(&session["cc"]));
        for grain in GRAINS {
            let config = Config { source_reference: reference(&cc), ..Config::default() };
            let mut pair = alone(accept(config));
            feed(&mut pair.a, &packet(&cr), grain);
            let mut confirmed = pair.a.take_tx();
            let agreed = pair.a.machine.info().expect("connected").clone();
            pair.a.incoming.clear();
            match ours(text(&session["cr"])) {
                Some(ours) => {
                    assert_eq!(super::digits(&confirmed.split_off(4)), ours);
                    assert_ne!(super::digits(&cc), ours, "{session}");
                }
                None => {
                    assert_eq!(confirmed, packet(&cc), "{session}");
                    let (ours, theirs) = written(&mut pair.a, session);
                    assert_eq!(ours, theirs);
                    same += 1;
                }
            }
            let number = |it: &Option<Selector>| it.as_ref().and_then(Selector::number);
            assert_eq!(number(&agreed.local_selector), session["info"]["local_tsel"].as_u64());
            assert_eq!(number(&agreed.remote_selector), session["info"]["remote_tsel"].as_u64());

            let dts = list(&session["dt"]).iter().flat_map(|dt| packet(&hex(dt)));
            feed(&mut pair.a, &dts.collect::<Vec<_>>(), grain);
            assert_eq!(last(&mut pair), hex(&session["tsdu"]));
        }
    }
    assert_eq!(same, 3 * GRAINS.len());
}

fn last(pair: &mut Pair<Connection, Connection>) -> Bytes {
    data(pair.a.incoming.pop_back().expect("a message"))
}

#[test]
fn requests_that_hat_drivers_does_not_take() {
    for session in sessions("server").iter().filter(|session| session.get("closed").is_some()) {
        for grain in GRAINS {
            let mut pair = alone(accept(Config::default()));
            feed(&mut pair.a, &packet(&hex(&session["cr"])), grain);
            let answer = super::digits(&pair.a.take_tx());
            match text(&session["cr"]) {
                // it has no room for selectors of four octets
                "12e00000000700c10401020304c20405060708" => {
                    assert_eq!(answer, "0300001a15d00007000100c10401020304c20405060708c0010b");
                    assert!(!pair.a.machine.is_closed());
                }
                // class 4 without alternatives: it closes, we say why
                "06e00000000740" => assert_eq!(answer, "0300000b06800007000082"),
                _ => assert_eq!((answer.as_str(), pair.a.machine.is_closed()), ("", true)),
            }
        }
    }
}
