//! What `hat-juggler` 0.7.6 writes and reads, text by text.

use hat_core::juggler::client::{self, Incoming};
use hat_core::juggler::{self, Error, Notification, server};
use hat_core::ws::Role;
use hat_tests::pair::{GRAINS, Pair};
use hat_tests::vectors::{boolean, integer, list, load, text};

use super::*;

fn frames(case: &serde_json::Value) -> Vec<&str> {
    list(&case["frames"]).iter().map(text).collect()
}

fn sized(max_segment_size: usize) -> juggler::Config {
    juggler::Config { max_segment_size, ..quiet() }
}

/// What the deployed peer writes is what it meant, whatever is cut where.
#[test]
fn its_messages() {
    let vector = load("juggler07");
    for grain in GRAINS {
        for case in list(&vector["cases"]) {
            let msg = &case["msg"];
            match text(&msg["type"]) {
                "request" => {
                    let mut pair = to_server(server_config(), grain);
                    say(&mut pair, &frames(case));
                    if text(&msg["name"]).is_empty() {
                        let echo = &joined(&texts(&mut pair.a))[0];
                        assert_eq!(
                            (&echo["id"], &echo["data"]),
                            (&of(&msg["id"]), &of(&msg["data"]))
                        );
                    } else {
                        let (request, name, data) = asked(pair.b.take());
                        assert_eq!((name.as_str(), data), (text(&msg["name"]), of(&msg["data"])));
                        pair.b.machine.respond(request, Ok(&Value::Null)).expect("it is open");
                        pair.drive();
                        assert_eq!(joined(&texts(&mut pair.a))[0]["id"], of(&msg["id"]));
                    }
                }
                "notify" => {
                    let mut pair = to_client(client_config(), grain);
                    say(&mut pair, &frames(case));
                    let expected = (text(&msg["name"]).to_owned(), of(&msg["data"]));
                    assert_eq!(notified(pair.b.take()), expected);
                }
                "state" => {
                    let mut pair = to_client(client_config(), grain);
                    say(&mut pair, &frames(case));
                    // some patches are for a state that the vector does not give
                    if msg["diff"][0]["path"] == "" {
                        assert_eq!(pair.b.take(), Incoming::State);
                        assert_eq!(pair.b.machine.state(), &of(&msg["diff"][0]["value"]));
                    } else {
                        assert!(matches!(pair.b.error, Some(Error::Patch(_))), "{msg}");
                    }
                }
                // nobody asked: it is passed over
                "response" => {
                    let mut pair = to_client(client_config(), grain);
                    say(&mut pair, &frames(case));
                    assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
                }
                other => panic!("a message of type {other}"),
            }
        }
    }
}

/// Our messages are the same JSON, and cut as finely.
#[test]
fn our_messages() {
    let vector = load("juggler07");
    for case in list(&vector["cases"]) {
        let msg = &case["msg"];
        let max = usize::try_from(integer(&case["max_segment_size"])).expect("a size");
        let data = of(&msg["data"]);
        let (sent, expected) = match text(&msg["type"]) {
            "request" => {
                let config = client::Config { transport: sized(max), ..client_config() };
                let mut pair = to_client(config, usize::MAX);
                pair.b.machine.request(text(&msg["name"]), &data).expect("room");
                pair.drive();
                let mut first = msg.clone();
                first["id"] = 1.into();
                (texts(&mut pair.a), of(&first))
            }
            kind => {
                let config = server::Config { transport: sized(max), ..server_config() };
                let mut pair = to_server(config, usize::MAX);
                match kind {
                    "notify" => {
                        let notification = Notification::new(text(&msg["name"]), &data);
                        pair.b.machine.notify(&notification).expect("room");
                    }
                    "response" => {
                        let request = format!(
                            r#"0{{"type":"request","id":{},"name":"n","data":0}}"#,
                            msg["id"]
                        );
                        say(&mut pair, &[&request]);
                        let (request, ..) = asked(pair.b.take());
                        let result = if boolean(&msg["success"]) { Ok(&data) } else { Err(&data) };
                        pair.b.machine.respond(request, result).expect("room");
                    }
                    // from the initial null, what is told is the whole
                    _ if msg["diff"][0]["path"] != "" => continue,
                    _ => {
                        let value = of(&msg["diff"][0]["value"]);
                        pair.b.machine.change(|state| state.replace(value)).expect("small");
                        pair.b.machine.flush().expect("room");
                    }
                }
                pair.drive();
                (texts(&mut pair.a), of(msg))
            }
        };
        assert_eq!(joined(&sent), [expected]);
        for (index, segment) in sent.iter().enumerate() {
            let units = segment[1..].encode_utf16().count();
            // one more only where a character of two units would not fit any more
            let full = units == max || units + 1 == max;
            assert!(units <= max && (full || index + 1 == sent.len()), "{max}: {segment}");
        }
    }
}

/// Frames that a client gets, and what it makes of them.
#[test]
fn its_verdicts() {
    let vector = load("juggler07");
    for grain in GRAINS {
        for case in list(&vector["decode_cases"]) {
            let note = text(&case["note"]);
            let mut pair = Pair::new(websocket(Role::Server), client(client_config()), grain);
            say(&mut pair, &frames(case));
            let answers: Vec<_> =
                case["answers"].as_array().expect("a list").iter().map(text).collect();
            assert_eq!(texts(&mut pair.a), answers, "{note}");
            match note {
                // the transport of the peer lets these pass; its client then fails over them
                "transport delivers any JSON value"
                | "non ascii text"
                | "duplicate keys: last wins" => {
                    assert!(matches!(pair.b.error, Some(Error::Malformed { .. })), "{note}");
                }
                // no JSON: a browser does not take it either
                "peer accepts NaN/Infinity literals" => {
                    assert!(matches!(pair.b.error, Some(Error::Json(_))), "{note}");
                }
                _ => {
                    assert_eq!(pair.b.error.is_some(), boolean(&case["closed"]), "{note}");
                    let messages = case["messages"].as_array().expect("a list");
                    let expected =
                        messages.iter().map(|it| (text(&it["name"]).to_owned(), of(&it["data"])));
                    let got: Vec<_> = pair.b.incoming.drain(..).map(notified).collect();
                    assert_eq!(got, expected.collect::<Vec<_>>(), "{note}");
                }
            }
        }
    }
}
