//! Any messages, cut into any fragments with control frames between, read at any grain.

use bytestring::ByteString;
use hat_core::ws::{Error, Incoming, Role};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::{BINARY, CONTINUATION, FIN, PING, PONG, TEXT, frame, other, pair, read_as};

#[derive(Clone, Debug)]
pub(crate) enum Message {
    Text(String),
    Binary(Vec<u8>),
}

impl Message {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    fn incoming(&self) -> Incoming {
        match self {
            Self::Text(text) => Incoming::Text(text.as_str().into()),
            Self::Binary(data) => Incoming::Binary(data.clone().into()),
        }
    }
}

/// A control frame between two fragments.
#[derive(Clone, Debug)]
pub(crate) enum Control {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// A message, where it is cut, and what stands in front of each of its frames.
pub(crate) type Cut = (Message, Vec<Index>, Vec<Option<Control>>);

pub(crate) fn messages() -> impl Strategy<Value = Vec<Cut>> {
    let size = prop_oneof![40 => 0..20_usize, 4 => 120..130_usize, 1 => 65_530..65_540_usize];
    let data = size.prop_flat_map(|size| vec(any::<u8>(), size));
    let message = prop_oneof![
        ".{0,40}".prop_map(Message::Text),
        "[aκ\u{10ffff}]{0,300}".prop_map(Message::Text),
        data.prop_map(Message::Binary),
    ];
    let payload = || vec(any::<u8>(), 0..=125);
    let control = prop_oneof![payload().prop_map(Control::Ping), payload().prop_map(Control::Pong)];
    let controls = vec(proptest::option::weighted(0.3, control), 5);
    vec((message, vec(any::<Index>(), 0..5), controls), 0..6)
}

/// What a `role` sends for them.
pub(crate) fn stream(role: Role, messages: &[Cut]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (message, cuts, controls) in messages {
        let bytes = message.bytes();
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let kind = if matches!(message, Message::Text(_)) { TEXT } else { BINARY };
        let mut start = 0;
        for (index, &end) in ends.iter().enumerate() {
            if let Some(Some(control)) = controls.get(index) {
                let (opcode, payload) = match control {
                    Control::Ping(payload) => (PING, payload),
                    Control::Pong(payload) => (PONG, payload),
                };
                stream.extend(frame(role, FIN | opcode, payload));
            }
            let opcode = if index == 0 { kind } else { CONTINUATION };
            let fin = if index + 1 == ends.len() { FIN } else { 0 };
            stream.extend(frame(role, fin | opcode, &bytes[start..end]));
            start = end;
        }
    }
    stream
}

pub(crate) fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

proptest! {
    #[test]
    fn messages_at_any_cut(role in role(), messages in messages(), grain in 1..300_usize) {
        let got = read_as(role, &stream(other(role), &messages), grain);
        prop_assert_eq!(got.error, Error::Lost);
        let mut expected = Vec::new();
        let mut pings = Vec::new();
        for (message, cuts, controls) in &messages {
            for control in controls.iter().take(cuts.len() + 1).flatten() {
                match control {
                    Control::Ping(payload) => pings.push(Incoming::Pong(payload.clone().into())),
                    Control::Pong(payload) => expected.push(Incoming::Pong(payload.clone().into())),
                }
            }
            expected.push(message.incoming());
        }
        prop_assert!(got.incoming == expected, "{:?} instead of {expected:?}", got.incoming);
        // every Ping was answered, in order
        prop_assert_eq!(read_as(other(role), &got.written, grain).incoming, pings);
    }

    #[test]
    fn what_is_sent_arrives(
        ours in vec(vec(".{0,600}", 0..4), 0..5),
        theirs in vec(vec(any::<u8>(), 0..1500), 0..5),
        grain in 1..3000_usize,
    ) {
        let mut pair = pair(grain);
        for parts in &ours {
            let parts: Vec<ByteString> = parts.iter().map(|part| part.as_str().into()).collect();
            pair.a.machine.send_text_parts(&parts).expect("room");
        }
        for data in &theirs {
            pair.b.machine.send_binary(&data.clone().into()).expect("room");
        }
        pair.drive();
        let ours: Vec<_> = ours.iter().map(|parts| Incoming::Text(parts.concat().into())).collect();
        let theirs: Vec<_> = theirs.into_iter().map(|data| Incoming::Binary(data.into())).collect();
        prop_assert!(pair.b.incoming == ours && pair.a.incoming == theirs);
    }

    /// Whatever comes: no panic, an end, and the same at any grain.
    #[test]
    fn any_bytes(role in role(), bytes in vec(any::<u8>(), 0..200), grain in 1..50_usize) {
        let whole = read_as(role, &bytes, usize::MAX);
        let cut = read_as(role, &bytes, grain);
        prop_assert_eq!((whole.incoming, whole.error, whole.written), (cut.incoming, cut.error, cut.written));
    }
}
