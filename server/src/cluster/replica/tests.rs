//! Traces: what comes of the messages of a stream, one after the other.

use hat_core::eventer::{EventType, RegisterEvent};
use hat_core::sbs;
use proptest::prelude::*;

use super::super::message::MAX_EVENTS;
use super::*;

/// A writer, and one of its epochs.
type Of = (u64, u32);
const A: Of = (0xA, 1);
const A2: Of = (0xA, 2);
const B: Of = (0xB, 1);

fn message((writer, epoch): Of, number: u64, seconds: i64, body: Body) -> Bytes {
    let place = Place { writer, epoch, number };
    Message { place, timestamp: Timestamp::from_secs(seconds), body }.encode()
}

fn open(of: Of) -> Bytes {
    message(of, 0, 0, Body::Open)
}

const fn opened((writer, epoch): Of) -> Outcome {
    Outcome::Opened { writer, epoch }
}

const fn void((writer, epoch): Of, number: u64) -> Outcome {
    Outcome::Void(Place { writer, epoch, number })
}

fn events(types: &[&str]) -> Bytes {
    let events: Vec<_> = types.iter().map(|it| RegisterEvent::new(*it)).collect();
    sbs::encode(&events)
}

fn session(of: Of, number: u64, seconds: i64, types: &[&str]) -> Bytes {
    message(of, number, seconds, Body::Session(events(types)))
}

/// What came of a message, in a word.
fn word(taken: &Result<Outcome, Fault>) -> String {
    match taken {
        Ok(Outcome::Session { session, .. }) => {
            let types = session.events().iter().map(|event| event.event_type.to_string());
            let types: Vec<_> = types.collect();
            format!("{} at {}: {}", session.number(), session.timestamp().s(), types.join(" "))
        }
        Ok(Outcome::Void(place)) => format!("void {}", place.number),
        Ok(Outcome::Opened { writer, epoch }) => format!("opened {writer:x} {epoch}"),
        Ok(other) => format!("{other:?}").to_lowercase(),
        Err(fault) => format!("{fault:?}"),
    }
}

/// Takes messages in their order from 1 on, and says what came of each.
fn trace(messages: &[Bytes]) -> Vec<String> {
    let mut replica = Replica::new(1, State::default());
    let taken = messages.iter().zip(1..).map(|(bytes, sequence)| replica.take(sequence, bytes));
    taken.map(|taken| word(&taken)).collect()
}

#[test]
fn the_number_of_a_session_is_the_sequence_of_its_message() {
    let messages = [open(A), session(A, 0, 5, &["a", "b"]), session(A, 1, 6, &["c"])];
    assert_eq!(trace(&messages), ["opened a 1", "2 at 5: a b", "3 at 6: c"]);
}

#[test]
fn times_never_go_back_whatever_the_clocks_of_the_nodes() {
    let messages = [
        open(A),
        open(B),
        session(A, 0, 100, &["a"]),
        session(B, 0, 7, &["behind"]),
        session(A, 1, 101, &["a"]),
    ];
    assert_eq!(trace(&messages)[2..], ["3 at 100: a", "4 at 100: behind", "5 at 101: a"]);
}

#[test]
fn a_session_before_its_turn_is_void_and_one_that_comes_again_is_known() {
    let messages = [
        open(A),
        session(A, 1, 1, &["second"]),
        session(A, 0, 1, &["first"]),
        session(A, 0, 1, &["first"]),
        session(A, 1, 1, &["second"]),
    ];
    assert_eq!(trace(&messages)[1..], ["void 1", "3 at 1: first", "known", "5 at 1: second"]);
}

#[test]
fn what_was_given_up_never_comes_once_the_next_writer_is_open() {
    let messages = [
        open(A),
        session(A, 0, 1, &["one"]),
        open(A2),
        session(A, 1, 1, &["late"]),
        session(A2, 0, 2, &["two"]),
        open(A),
        session(A, 0, 1, &["one"]),
        open(A2),
    ];
    assert_eq!(
        trace(&messages)[2..],
        ["opened a 2", "void 1", "5 at 2: two", "known", "void 0", "known"]
    );
}

#[test]
fn a_writer_that_never_opened_is_void() {
    assert_eq!(trace(&[session(A, 0, 1, &["one"])]), ["void 0"]);
}

