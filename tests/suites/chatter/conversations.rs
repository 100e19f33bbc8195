//! First, owner, token, last: who may send when, and what is remembered.

use hat_core::chatter::{
    Config, Conversation, Error, Incoming, SendError, SendFault, SendOptions, Violation,
};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::pair::GRAINS;

use super::{connection, data, message, pair, quiet};

const OPEN: SendOptions =
    SendOptions { conversation: None, last: false, token: true, timeout: None };

fn within(conversation: Conversation) -> SendOptions {
    SendOptions { conversation: Some(conversation), ..OPEN }
}

fn last(conversation: Conversation) -> SendOptions {
    SendOptions { last: true, ..within(conversation) }
}

#[test]
fn request_and_response() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        let asked = pair.a.machine.send(data("Ask", b"?"), OPEN).expect("sent");
        assert_eq!(asked, Conversation { first_id: 1, owner: true });
        pair.drive();

        let request = message(pair.b.take());
        assert_eq!(request.data, data("Ask", b"?"));
        assert_eq!(request.conversation, Conversation { first_id: 1, owner: false });
        assert!(request.first && request.token && !request.last);

        pair.b.machine.send(data("Answer", b"!"), last(request.conversation)).expect("sent");
        pair.drive();

        let response = message(pair.a.take());
        assert_eq!((response.conversation, response.first, response.last), (asked, false, true));
        assert_eq!(pair.a.machine.open_conversations(), 0);
        assert_eq!(pair.b.machine.open_conversations(), 0);
    }
}

