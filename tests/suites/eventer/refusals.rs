//! What a peer may not say.

use hat_core::chatter;
use hat_core::eventer::client::Incoming;
use hat_core::eventer::{Error, LatestParams, Status, message};
use hat_core::sbs::DecodeError;
use hat_tests::pair::GRAINS;

use super::{
    Pair, client_config, frame, init, nothing_is_open, pair, ready, ready_of, server_config,
    to_client, to_server,
};

/// What a client makes of `bytes`, at every grain.
#[track_caller]
fn client_ends(make: impl Fn(usize) -> Pair, bytes: &[u8]) -> Error {
    let mut errors = GRAINS.map(|grain| {
        let mut pair = make(grain);
        to_client(&mut pair, bytes, grain);
        assert!(pair.a.incoming.is_empty(), "{:?}", pair.a.incoming);
        assert_eq!((pair.a.machine.open_requests(), pair.a.machine.open_conversations()), (0, 0));
        pair.a.error
    });
    assert!(errors.iter().all(|error| *error == errors[0]));
    errors[0].take().expect("the connection must be over")
}

/// What a server makes of `bytes`, at every grain.
#[track_caller]
fn server_ends(make: impl Fn(usize) -> Pair, bytes: &[u8]) -> Error {
    let mut errors = GRAINS.map(|grain| {
        let mut pair = make(grain);
        to_server(&mut pair, bytes, grain);
        assert_eq!((pair.b.machine.open_requests(), pair.b.machine.open_conversations()), (0, 0));
        pair.b.error
    });
    assert!(errors.iter().all(|error| *error == errors[0]));
    errors[0].take().expect("the connection must be over")
}