#[test]
fn a_message_is_taken_once_and_none_is_left_out() {
    let mut replica = Replica::new(1, State { taken: 41, ..State::default() });
    let gap = Fault::Gap { taken: 41, found: 43 };
    assert_eq!(replica.take(43, &open(A)), Err(gap));
    assert_eq!(replica.take(41, &open(A)), Ok(Outcome::Again));
    assert_eq!(replica.take(42, &open(A)), Ok(opened(A)));
    assert_eq!(replica.take(42, &open(A)), Ok(Outcome::Again));
    assert_eq!(replica.taken(), 42);
}

#[test]
fn what_others_publish_is_passed_over_and_what_is_damaged_stops() {
    let mut damaged = session(A, 0, 1, &["one"]).to_vec();
    *damaged.last_mut().expect("bytes") ^= 1;
    let mut replica = Replica::new(1, State::default());
    assert_eq!(replica.take(1, &open(A)), Ok(opened(A)));
    assert_eq!(replica.take(2, &Bytes::from_static(b"hello")), Ok(Outcome::Foreign));
    let before = replica.state().clone();
    let fault = Fault::Message(3, MessageError::Damaged);
    assert_eq!(replica.take(3, &damaged.into()), Err(fault));
    let fault = Fault::Message(3, MessageError::Version(3));
    assert_eq!(replica.take(3, &Bytes::from_static(b"HATS\x03")), Err(fault));
    assert_eq!(
        replica.take(3, &message(A, 0, 1, Body::Session(events(&[])))),
        Err(Fault::Events(3))
    );
    assert_eq!(*replica.state(), before, "nothing was taken");
}

/// A session in two parts, whose messages are those before it.
fn parted(first: u64, number: u64) -> [Bytes; 3] {
    let whole = events(&["a", "b"]);
    let (one, two) = (whole.slice(..5), whole.slice(5..));
    let body = Body::Parted(crc32c::crc32c(&whole), vec![first, first + 1]);
    [
        message(A, number, 1, Body::Part(one)),
        message(A, number, 1, Body::Part(two)),
        message(A, number, 1, body),
    ]
}

#[test]
fn parts_are_put_together_and_never_half_visible() {
    let [one, two, whole] = parted(2, 0);
    let messages = [open(A), one, two, whole, session(A, 1, 1, &["c"])];
    assert_eq!(trace(&messages)[1..], ["part", "part", "4 at 1: a b", "5 at 1: c"]);
}

#[test]
fn parts_that_are_never_used_are_nothing() {
    let [one, two, _] = parted(2, 0);
    let messages = [open(A), one, two, session(A, 0, 1, &["a"])];
    assert_eq!(trace(&messages)[1..], ["part", "part", "4 at 1: a"]);
}

#[test]
fn parts_that_came_before_a_start_are_asked_for() {
    let [one, two, whole] = parted(2, 0);
    let mut before = Replica::new(1, State::default());
    for (bytes, sequence) in [open(A), one.clone(), two.clone()].iter().zip(1..) {
        before.take(sequence, bytes).expect("taken");
    }
    let mut replica = Replica::new(1, before.state().clone());
    assert_eq!(replica.take(4, &whole), Err(Fault::Needs(4, 2)));
    replica.fetched(2, &one);
    assert_eq!(replica.take(4, &whole), Err(Fault::Needs(4, 3)));
    replica.fetched(3, &two);
    assert_eq!(word(&replica.take(4, &whole)), "4 at 1: a b");
}

#[test]
fn parts_of_which_one_is_another_stop() {
    let [one, _, whole] = parted(2, 0);
    let messages = [open(A), one.clone(), one, whole];
    assert_eq!(trace(&messages)[3], "Message(4, Damaged)");
}

