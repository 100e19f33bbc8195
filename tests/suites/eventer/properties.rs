//! Any bytes, at any split, against either end.

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::eventer::client::Client;
use hat_core::eventer::server::{Connection, Incoming};
use hat_core::eventer::{LatestParams, QueryResult, Status, client, message, server};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{client_config, encoded, event, frame, init, server_config};

const MAX_MESSAGE: usize = 300;

/// What an end made of bytes: what it gave, why it ended, what it wrote, and the most that it asked
/// to hold.
#[derive(Debug, PartialEq)]
struct Outcome {
    given: Vec<String>,
    error: Option<String>,
    written: Vec<u8>,
    wanted: usize,
}

/// Feeds `chunks` to `machine`, whose application does `handle` with all that it gives.
fn outcome<P: Protocol<Incoming: std::fmt::Debug, Error: PartialEq>>(
    mut machine: P,
    chunks: &[Vec<u8>],
    mut handle: impl FnMut(&mut P, &P::Incoming),
) -> Outcome {
    let mut rx = RecvBuf::new();
    let mut outcome = Outcome { given: Vec::new(), error: None, written: Vec::new(), wanted: 0 };
    for chunk in chunks {
        rx.feed(chunk);
        loop {
            let polled = machine.poll(&mut rx, Instant::ORIGIN);
            let count = machine.tx().remaining();
            outcome.written.extend_from_slice(&machine.tx().copy_to_bytes(count));
            match polled {
                Ok(Polled::Incoming(incoming)) => {
                    outcome.given.push(format!("{incoming:?}"));
                    handle(&mut machine, &incoming);
                }
                // what was written may have been what held it up
                Ok(Polled::HeldUp) if count > 0 => {}
                Ok(wait) => {
                    let wanted = rx.bytes.len() + wait.missing();
                    outcome.wanted = outcome.wanted.max(wanted);
                    break;
                }
                Err(error) => {
                    outcome.error = Some(error.to_string());
                    assert_eq!(machine.poll(&mut rx, Instant::ORIGIN).err(), Some(error));
                    assert!(machine.is_closed() && machine.deadline().is_none());
                    return outcome;
                }
            }
        }
    }
    outcome
}

/// A client; with `is_ready`, one that has a query and a registration open, in conversations 2 and
/// 3.
fn client_outcome(chunks: &[Vec<u8>], is_ready: bool, strict: bool) -> Outcome {
    let mut config = client_config();
    (config.chatter.max_message, config.chatter.strict) = (MAX_MESSAGE, strict);
    let mut client = Client::new(config, &init(&["*"]), Instant::ORIGIN).expect("small");
    if is_ready {
        let mut rx = RecvBuf::new();
        rx.feed(&frame(1, 1, false, true, message::INIT_RES, b"\x80\x82"));
        let _ = client.poll(&mut rx, Instant::ORIGIN).expect("accepted");
        client.query(&LatestParams::default().into()).expect("ready");
        client.register_with_response(&[]).expect("ready");
    }
    outcome(client, chunks, |client, incoming| {
        if let client::Incoming::Events { ack: Some(ack), .. } = incoming {
            client.ack(*ack).expect("we were asked for it");
        }
    })
}

/// A server that answers all at once; with `is_ready`, one that waits for an ack in conversation 2.
fn server_outcome(chunks: &[Vec<u8>], is_ready: bool, strict: bool) -> Outcome {
    let mut config = server_config();
    (config.chatter.max_message, config.chatter.strict) = (MAX_MESSAGE, strict);
    let mut server = Connection::new(server::Config { max_requests: 1, ..config }, Instant::ORIGIN);
    if is_ready {
        let mut rx = RecvBuf::new();
        let request = b"\x80\x80\x81\x81\x81*\x80\x00";
        rx.feed(&frame(1, 1, true, false, message::INIT_REQ, request));
        let _ = server.poll(&mut rx, Instant::ORIGIN).expect("a client");
        server.accept(Status::Operational).expect("it waits");
        server.notify(&encoded(&[event(1, 1, "a")]), false, true).expect("ready");
    }
    outcome(server, chunks, |server, incoming| match incoming {
        Incoming::Init(_) => server.accept(Status::Standby).expect("it waits"),
        Incoming::Query { request, .. } => {
            server.query_response(*request, &QueryResult::default()).expect("every query is open");
        }
        Incoming::Register { request: Some(request), .. } => {
            server.register_response(*request, None).expect("every registration is open");
        }
        Incoming::Register { .. } | Incoming::Acked(_) => {}
    })
}

fn split(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

/// Blocks of Chatter that are right, with any of our messages in any conversation, and data that is
/// often right.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let names = select(vec![
        message::INIT_REQ,
        message::INIT_RES,
        message::STATUS_NOTIFY,
        message::EVENTS_NOTIFY,
        message::EVENTS_ACK,
        message::REGISTER_REQ,
        message::REGISTER_RES,
        message::QUERY_REQ,
        message::QUERY_RES,
        "HatChatter.Ping",
        "HatChatter.Pong",
        "Unknown",
    ]);
    let right: Vec<&[u8]> = vec![
        b"",
        b"\x80",
        b"\x81",
        b"\x80\x00",
        b"\x80\x80",
        b"\x80\x80\x81\x81\x81*\x80\x00",
        b"\x81\x81\x81a\x80\x80",
        b"\x81\x81\x82\x83\x81\x81a\x85\x80\x80\x80",
        b"\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    ];
    let data = prop_oneof![
        3 => select(right).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..40),
    ];
    let block = (names, data, 1_u8..6, 1_u8..6, any::<[bool; 2]>(), prop::bool::weighted(0.9));
    let block = block.prop_map(|(name, data, id, first, [same, last], token)| {
        // most start a conversation
        let (first, owner) = if same { (id, true) } else { (first, id % 2 == 0) };
        let mut bytes = frame(id, first, owner, last, name, &data);
        bytes[5] = token.into();
        bytes
    });
    let changes = prop_oneof![3 => Just(Vec::new()), 1 => vec(any::<(usize, u8)>(), 1..4)];
    (vec(block, 1..10), changes).prop_map(|(blocks, changes)| {
        let mut bytes = blocks.concat();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes
    })
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => vec(any::<u8>(), 0..300), 6 => hostile()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_client_takes_any_bytes_at_any_split_as_whole(
        bytes in input(),
        cuts in vec(any::<usize>(), 0..20),
        is_ready: bool,
        strict: bool,
    ) {
        let whole = client_outcome(std::slice::from_ref(&bytes), is_ready, strict);
        let cut = client_outcome(&split(&bytes, &cuts), is_ready, strict);
        // the length of a length is one byte, so at most 256 bytes stand before a body
        prop_assert!(whole.wanted.max(cut.wanted) <= 256 + MAX_MESSAGE);
        prop_assert_eq!(Outcome { wanted: 0, ..whole }, Outcome { wanted: 0, ..cut });
    }

    #[test]
    fn a_server_takes_any_bytes_at_any_split_as_whole(
        bytes in input(),
        cuts in vec(any::<usize>(), 0..20),
        is_ready: bool,
        strict: bool,
    ) {
        let whole = server_outcome(std::slice::from_ref(&bytes), is_ready, strict);
        let cut = server_outcome(&split(&bytes, &cuts), is_ready, strict);
        prop_assert!(whole.wanted.max(cut.wanted) <= 256 + MAX_MESSAGE);
        prop_assert_eq!(Outcome { wanted: 0, ..whole }, Outcome { wanted: 0, ..cut });
    }
}
