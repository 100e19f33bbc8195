//! Any bytes at any split; any CR and CC; any messages: no panic, no limit passed, no segment
//! without data.

use bytes::Bytes;
use hat_core::buffer::RecvBuf;
use hat_core::cotp::tpdu::{Connect, Tpdu, put_parameter};
use hat_core::cotp::{Answer, Config, Connection, Incoming, Policy, Receive, Response, TpduSize};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{accept, alone, connect, connected, data, feed};

const MAX_TSDU: usize = 500;

/// Parts of a message that come one behind the other are one part: how many there are is a matter
/// of the split.
fn push(got: &mut Vec<Incoming>, incoming: Incoming) {
    match (got.last_mut(), incoming) {
        (Some(Incoming::Data { data, end: open @ false }), Incoming::Data { data: more, end }) => {
            *data = [&data[..], &more].concat().into();
            *open = end;
        }
        (_, incoming) => got.push(incoming),
    }
}

/// What a connection made of bytes: what it gave and sent, and why it ended.
fn outcome(mut machine: Connection, chunks: &[&[u8]]) -> (Vec<Incoming>, Vec<u8>, Option<String>) {
    let (mut rx, mut got, mut error) = (RecvBuf::new(), Vec::new(), None);
    'chunks: for chunk in chunks {
        rx.feed(chunk);
        loop {
            match machine.poll(&mut rx, Instant::ORIGIN) {
                Ok(Polled::Incoming(incoming)) => {
                    if let Incoming::Connect(_) = incoming {
                        machine.confirm(&Response::default()).expect("it waits");
                    }
                    push(&mut got, incoming);
                }
                Ok(wait) => {
                    let have = rx.bytes.len();
                    assert!(wait.missing() <= have.max(2048) && have + wait.missing() <= 65535);
                    break;
                }
                Err(last) => {
                    error = Some(last.to_string());
                    break 'chunks;
                }
            }
        }
    }
    let queued = machine.tx().len();
    assert!(queued <= 4 + 255 + 16, "one answer at most: {queued}");
    (got, bytes::Buf::copy_to_bytes(machine.tx(), queued).into(), error)
}

fn packet(tpdu: &[u8]) -> Vec<u8> {
    [&[3, 0], &(tpdu.len() as u16 + 4).to_be_bytes()[..], tpdu].concat()
}

/// A parameter as it is, or with anything in it.
fn parameter() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        Just(0xc0),
        Just(0xc1),
        Just(0xc2),
        Just(0xc6),
        Just(0xc7),
        Just(0xf0),
        any::<u8>()
    ];
    let size = (0x05_u8..0x13).prop_map(|code| vec![0xc0, 1, code]);
    let any = (code, vec(any::<u8>(), 0..5)).prop_map(|(code, value)| {
        let mut parameter = Vec::new();
        put_parameter(&mut parameter, code, &value);
        parameter
    });
    prop_oneof![size, any]
}

/// A CR or CC, right in its lengths.
fn handshake(kind: u8) -> impl Strategy<Value = Vec<u8>> {
    let class = prop_oneof![8 => Just(0_u8), 1 => Just(0x40), 1 => any::<u8>()];
    let references = prop_oneof![Just([0, 0, 0, 1]), Just([0, 1, 0, 2]), any::<[u8; 4]>()];
    let parameters = vec(parameter(), 0..8);
    (references, class, parameters, vec(any::<u8>(), 0..40)).prop_map(
        move |(references, class, parameters, data)| {
            let parameters = parameters.concat();
            let li = 6 + parameters.len() as u8;
            let fixed = [&[li, kind][..], &references, &[class]].concat();
            let data = if data.len() < 5 { data } else { Vec::new() };
            packet(&[fixed, parameters, data].concat())
        },
    )
}