#[test]
fn the_writer_that_was_silent_for_the_longest_is_forgotten() {
    let mut replica = Replica::new(1, State::default());
    let writers = MAX_WRITERS as u64;
    for writer in 1..=writers {
        assert_eq!(replica.take(writer, &open((writer, 1))), Ok(opened((writer, 1))));
    }
    let goes_on = replica.take(writers + 1, &session((1, 1), 0, 1, &["a"]));
    assert!(matches!(goes_on, Ok(Outcome::Session { .. })));
    replica.take(writers + 2, &open((writers + 1, 1))).expect("taken");
    let forgotten = replica.take(writers + 3, &session((2, 1), 0, 1, &["a"]));
    assert_eq!(forgotten, Ok(void((2, 1), 0)));
    let goes_on = replica.take(writers + 4, &session((1, 1), 1, 1, &["a"]));
    assert!(matches!(goes_on, Ok(Outcome::Session { .. })));
}

/// Any message, most of them sensible.
fn any_message() -> impl Strategy<Value = Bytes> {
    let of = (1..4u64, 1..4u32);
    prop_oneof![
        2 => of.clone().prop_map(open),
        8 => (of.clone(), 0..5u64, 0..9i64)
            .prop_map(|(of, number, at)| session(of, number, at, &["a", "b"])),
        1 => (of.clone(), 0..5u64)
            .prop_map(|(of, number)| message(of, number, 1, Body::Part(events(&["a"])))),
        1 => (of, 0..6u64, any::<bool>()).prop_map(|(of, before, is_up)| match is_up {
            true => fence(of, before),
            false => message(of, 0, 0, Body::Lift(before)),
        }),
        1 => any::<Vec<u8>>().prop_map(Bytes::from),
    ]
}

proptest! {
    /// However often a node stops and goes on, and whatever is delivered twice, it makes the same
    /// of the stream.
    #[test]
    fn stopping_and_going_on_changes_nothing(
        messages in prop::collection::vec(any_message(), 1..60),
        stops in prop::collection::vec(any::<(bool, bool)>(), 60),
    ) {
        let mut straight = Replica::new(1, State::default());
        let mut other = Replica::new(1, State::default());
        let mut last = (0, Timestamp::MIN);
        for ((bytes, sequence), (stop, again)) in messages.iter().zip(1..).zip(stops) {
            if stop {
                // as it is written and read again
                let text = serde_json::to_string(other.state()).expect("JSON");
                other = Replica::new(1, serde_json::from_str(&text).expect("the same"));
            }
            let taken = straight.take(sequence, bytes);
            prop_assert_eq!(&taken, &other.take(sequence, bytes));
            if again && taken.is_ok() {
                prop_assert_eq!(other.take(sequence, bytes), Ok(Outcome::Again));
            }
            if let Ok(Outcome::Session { session, .. }) = &taken {
                prop_assert_eq!(session.number(), i64::try_from(sequence).expect("small"));
                prop_assert!(last < (session.number(), session.timestamp()) && last.1 <= session.timestamp());
                last = (session.number(), session.timestamp());
            }
            if taken.is_err() {
                break;
            }
        }
        prop_assert_eq!(straight.state(), other.state());
    }
}

const fn taken_over((writer, epoch): Of, is_up: bool) -> Outcome {
    Outcome::TakenOver { writer, epoch, is_up }
}

const fn refused((writer, epoch): Of) -> Outcome {
    Outcome::Refused { writer, epoch }
}

/// Takes messages in their order from 1 on.
fn outcomes(messages: &[Bytes]) -> Vec<Outcome> {
    let mut replica = Replica::new(1, State::default());
    let taken = messages.iter().zip(1..).map(|(bytes, sequence)| replica.take(sequence, bytes));
    taken.map(|outcome| outcome.expect("a good message")).collect()
}

fn fence(of: Of, before: u64) -> Bytes {
    message(of, 0, 0, Body::Fence(before))
}