#[test]
fn conversations_of_both_sides_with_the_same_id_are_two() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        let from_a = pair.a.machine.send(data("A", b""), OPEN).expect("sent");
        let from_b = pair.b.machine.send(data("B", b""), OPEN).expect("sent");
        assert_eq!(from_a.first_id, from_b.first_id);
        pair.drive();
        let seen_by_a = message(pair.a.take()).conversation;
        assert_ne!(seen_by_a, from_a);
        pair.a.machine.send(data("A2", b""), last(seen_by_a)).expect("the token came with B");
        pair.drive();
        assert_eq!(message(pair.b.take()).data.r#type, "A");
        let answer = message(pair.b.take());
        assert_eq!((answer.data.r#type.as_ref() as &str, answer.conversation), ("A2", from_b));
        assert_eq!(pair.a.machine.open_conversations(), 1);
    }
}

#[track_caller]
fn refused(sent: Result<Conversation, SendError>, fault: SendFault) {
    let error = sent.expect_err("must be refused");
    assert_eq!(error.fault, fault);
    assert_eq!(*error.data, data("X", b"x"), "the data comes back");
}

#[test]
fn sends_out_of_turn_are_refused_and_hand_the_data_back() {
    let mut pair = pair(usize::MAX);
    let given_away = pair.a.machine.send(data("A", b""), OPEN).expect("sent");
    refused(pair.a.machine.send(data("X", b"x"), within(given_away)), SendFault::NoToken);

    let kept = SendOptions { token: false, ..OPEN };
    let kept = pair.a.machine.send(data("A", b""), kept).expect("sent");
    pair.a.machine.send(data("A", b""), within(kept)).expect("the token was kept");

    let over = pair.a.machine.send(data("A", b""), SendOptions::default()).expect("sent");
    refused(pair.a.machine.send(data("X", b"x"), within(over)), SendFault::NotOpen);
    let never = Conversation { first_id: 77, owner: false };
    refused(pair.a.machine.send(data("X", b"x"), within(never)), SendFault::NotOpen);

    pair.a.machine.close();
    refused(pair.a.machine.send(data("X", b"x"), OPEN), SendFault::Closed);
}

#[test]
fn a_module_name_has_no_place_in_hat_chatter() {
    let mut connection = connection(&quiet());
    let data = hat_core::chatter::Data::with_module("Module", "Type", "");
    let error = connection.send(data, OPEN).expect_err("refused");
    assert_eq!(error.fault, SendFault::ModuleNotSupported);
}

/// `id first owner token last` and an empty message of type `T`.
fn frame(id: u8, first: u8, owner: u8, token: u8, last: u8) -> Vec<u8> {
    vec![1, 8, 0x80 | id, 0x80 | first, owner, token, last, 0x81, b'T', 0x80]
}

#[test]
fn violations_of_the_peer_are_let_pass_unless_strict() {
    // it answers a conversation that is over; it sends without the token; it adds a byte to a
    // message
    let mut trailing = frame(1, 1, 1, 1, 1);
    trailing[1] += 1;
    trailing.push(0);
    let cases = [
        (vec![frame(9, 1, 0, 1, 0)], Violation::NotOpen),
        (vec![frame(1, 1, 1, 1, 0), frame(2, 1, 1, 1, 0)], Violation::NoToken),
        (vec![trailing], Violation::TrailingBytes { left: 1 }),
    ];
    for (frames, expected) in cases {
        for strict in [false, true] {
            let config = Config { strict, ..quiet() };
            let mut pair = super::pair_of(&config, usize::MAX);
            for frame in &frames {
                pair.a.feed(frame, Instant::ORIGIN);
            }
            match pair.a.error {
                None => assert!(!strict && pair.a.incoming.len() == frames.len()),
                Some(Error::Violation { violation, .. }) => {
                    assert!(strict && violation == expected, "{violation}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_peer_that_sends_out_of_turn_does_not_take_the_token() {
    let mut pair = pair(usize::MAX);
    pair.a.feed(&frame(1, 1, 1, 1, 0), Instant::ORIGIN);
    pair.a.feed(&frame(2, 1, 1, 0, 0), Instant::ORIGIN);
    let conversation = message(pair.a.take()).conversation;
    pair.a.machine.send(data("X", b"x"), last(conversation)).expect("the token is still here");
}

#[test]
fn a_connection_that_lives_long_does_not_grow() {
    let mut pair = pair(usize::MAX);
    for _ in 0..10_000 {
        let _ = pair.a.machine.send(data("Ask", b"?"), OPEN).expect("sent");
        pair.drive();
        let request = message(pair.b.take());
        pair.b.machine.send(data("Answer", b"!"), last(request.conversation)).expect("sent");
        pair.drive();
        message(pair.a.take());
    }
    assert_eq!(pair.a.machine.open_conversations() + pair.b.machine.open_conversations(), 0);
}

#[test]
fn out_of_turn_what_was_given_up_is_passed_over_too() {
    let config = Config { out_of_turn: true, ..quiet() };
    let mut pair = super::pair_of(&config, usize::MAX);
    let [given_up, other] =
        [(); 2].map(|()| pair.a.machine.send(data("A", b""), OPEN).expect("sent"));
    pair.a.machine.forget(given_up);
    pair.drive();
    for (conversation, text) in [(given_up, "late"), (other, "wanted")] {
        message(pair.b.take());
        let answered = Conversation { owner: false, ..conversation };
        pair.b.machine.send(data(text, b""), within(answered)).expect("sent");
    }
    pair.drive();
    assert_eq!(message(pair.a.take()).data.r#type, "wanted");
}

#[test]
fn out_of_turn_anybody_may_send_in_any_conversation_and_no_books_are_kept() {
    let config = Config { out_of_turn: true, max_conversations: 1, ..quiet() };
    let mut pair = super::pair_of(&config, usize::MAX);
    let given_away = pair.a.machine.send(data("A", b""), OPEN).expect("sent");
    let never = Conversation { first_id: 77, owner: false };
    for conversation in [given_away, given_away, never] {
        pair.a.machine.send(data("X", b"x"), within(conversation)).expect("sent");
    }
    pair.a.machine.send(data("B", b""), OPEN).expect("more than one conversation");
    pair.drive();
    for _ in 0..5 {
        message(pair.b.take());
    }
    assert_eq!(pair.a.machine.open_conversations(), 0);
    assert_eq!(pair.b.machine.open_conversations(), 0);
    let timed = SendOptions { timeout: Some(Instant::ORIGIN), ..OPEN };
    let timed = pair.a.machine.send(data("T", b""), timed).expect("sent");
    assert_eq!(pair.a.machine.open_conversations(), 1, "kept for its timeout");
    pair.drive();
    assert_eq!(pair.a.take(), Incoming::Timeout(timed));
    assert_eq!(pair.a.machine.open_conversations(), 0, "and no longer");
}
