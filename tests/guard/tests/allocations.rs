//! How often the core allocates once it is warm. The allocator of `allocation-counter` counts each
//! thread apart, so these run beside each other.

use allocation_counter::measure;
use bytes::Bytes;
use hat_core::chatter::{Data, Dialect};
use hat_core::eventer::EncodedEvents;
use hat_core::eventer::message::EventsNotify;
use hat_core::sbs;
use hat_core::ws::Role;
use hat_guard::cases::{COUNT, Side, chatter, cotp, eventer, sbs as events, ws};

/// Rounds that are counted: what happens once in some rounds is seen too. As many warm up: ids grow
/// by a byte meanwhile, and with them what the buffers must hold.
const ROUNDS: u64 = 100;

fn allocations(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

/// Allocations of [`ROUNDS`] rounds, after as many that warm up.
fn steady(mut round: impl FnMut()) -> u64 {
    (0..ROUNDS).for_each(|_| round());
    allocations(|| (0..ROUNDS).for_each(|_| round()))
}

/// That it counts at all, or the tests of zero could not fail.
#[test]
fn an_allocation_is_counted() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8]))), 1);
}

/// As many copies as are needed, in a list that is used again.
fn refill(messages: &mut Vec<Data>, data: &Data) {
    messages.extend(std::iter::repeat_n(data.clone(), COUNT));
}

/// 6 400 messages of 64 bytes: encoded, framed, carried, decoded, dropped. Both buffers are used
/// again.
#[test]
fn chatter_one_way() {
    let ([mut from, mut to], data) = (chatter::pair(Dialect::HatChatter), chatter::data());
    let (mut messages, mut conversations) = (Vec::new(), Vec::new());
    let round = || {
        refill(&mut messages, &data);
        chatter::send(&mut from, &mut messages);
        from.carry(&mut to);
        chatter::receive(&mut to, &mut conversations);
    };
    assert_eq!(steady(round), 0);
}

/// 100 questions and answers, one at a time.
#[test]
fn chatter_one_question_at_a_time() {
    let ([mut client, mut server], data) = (chatter::pair(Dialect::HatChatter), chatter::data());
    let round = || {
        let asked = client.machine.send(data.clone(), chatter::ASK).expect("room");
        client.carry(&mut server);
        let question = chatter::message(&mut server).expect("a question");
        let options = chatter::answer_to(question.conversation);
        server.machine.send(question.data, options).expect("room");
        server.carry(&mut client);
        assert_eq!(chatter::message(&mut client).expect("an answer").conversation, asked);
    };
    assert_eq!(steady(round), 0);
}

/// With many questions in flight: the table of conversations is a ring that has its size.
#[test]
fn chatter_questions_in_flight() {
    let ([mut client, mut server], data) = (chatter::pair(Dialect::HatChatter), chatter::data());
    let (mut messages, mut conversations) = (Vec::new(), Vec::new());
    let round = || {
        refill(&mut messages, &data);
        chatter::ask(&mut client, &mut messages);
        client.carry(&mut server);
        chatter::receive(&mut server, &mut conversations);
        refill(&mut messages, &data);
        chatter::answer(&mut server, &mut messages, &conversations);
        server.carry(&mut client);
        chatter::receive(&mut client, &mut conversations);
    };
    assert_eq!(steady(round), 0);
}

/// A message that the application keeps holds its buffer, so a read takes a new one: two
/// allocations a read, the buffer and the count of those that share it, however many messages are
/// in it.
#[test]
fn chatter_messages_that_are_kept() {
    let ([mut from, mut to], data) = (chatter::pair(Dialect::HatChatter), chatter::data());
    let mut kept = Vec::with_capacity(2 * ROUNDS as usize * COUNT);
    let mut messages = Vec::new();
    let round = || {
        refill(&mut messages, &data);
        chatter::send(&mut from, &mut messages);
        from.carry(&mut to);
        while let Some(message) = chatter::message(&mut to) {
            kept.push(message);
        }
    };
    let counted = steady(round);
    assert!(counted <= 2 * ROUNDS, "{counted} in {ROUNDS} reads of {COUNT} messages");
}

/// A notification: the list of events, and what the bytes need to be shared; nothing for an event
/// or a text.
#[test]
fn decoding_a_notification_takes_as_many_for_a_thousand_events_as_for_two() {
    let of = |count: usize| {
        let frame = sbs::encode(&events::events(count));
        allocations(|| drop(sbs::decode::<EventsNotify>(&frame)))
    };
    // lists of more than 64 KiB grow with what is really there, so their allocations go with the
    // logarithm of the count
    let (two, thousand) = (of(2), of(1_000));
    assert!(two <= 2, "{two} for two events");
    assert!(thousand <= two + 3, "{thousand} for 1 000 events, {two} for 2");
}

/// Events are encoded once: a client costs what stands around them.
#[test]
fn notifying_clients_encodes_once() {
    let mut servers = eventer::servers();
    let encoded = EncodedEvents::new(&events::events(10));
    eventer::notify(&mut servers, &encoded);
    let again = measure(|| eventer::notify(&mut servers, &encoded));
    let a_client = again.bytes_total / eventer::CLIENTS as u64;
    let events = sbs::encode(&events::events(10)).len() as u64;
    assert!(events >= 1024, "large enough to be referred to, {events} bytes");
    assert!(a_client < events / 4, "{a_client} bytes a client for {events} bytes of events");
}

#[test]
fn cotp_of_64_octets() {
    let ([mut caller, mut called], message) = (cotp::pair(), Bytes::from(vec![7; 64]));
    let round = || {
        cotp::send(&mut caller, &message);
        caller.carry(&mut called);
        cotp::receive(&mut called, 64);
    };
    assert_eq!(steady(round), 0);
}

#[test]
fn websocket_of_64_bytes() {
    let message = Bytes::from(vec![7; 64]);
    for (from, to) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let (mut from, mut to): (Side<_>, Side<_>) = (ws::established(from), ws::established(to));
        let round = || {
            ws::send(&mut from, &message);
            from.carry(&mut to);
            ws::receive(&mut to);
        };
        assert_eq!(steady(round), 0);
    }
}