#[test]
fn a_fence_ends_what_others_have_open_and_only_the_next_ends_it() {
    let messages = [
        open(A),
        session(A, 0, 1, &["before"]),
        fence(B, 0),
        session(A, 1, 1, &["late"]),
        session(A, 0, 1, &["again"]),
        session(B, 0, 1, &["behind"]),
        open(A2),
        open(A),
        session(A2, 0, 1, &["no"]),
        fence((0xC, 1), 0),
        fence((0xC, 2), 3),
        session(B, 1, 1, &["late"]),
        open((0xB, 2)),
        open((0xC, 3)),
        session((0xC, 3), 0, 1, &["own"]),
    ];
    let outcomes = outcomes(&messages);
    let others: Vec<_> =
        outcomes.iter().filter(|it| !matches!(it, Outcome::Session { .. })).collect();
    let expected = [
        opened(A),
        taken_over(B, true),
        void(A, 1),
        void(A, 0),
        refused(A2),
        Outcome::Known,
        void(A2, 0),
        refused((0xC, 1)),
        taken_over((0xC, 2), true),
        void(B, 1),
        refused((0xB, 2)),
        opened((0xC, 3)),
    ];
    assert_eq!(others, expected.iter().collect::<Vec<_>>());
    let sessions = trace(&messages).into_iter().filter(|it| it.contains(" at "));
    assert_eq!(sessions.collect::<Vec<_>>(), ["2 at 1: before", "6 at 1: behind", "15 at 1: own"]);
}

#[test]
fn once_a_fence_is_lifted_everybody_opens_again_and_what_is_late_stays_void() {
    let lift = |of, before| message(of, 0, 0, Body::Lift(before));
    let messages = [
        open(A),
        fence(B, 0),
        fence(B, 0),
        lift((0xC, 1), 2),
        fence((0xD, 1), 0),
        fence((0xD, 1), 2),
        open(A),
        session(A, 0, 1, &["late"]),
        session(B, 0, 1, &["late"]),
        open(A2),
        open((0xB, 2)),
        lift((0xC, 1), 2),
    ];
    let d = (0xD, 1);
    let expected = [
        opened(A),
        taken_over(B, true),
        Outcome::Known,
        taken_over((0xC, 1), false),
        refused(d),
        refused(d),
        Outcome::Known,
        void(A, 0),
        void(B, 0),
        opened(A2),
        opened((0xB, 2)),
        Outcome::Known,
    ];
    assert_eq!(outcomes(&messages), expected);
}

#[test]
fn parts_without_end_or_that_come_again_and_again_are_no_session() {
    let mut replica = Replica::new(1, State::default());
    let part = Bytes::from(vec![0; 1 << 20]);
    for (message, sequence) in [open(A), message(A, 0, 1, Body::Part(part))].iter().zip(1..) {
        replica.take(sequence, message).expect("what comes before");
    }
    let parted = |count| message(A, 0, 1, Body::Parted(0, vec![2; count]));
    let too_large = SessionError::TooLarge(65 << 20);
    assert_eq!(replica.take(3, &parted(65)), Err(Fault::Session(3, too_large)));
    assert_eq!(
        replica.take(3, &parted(64)),
        Err(Fault::Message(3, MessageError::Damaged)),
        "they are put together"
    );
    let too_many = SessionError::TooManyParts(MAX_PARTS + 1);
    assert_eq!(replica.take(3, &parted(MAX_PARTS + 1)), Err(Fault::Session(3, too_many)));
}

#[test]
fn parts_that_are_empty_take_room_all_the_same() {
    let mut replica = Replica::new(1, State::default());
    for sequence in 0..=(MAX_KEPT / PART) as u64 {
        replica.keep(sequence, Bytes::new());
    }
    assert_eq!(replica.parts.len(), MAX_KEPT / PART);
    assert_eq!(replica.parts.front().map(|(at, _)| *at), Some(1), "the oldest goes first");
}

#[test]
fn events_that_take_much_more_memory_than_bytes_have_a_limit() {
    let shortest = sbs::encode(&RegisterEvent::new(EventType::from_segments([""; 0])));
    assert_eq!(shortest.len(), 3);
    for (count, fits) in [(MAX_EVENTS, true), (MAX_EVENTS + 1, false)] {
        let length = sbs::encode(&(count as i64));
        let events = Bytes::from([&length[..], &shortest.repeat(count)].concat());
        assert_eq!(message::check(&events, count).is_ok(), fits, "who publishes knows it before");
        let mut replica = Replica::new(1, State::default());
        replica.take(1, &open(A)).expect("an epoch");
        let session = message(A, 0, 1, Body::Session(events));
        match replica.take(2, &session) {
            Ok(Outcome::Session { session, .. }) => assert_eq!(session.events().len(), count),
            taken => {
                let too_many = Fault::Session(2, SessionError::TooManyEvents(count));
                assert!(!fits && taken == Err(too_many), "{count}");
            }
        }
    }
}