/// What may come on an established connection, right or nearly so.
fn later() -> impl Strategy<Value = Vec<u8>> {
    let data = (prop_oneof![Just(0_u8), Just(0x80), any::<u8>()], vec(any::<u8>(), 0..200))
        .prop_map(|(end, data)| packet(&[&[2, 0xf0, end][..], &data].concat()));
    let other = vec(any::<u8>(), 3..12).prop_map(|mut tpdu| {
        tpdu[0] %= tpdu.len() as u8 + 1;
        packet(&tpdu)
    });
    prop_oneof![4 => data, 1 => other]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![handshake(0xe0), handshake(0xd0)];
    let changes = vec((any::<usize>(), any::<u8>()), 0..3);
    let right = (start, vec(later(), 0..12), changes).prop_map(|(start, rest, changes)| {
        let mut bytes = [start, rest.concat()].concat();
        for (at, byte) in changes {
            let at = at % (bytes.len() * 4);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes
    });
    prop_oneof![8 => right, 1 => vec(any::<u8>(), 0..200)]
}

fn config() -> impl Strategy<Value = Config> {
    any::<[bool; 7]>().prop_map(
        |[strict, parts, manual, preferred_size, expedited, raw, deliver_empty]| Config {
            policy: if strict { Policy::Strict } else { Policy::Interop },
            receive: if parts { Receive::Parts } else { Receive::Whole },
            answer: if manual { Answer::Manual } else { Answer::Automatic },
            raw_variable_part: raw.then(Bytes::new),
            preferred_size,
            expedited,
            deliver_empty,
            max_tsdu: MAX_TSDU,
            ..Config::default()
        },
    )
}

fn split<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// The payloads of the DTs in what was written, which must be right.
fn segments(mut bytes: Bytes) -> Vec<(Bytes, bool)> {
    let mut segments = Vec::new();
    while !bytes.is_empty() {
        let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        match Tpdu::parse(bytes.split_to(len).slice(4..)).expect("our own") {
            Tpdu::Data(segment) => segments.push((segment.data, segment.end)),
            other => panic!("{other:?}"),
        }
    }
    segments
}

/// What is sent on a connection, whatever its handshake said: no segment without data, and no more
/// than the data needs.
fn sends_well(machine: &mut Connection, len: usize) -> Result<(), TestCaseError> {
    let Some(info) = machine.info() else { return Ok(()) };
    let size = info.tpdu_size.octets();
    prop_assert!((128..=65531).contains(&size));
    let queued = machine.tx().len();
    bytes::Buf::advance(machine.tx(), queued);
    if machine.send(vec![1; len].into()).is_err() {
        return Ok(());
    }
    let queued = machine.tx().len();
    let segments = segments(bytes::Buf::copy_to_bytes(machine.tx(), queued));
    prop_assert_eq!(segments.len(), len.div_ceil(size - 3).max(1));
    for (index, (data, end)) in segments.iter().enumerate() {
        prop_assert_eq!(*end, index + 1 == segments.len());
        prop_assert!(!data.is_empty() || len == 0);
        prop_assert!(data.len() + 3 <= size);
    }
    prop_assert_eq!(segments.iter().map(|(data, _)| data.len()).sum::<usize>(), len);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_at_any_split_give_the_same_as_whole(
        config in config(),
        calls: bool,
        bytes in stream(),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let machine = || if calls { connect(config.clone()) } else { accept(config.clone()) };
        let whole = outcome(machine(), &[&bytes]);
        prop_assert_eq!(&outcome(machine(), &split(&bytes, &cuts)), &whole);
        let limited = |incoming: &Incoming| match incoming {
            Incoming::Data { data, .. } => data.len() <= MAX_TSDU,
            _ => true,
        };
        prop_assert!(config.receive == Receive::Parts || whole.0.iter().all(limited));
    }

    #[test]
    fn no_request_leads_to_bad_segments(config in config(), cr in handshake(0xe0), len in 0_usize..3000) {
        let mut pair = alone(accept(Config { answer: Answer::Automatic, ..config }));
        feed(&mut pair.a, &cr, usize::MAX);
        sends_well(&mut pair.a.machine, len)?;
    }

    #[test]
    fn no_confirm_leads_to_bad_segments(
        config in config(),
        offered in proptest::option::of(128_u16..=65531),
        cc in handshake(0xd0),
        len in 0_usize..3000,
    ) {
        let offered_size = offered.and_then(TpduSize::new);
        let mut pair = alone(connect(Config { offered_size, ..config.clone() }));
        feed(&mut pair.a, &cc, usize::MAX);
        if let (Some(info), Some(offered), None) = (pair.a.machine.info(), offered_size, config.raw_variable_part) {
            prop_assert!(info.tpdu_size <= offered);
        }
        sends_well(&mut pair.a.machine, len)?;
    }

    #[test]
    fn messages_arrive_as_sent_at_any_grain_and_size(
        offered in 128_u16..=65531,
        parts: bool,
        messages in vec(vec(any::<u8>(), 0..2000), 1..6),
        grain in 1_usize..4000,
    ) {
        let caller = Config { offered_size: TpduSize::new(offered), preferred_size: true, ..Config::default() };
        let receive = if parts { Receive::Parts } else { Receive::Whole };
        let called = Config { preferred_size: true, receive, ..Config::default() };
        let mut pair = connected(caller, called, grain);
        for message in &messages {
            pair.a.machine.send(message.clone().into()).expect("sent");
        }
        pair.drive();
        for message in messages {
            let mut got = Vec::new();
            loop {
                let Incoming::Data { data, end } = pair.b.take() else { panic!("no data") };
                got.extend_from_slice(&data);
                if end {
                    break;
                }
                prop_assert!(parts);
            }
            prop_assert_eq!(got, message);
        }
    }

    #[test]
    fn any_tpdu_is_read_without_a_panic_and_written_as_read(
        tpdu in prop_oneof![vec(any::<u8>(), 0..40), handshake(0xe0).prop_map(|it| it[4..].to_vec())],
    ) {
        let tpdu = Bytes::from(tpdu);
        if let Ok(Tpdu::ConnectRequest(Connect { variable, .. })) = Tpdu::parse(tpdu.clone()) {
            prop_assert!(variable.len() <= 248);
        }
        match Tpdu::parse(tpdu.clone()) {
            // of these not everything is kept
            Ok(Tpdu::Other(_) | Tpdu::DisconnectRequest(_) | Tpdu::Error(_) | Tpdu::DisconnectConfirm { .. }) | Err(_) => {}
            Ok(parsed) => prop_assert_eq!(parsed.encode().expect("it fitted"), tpdu),
        }
    }
}

/// The same connection over and over does not grow.
#[test]
fn a_connection_that_lives_long_does_not_grow() {
    let mut pair = connected(Config::default(), Config::default(), usize::MAX);
    for _ in 0..10_000 {
        pair.a.machine.send("ask".into()).expect("sent");
        pair.drive();
        assert_eq!(data(pair.b.take()), "ask");
        pair.b.machine.send("answer".into()).expect("sent");
        pair.drive();
        assert_eq!(data(pair.a.take()), "answer");
    }
    assert_eq!(pair.a.machine.queued() + pair.b.machine.queued(), 0);
}
