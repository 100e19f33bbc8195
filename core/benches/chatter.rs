//! Chatter without sockets: what a message costs in framing, in decoding, and in a conversation of
//! two.
//!
//! The profiler counts allocations: a message that is gathered in the queue takes none, one that is
//! queued by reference takes some for what stands around it.
#![allow(missing_docs, reason = "a bench")]

use bytes::{Buf, Bytes};
use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher, black_box};
use hat_core::buffer::RecvBuf;
use hat_core::chatter::{
    Config, Connection, Conversation, Data, Dialect, Incoming, Message, SendOptions,
};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const SIZES: [usize; 3] = [64, 1024, 64 * 1024];

/// Messages a round: what is done once a round counts little.
const COUNT: usize = 64;

fn main() {
    divan::main();
}

/// One end, and what arrived for it.
struct Side {
    machine: Connection,
    rx: RecvBuf,
}

impl Side {
    fn new(dialect: Dialect) -> Self {
        let machine = Connection::new(Config::new(dialect), Instant::ORIGIN);
        Self { machine, rx: RecvBuf::new() }
    }

    fn send(&mut self, data: Data, options: SendOptions) -> Conversation {
        self.machine.send(data, options).expect("there is room")
    }

    fn receive(&mut self) -> Option<Message> {
        match self.machine.poll(&mut self.rx, Instant::ORIGIN).expect("open") {
            Polled::Incoming(Incoming::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// Moves what is to be written to the other side, as a socket would: with one copy.
    fn carry(&mut self, to: &mut Side) {
        let tx = self.machine.tx();
        while tx.has_remaining() {
            let chunk = tx.chunk();
            to.rx.feed(chunk);
            let count = chunk.len();
            tx.advance(count);
        }
    }
}

fn data(size: usize) -> Data {
    Data::new("HatEventer.MsgEventsNotify", Bytes::from(vec![7; size]))
}

/// Framing and encoding of [`COUNT`] messages; what is written is only counted off.
#[divan::bench(args = SIZES)]
fn encode(bencher: Bencher<'_, '_>, size: usize) {
    let (mut side, data) = (Side::new(Dialect::HatChatter), data(size));
    bencher.counter(ItemsCount::new(COUNT)).counter(BytesCount::new(size * COUNT)).bench_local(
        || {
            for _ in 0..COUNT {
                side.send(data.clone(), SendOptions::default());
            }
            let tx = side.machine.tx();
            tx.advance(tx.remaining());
        },
    );
}

/// [`COUNT`] messages that have arrived, one poll each.
#[divan::bench(args = SIZES)]
fn decode(bencher: Bencher<'_, '_>, size: usize) {
    let arrived = || {
        let [mut from, mut to] = [(); 2].map(|()| Side::new(Dialect::HatChatter));
        for _ in 0..COUNT {
            from.send(data(size), SendOptions::default());
        }
        from.carry(&mut to);
        to
    };
    bencher
        .counter(ItemsCount::new(COUNT))
        .counter(BytesCount::new(size * COUNT))
        .with_inputs(arrived)
        .bench_local_refs(|side| {
            for _ in 0..COUNT {
                black_box(side.receive().expect("a message"));
            }
        });
}

/// A question and its answer, each encoded, copied once as a socket would, and decoded. An item is
/// one message.
fn conversation(bencher: Bencher<'_, '_>, dialect: Dialect, size: usize) {
    let ([mut client, mut server], data) = ([(); 2].map(|()| Side::new(dialect)), data(size));
    let ask = SendOptions { last: false, ..SendOptions::default() };
    bencher.counter(ItemsCount::new(2_usize)).counter(BytesCount::new(2 * size)).bench_local(
        || {
            let asked = client.send(data.clone(), ask);
            client.carry(&mut server);
            let question = server.receive().expect("the question");
            let conversation = Some(question.conversation);
            server.send(question.data, SendOptions { conversation, ..SendOptions::default() });
            server.carry(&mut client);
            let answer = client.receive().expect("the answer");
            assert_eq!((answer.conversation, answer.last), (asked, true));
        },
    );
}

#[divan::bench(args = SIZES)]
fn conversation_hat_chatter(bencher: Bencher<'_, '_>, size: usize) {
    conversation(bencher, Dialect::HatChatter, size);
}

#[divan::bench(args = SIZES)]
fn conversation_hat(bencher: Bencher<'_, '_>, size: usize) {
    conversation(bencher, Dialect::Hat, size);
}

/// [`COUNT`] conversations at once: all are asked before one is answered.
#[divan::bench(args = SIZES)]
fn conversations_at_once(bencher: Bencher<'_, '_>, size: usize) {
    let [mut client, mut server] = [(); 2].map(|()| Side::new(Dialect::HatChatter));
    let data = data(size);
    let ask = SendOptions { last: false, ..SendOptions::default() };
    let messages = 2 * COUNT;
    bencher
        .counter(ItemsCount::new(messages))
        .counter(BytesCount::new(size * messages))
        .bench_local(|| {
            for _ in 0..COUNT {
                client.send(data.clone(), ask);
            }
            client.carry(&mut server);
            while let Some(Message { data, conversation, .. }) = server.receive() {
                server.send(
                    data,
                    SendOptions { conversation: Some(conversation), ..SendOptions::default() },
                );
            }
            server.carry(&mut client);
            while let Some(answer) = client.receive() {
                black_box(answer);
            }
            assert_eq!(client.machine.open_conversations(), 0);
        });
}
