//! Any messages at any split; any bytes; conversations against a model.

use std::collections::BTreeMap;

use hat_core::buffer::RecvBuf;
use hat_core::chatter::{
    Config, Connection, Conversation, Data, Dialect, Incoming, PingRule, SendFault, SendOptions,
};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{connection, message, pair, pair_of};

/// What a connection made of bytes: what it gave, why it ended, and the most that it asked to hold.
fn outcome(config: &Config, chunks: &[&[u8]]) -> (Vec<Incoming>, Option<String>, usize) {
    let mut machine = connection(config);
    let (mut rx, mut got, mut most) = (RecvBuf::new(), Vec::new(), 0);
    for chunk in chunks {
        rx.feed(chunk);
        loop {
            // pongs are written at once
            let queued = machine.tx().len();
            bytes::Buf::advance(machine.tx(), queued);
            match machine.poll(&mut rx, Instant::ORIGIN) {
                Ok(Polled::Incoming(incoming)) => got.push(incoming),
                Ok(wait) if machine.tx().is_empty() => {
                    most = most.max(rx.bytes.len() + wait.missing());
                    break;
                }
                Ok(_) => {}
                Err(error) => return (got, Some(error.to_string()), most),
            }
        }
    }
    (got, None, most)
}

fn split(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

fn data_of(dialect: Dialect) -> impl Strategy<Value = Data> {
    let module = match dialect {
        Dialect::Hat => proptest::option::of(".{0,20}").boxed(),
        Dialect::HatChatter => Just(None).boxed(),
    };
    (module, ".{0,20}", vec(any::<u8>(), 0..3000)).prop_map(|(module, r#type, data)| Data {
        module: module.map(Into::into),
        r#type: r#type.into(),
        data: data.into(),
    })
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(Dialect::Hat), Just(Dialect::HatChatter)]
}

proptest! {
    #[test]
    fn messages_arrive_as_sent_at_any_grain(
        (dialect, messages) in dialect().prop_flat_map(|it| (Just(it), vec(data_of(it), 1..8))),
        grain in 1_usize..5000,
    ) {
        let config = Config { ping: PingRule::Off, ..Config::new(dialect) };
        let mut pair = pair_of(&config, grain);
        for data in &messages {
            pair.a.machine.send(data.clone(), SendOptions::default()).expect("sent");
        }
        pair.drive();
        for data in messages {
            prop_assert_eq!(message(pair.b.take()).data, data);
        }
    }

    #[test]
    fn any_bytes_at_any_split_give_the_same_as_whole(
        dialect in dialect(),
        strict: bool,
        bytes in prop_oneof![vec(any::<u8>(), 0..300), hostile()],
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let config = Config { max_message: 200, strict, ping: PingRule::Off, ..Config::new(dialect) };
        let whole = outcome(&config, &[&bytes]);
        let chunks = split(&bytes, &cuts);
        let chunks: Vec<_> = chunks.iter().map(Vec::as_slice).collect();
        let cut = outcome(&config, &chunks);
        prop_assert_eq!((&whole.0, &whole.1), (&cut.0, &cut.1));
        // the length of a length is one byte, so at most 256 bytes stand before a body
        prop_assert!(whole.2.max(cut.2) <= 256 + config.max_message);
    }
}

/// Blocks that are right, with bytes changed here and there.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let blocks = vec(
        (0_u8..4, 0_u8..4, any::<[bool; 3]>(), "[a-z]{0,3}").prop_map(
            |(id, first, flags, name)| {
                let mut body = vec![0x80 | id, 0x80 | first];
                body.extend(flags.map(u8::from));
                body.push(0x80 | name.len() as u8);
                body.extend(name.bytes());
                body.push(0x80);
                let mut block = vec![1, body.len() as u8];
                block.extend(body);
                block
            },
        ),
        1..10,
    );
    let changes = vec((any::<usize>(), any::<u8>()), 0..4);
    (blocks.prop_map(|blocks| blocks.concat()), changes).prop_map(|(mut bytes, changes)| {
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes
    })
}

/// A call of one side.
#[derive(Clone, Debug)]
struct Call {
    by_a: bool,
    /// Which of the conversations known to the model, or a new one.
    conversation: Option<usize>,
    last: bool,
    token: bool,
}

fn call() -> impl Strategy<Value = Call> {
    (any::<bool>(), proptest::option::weighted(0.7, 0_usize..20), any::<bool>(), any::<bool>())
        .prop_map(|(by_a, conversation, last, token)| Call { by_a, conversation, last, token })
}

proptest! {
    /// The model: a map from conversation to the side that has the token.
    #[test]
    fn conversations_follow_their_model(calls in vec(call(), 1..60), grain in 1_usize..40) {
        let mut pair = pair(grain);
        // as `a` names them; true: `a` has the token
        let mut open: BTreeMap<Conversation, bool> = BTreeMap::new();
        let mut known: Vec<Conversation> = Vec::new();
        for call in calls {
            let asked = call.conversation.and_then(|index| known.get(index).copied());
            let as_seen = |side_a: bool, it: Conversation| Conversation {
                owner: if side_a { it.owner } else { !it.owner },
                ..it
            };
            let options = SendOptions {
                conversation: asked.map(|it| as_seen(call.by_a, it)),
                last: call.last,
                token: call.token,
                timeout: None,
            };
            let machine: &mut Connection =
                if call.by_a { &mut pair.a.machine } else { &mut pair.b.machine };
            let sent = machine.send(Data::new("T", "x"), options);
            let expected = match asked.map(|it| open.get(&it)) {
                None => Ok(()),
                Some(None) => Err(SendFault::NotOpen),
                Some(Some(&a_has_it)) if a_has_it == call.by_a => Ok(()),
                Some(Some(_)) => Err(SendFault::NoToken),
            };
            prop_assert_eq!(sent.as_ref().map(|_| ()).map_err(|error| error.fault), expected);
            if let Ok(conversation) = sent {
                let conversation = as_seen(call.by_a, conversation);
                if asked.is_none() {
                    known.push(conversation);
                }
                if call.last {
                    open.remove(&conversation);
                } else {
                    open.insert(conversation, call.by_a != call.token);
                }
                pair.drive();
                let receiver = if call.by_a { &mut pair.b } else { &mut pair.a };
                let got = message(receiver.take());
                prop_assert_eq!(as_seen(!call.by_a, got.conversation), conversation);
                prop_assert_eq!(
                    (got.first, got.last, got.token),
                    (asked.is_none(), call.last, call.token)
                );
            }
            prop_assert_eq!(pair.a.machine.open_conversations(), open.len());
            prop_assert_eq!(pair.b.machine.open_conversations(), open.len());
        }
    }
}