#[track_caller]
fn unexpected(error: &Error, name: &str) {
    match error {
        Error::Unexpected { message, .. } => assert_eq!(&**message, name),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_wrong_first_message() {
    for name in [message::REGISTER_REQ, message::EVENTS_ACK, message::INIT_RES, "Unknown", ""] {
        let bytes = frame(1, 1, true, false, name, b"\x80");
        unexpected(&server_ends(pair, &bytes), name);
    }
    for name in [message::STATUS_NOTIFY, message::EVENTS_NOTIFY, message::INIT_REQ, "Unknown"] {
        let bytes = frame(1, 1, true, true, name, b"\x80");
        unexpected(&client_ends(pair, &bytes), name);
    }
    // an answer to another initialization than the client's
    for (first, owner) in [(2, false), (1, true)] {
        let bytes = frame(1, first, owner, true, message::INIT_RES, b"\x80\x80");
        unexpected(&client_ends(pair, &bytes), message::INIT_RES);
    }
}

#[test]
fn messages_that_only_the_other_side_sends() {
    let to_server = [
        message::INIT_REQ,
        message::INIT_RES,
        message::STATUS_NOTIFY,
        message::EVENTS_NOTIFY,
        message::REGISTER_RES,
        message::QUERY_RES,
        "HatEventer.MsgUnknown",
        "",
    ];
    for name in to_server {
        unexpected(&server_ends(ready, &frame(2, 2, true, true, name, b"")), name);
    }
    let to_client = [
        message::INIT_REQ,
        message::INIT_RES,
        message::EVENTS_ACK,
        message::REGISTER_REQ,
        message::QUERY_REQ,
        "HatEventer.MsgUnknown",
        "",
    ];
    for name in to_client {
        unexpected(&client_ends(ready, &frame(2, 2, true, true, name, b"")), name);
    }
}

#[test]
fn data_that_does_not_decode() {
    #[track_caller]
    fn malformed(error: Error, name: &str) {
        match error {
            Error::Malformed { message, .. } => assert_eq!(message, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let asked = |grain| {
        let mut pair = ready(grain);
        pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        pair.a.machine.register_with_response(&[]).expect("ready");
        pair
    };
    malformed(
        server_ends(pair, &frame(1, 1, true, false, message::INIT_REQ, b"\x81")),
        message::INIT_REQ,
    );
    malformed(
        client_ends(pair, &frame(1, 1, false, true, message::INIT_RES, b"\x82")),
        message::INIT_RES,
    );
    for name in [message::REGISTER_REQ, message::QUERY_REQ] {
        malformed(server_ends(ready, &frame(2, 2, true, false, name, b"\x85")), name);
    }
    for name in [message::STATUS_NOTIFY, message::EVENTS_NOTIFY] {
        malformed(client_ends(ready, &frame(2, 2, true, true, name, b"\x85")), name);
    }
    malformed(
        client_ends(asked, &frame(2, 2, false, true, message::QUERY_RES, b"\x85")),
        message::QUERY_RES,
    );
    malformed(
        client_ends(asked, &frame(2, 3, false, true, message::REGISTER_RES, b"\x85")),
        message::REGISTER_RES,
    );
}

#[test]
fn bytes_behind_the_data_are_let_pass_unless_strict() {
    let bytes = frame(2, 2, true, true, message::STATUS_NOTIFY, b"\x81rest");
    for grain in GRAINS {
        let mut pair = ready(grain);
        pair.a.feed(&bytes, pair.now);
        assert_eq!(pair.a.take(), Incoming::Status(Status::Starting));
    }
    let strict = |grain| {
        let mut config = client_config();
        config.chatter.strict = true;
        ready_of(config, server_config(), &init(&["*"]), grain)
    };
    let error = DecodeError::TrailingBytes { at: 1, left: 4 };
    let expected = Error::Malformed { message: message::STATUS_NOTIFY.into(), error };
    assert_eq!(client_ends(strict, &bytes), expected);
    let strict = |grain| {
        let mut config = server_config();
        config.chatter.strict = true;
        ready_of(client_config(), config, &init(&["*"]), grain)
    };
    let bytes = frame(2, 2, true, true, message::REGISTER_REQ, b"\x80rest");
    let expected = Error::Malformed { message: message::REGISTER_REQ.into(), error };
    assert_eq!(server_ends(strict, &bytes), expected);
}

#[test]
fn bytes_behind_an_ack_are_an_error_where_strict() {
    for strict in [false, true] {
        let mut config = server_config();
        config.chatter.strict = strict;
        let mut pair = ready_of(client_config(), config, &init(&["*"]), usize::MAX);
        let events = super::encoded(&[super::event(1, 1, "a")]);
        pair.b.machine.notify(&events, false, true).expect("ready");
        pair.b.feed(&frame(2, 2, false, true, message::EVENTS_ACK, b"?"), pair.now);
        assert_eq!((pair.b.error.is_some(), pair.b.incoming.is_empty()), (strict, strict));
    }
}

#[test]
fn an_answer_of_the_wrong_kind() {
    let asked = |grain| {
        let mut pair = ready(grain);
        pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        pair.a.machine.register_with_response(&[]).expect("ready");
        pair
    };
    let bytes = frame(2, 2, false, true, message::REGISTER_RES, b"\x81");
    unexpected(&client_ends(asked, &bytes), message::REGISTER_RES);
    let bytes = frame(2, 3, false, true, message::QUERY_RES, b"\x80\x00");
    unexpected(&client_ends(asked, &bytes), message::QUERY_RES);
}

/// The flag `token` stands behind `id`, `first` and `owner`.
fn without_token(mut frame: Vec<u8>) -> Vec<u8> {
    assert_eq!((frame[0], frame[5]), (1, 1));
    frame[5] = 0;
    frame
}

/// A client that waits for an answer must have let us answer: a server that could not would wait
/// for itself, with nothing to end it.
#[test]
fn questions_that_cannot_be_answered() {
    let init_req = |last| frame(1, 1, true, last, message::INIT_REQ, b"\x80\x80\x80\x80\x00");
    unexpected(&server_ends(pair, &init_req(true)), message::INIT_REQ);
    unexpected(&server_ends(pair, &without_token(init_req(false))), message::INIT_REQ);

    for (name, data) in [(message::QUERY_REQ, &b"\x80\x80"[..]), (message::REGISTER_REQ, b"\x80")] {
        let request = |id, first| frame(id, first, true, false, name, data);
        unexpected(&server_ends(ready, &without_token(request(2, 2))), name);
        // in the middle of a conversation
        unexpected(&server_ends(ready, &request(3, 2)), name);
        // twice the same: the limit on open requests must count both
        unexpected(&server_ends(ready, &[request(2, 2), request(2, 2)].concat()), name);
    }
}

#[test]
fn a_query_that_wants_no_answer_is_let_pass() {
    let mut pair = ready(usize::MAX);
    pair.b.feed(&frame(2, 2, true, true, message::QUERY_REQ, b"\x80\x80"), pair.now);
    assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
    nothing_is_open(&pair);
}

#[test]
fn an_ack_of_nothing_is_let_pass() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        for (first, owner) in [(7, false), (2, true), (1, false)] {
            pair.b.feed(&frame(9, first, owner, true, message::EVENTS_ACK, b""), pair.now);
        }
        assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
        nothing_is_open(&pair);
    }
}

/// An error goes into logs: what a peer wrote into a message's type must not fill them, nor keep
/// its frame.
#[test]
fn a_long_type_is_cut_in_the_error() {
    let name = "š".repeat(10_000);
    let mut pair = ready(usize::MAX);
    pair.b.feed(&frame(2, 2, true, true, &name, b""), pair.now);
    match pair.b.error {
        Some(Error::Unexpected { message, .. }) => {
            assert!(message.len() <= 128 && name.starts_with(&*message), "{}", message.len());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn chatter_errors_come_through() {
    let error = server_ends(ready, &[1, 0]);
    assert!(matches!(error, Error::Chatter(chatter::Error::Malformed(_))));
    let error = client_ends(ready, &[8, 255, 0, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(error, Error::Chatter(chatter::Error::TooLarge { .. })));
}
