use arbitrary::{Result, Unstructured};
use hat_core::eventer::client::Client;
use hat_core::eventer::server::{Connection, Incoming};
use hat_core::eventer::{
    EventType, LatestParams, QueryResult, Status, Subscription, client, server,
};
use hat_core::time::Instant;

use super::feed::{Arrival, any_bytes};
use crate::eventer::{client_config, encoded, event, init, server_config};

/// Small, so that inputs reach it.
const MAX_MESSAGE: usize = 300;

/// The length of a length is one byte, so at most 256 bytes stand before a body.
const MOST: usize = 256 + MAX_MESSAGE;

/// Bytes from a server, to a client that has a query and a registration open in conversations 2 and
/// 3.
pub(super) fn client_bytes(input: &[u8]) {
    let Some((arrival, bytes)) = Arrival::split(input) else { return };
    let make = || {
        let mut config = client::Config { max_requests: 2, ..client_config() };
        (config.chatter.max_message, config.chatter.strict) = (MAX_MESSAGE, arrival.option(0));
        if arrival.option(1) {
            config.chatter.ping = hat_core::chatter::Config::default().ping;
        }
        Client::new(config, &init(&["*"]), Instant::ORIGIN).expect("small")
    };
    any_bytes(arrival, bytes, MOST, make, |client, incoming| match incoming {
        client::Incoming::Ready(_) => {
            client.query(&LatestParams::default().into()).expect("ready");
            client.register_with_response(&[]).expect("ready");
        }
        client::Incoming::Events { ack: Some(ack), .. } => {
            client.ack(*ack).expect("we were asked for it");
        }
        _ => {}
    });
}

/// Bytes from a client, to a server that takes it, wants an ack at once, and answers everything.
pub(super) fn server_bytes(input: &[u8]) {
    let Some((arrival, bytes)) = Arrival::split(input) else { return };
    let make = || {
        let mut config = server::Config { max_requests: 1, ..server_config() };
        (config.chatter.max_message, config.chatter.strict) = (MAX_MESSAGE, arrival.option(0));
        Connection::new(config, Instant::ORIGIN)
    };
    let rejects = arrival.option(1);
    any_bytes(arrival, bytes, MOST, make, |server, incoming| match incoming {
        Incoming::Init(_) if rejects => server.reject("no").expect("it waits"),
        Incoming::Init(_) => {
            server.accept(Status::Standby).expect("it waits");
            server.notify(&encoded(&[event(1, 1, "a")]), false, true).expect("ready");
        }
        Incoming::Query { request, .. } => {
            server.query_response(*request, &QueryResult::default()).expect("every query is open");
        }
        Incoming::Register { request: Some(request), .. } => {
            server.register_response(*request, None).expect("every registration is open");
        }
        Incoming::Register { .. } | Incoming::Acked(_) => {}
    });
}

/// Sets of query types: what the algebra says, each type shows.
pub(super) fn subscription(input: &[u8]) {
    let _ = algebra(&mut Unstructured::new(input));
}

fn algebra(input: &mut Unstructured<'_>) -> Result<()> {
    let (one, other) = (query_types(input)?, query_types(input)?);
    let (Ok(a), Ok(b)) = (Subscription::new(&one), Subscription::new(&other)) else {
        return Ok(());
    };
    assert_eq!(a, Subscription::new(a.query_types()).expect("it was one"), "reduced form");
    let both = a.intersection(&b).expect("few types");
    let any = a.union(&b).expect("few types");
    assert_eq!(a.is_disjoint(&b), Ok(both.is_empty()));
    while !input.is_empty() {
        let event_type = event_type(input)?;
        let wants = |types: &[EventType]| types.iter().any(|query| event_type.matches(query));
        let (in_one, in_other) = (wants(&one), wants(&other));
        assert_eq!((a.matches(&event_type), b.matches(&event_type)), (in_one, in_other));
        assert_eq!(any.matches(&event_type), in_one || in_other);
        assert_eq!(both.matches(&event_type), in_one && in_other);
    }
    Ok(())
}

fn query_types(input: &mut Unstructured<'_>) -> Result<Vec<EventType>> {
    (0..input.int_in_range(0..=6)?).map(|_| event_type(input)).collect()
}

fn event_type(input: &mut Unstructured<'_>) -> Result<EventType> {
    const WORDS: [&str; 8] = ["a", "b", "c", "", "?", "?", "*", "ab"];
    let words = (0..input.int_in_range(0..=5)?).map(|_| input.choose(&WORDS).copied());
    Ok(EventType::from_segments(words.collect::<Result<Vec<_>>>()?))
}
