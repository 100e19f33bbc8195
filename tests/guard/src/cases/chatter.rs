//! Messages of 64 bytes between two connections without sockets. An operation is one message on one
//! side.

use bytes::Bytes;
use hat_core::chatter::{
    Config, Connection, Conversation, Data, Dialect, Incoming, Message, SendOptions,
};

use super::{COUNT, NOW, Side};
use crate::meter::{counted, done};

/// What opens a conversation.
pub const ASK: SendOptions =
    SendOptions { conversation: None, last: false, token: true, timeout: None };

/// The longest name in use.
const NAME: &str = "HatEventer.MsgEventsNotify";

/// Two connections that keep to the rules of `dialect` and expect `NAME`.
#[must_use]
pub fn pair(dialect: Dialect) -> [Side<Connection>; 2] {
    let config = || Config { names: &[NAME], ..Config::new(dialect) };
    [(); 2].map(|()| Side::new(Connection::new(config(), NOW)))
}

/// 64 bytes under `NAME`.
#[must_use]
pub fn data() -> Data {
    Data::new(NAME, Bytes::from(vec![7; 64]))
}

/// The next message that has arrived.
pub fn message(side: &mut Side<Connection>) -> Option<Message> {
    match side.poll() {
        Some(Incoming::Message(message)) => Some(message),
        _ => None,
    }
}

/// [`COUNT`] times `data`, made before anything is counted: what an application does to make its
/// data is its own.
#[must_use]
pub fn copies(data: &Data) -> Vec<Data> {
    vec![data.clone(); COUNT]
}

/// Sends messages that are conversations of their own.
pub fn send(side: &mut Side<Connection>, data: &mut Vec<Data>) {
    for data in data.drain(..) {
        side.machine.send(data, SendOptions::default()).expect("there is room");
    }
}

/// Opens conversations.
pub fn ask(side: &mut Side<Connection>, data: &mut Vec<Data>) {
    for data in data.drain(..) {
        side.machine.send(data, ASK).expect("there is room");
    }
}

/// What ends a conversation.
#[must_use]
pub fn answer_to(conversation: Conversation) -> SendOptions {
    SendOptions { conversation: Some(conversation), ..SendOptions::default() }
}

/// Ends conversations that the other side has opened.
pub fn answer(side: &mut Side<Connection>, data: &mut Vec<Data>, asked: &[Conversation]) {
    for (data, &conversation) in data.drain(..).zip(asked) {
        side.machine.send(data, answer_to(conversation)).expect("there is room");
    }
}

/// Takes all that has arrived, [`COUNT`] messages, and drops it. Gives their conversations in
/// `conversations`.
pub fn receive(side: &mut Side<Connection>, conversations: &mut Vec<Conversation>) {
    conversations.clear();
    while let Some(message) = message(side) {
        conversations.push(message.conversation);
    }
    assert_eq!(conversations.len(), COUNT);
}

/// Counts the cases.
pub fn run() {
    one_way();
    conversations();
}

/// Rounds before anything is counted: ids have three groups after them, as on any connection that
/// has been up for a while.
const WARM_UP: usize = 10_000 / COUNT;

fn one_way() {
    let ([mut from, mut to], data) = (pair(Dialect::HatChatter), data());
    let mut conversations = Vec::with_capacity(COUNT);
    for _ in 0..WARM_UP {
        send(&mut from, &mut copies(&data));
        from.carry(&mut to);
        receive(&mut to, &mut conversations);
    }

    let mut messages = copies(&data);
    counted(|| {
        send(&mut from, &mut messages);
        from.written();
    });
    done("chatter/one-way/send", COUNT);

    send(&mut from, &mut copies(&data));
    from.carry(&mut to);
    counted(|| receive(&mut to, &mut conversations));
    done("chatter/one-way/receive", COUNT);

    // each message arrives alone, so the poll that finds nothing more is there for each
    for data in copies(&data) {
        from.machine.send(data, SendOptions::default()).expect("there is room");
        from.carry(&mut to);
        counted(|| assert!(message(&mut to).is_some() && message(&mut to).is_none()));
    }
    done("chatter/one-at-a-time/receive", COUNT);
}

/// As many questions in flight as [`COUNT`], then all answers.
fn conversations() {
    let ([mut client, mut server], data) = (pair(Dialect::HatChatter), data());
    let mut asked = Vec::with_capacity(COUNT);
    let mut answered = Vec::with_capacity(COUNT);
    let parts = ["question/send", "question/receive", "answer/send", "answer/receive"];
    for round in ["warm up"; WARM_UP].into_iter().chain(parts) {
        let part = |part: &str, work: &mut dyn FnMut()| {
            if part == round { counted(work) } else { work() }
        };
        let (mut questions, mut answers) = (copies(&data), copies(&data));
        part("question/send", &mut || ask(&mut client, &mut questions));
        client.carry(&mut server);
        part("question/receive", &mut || receive(&mut server, &mut asked));
        part("answer/send", &mut || answer(&mut server, &mut answers, &asked));
        server.carry(&mut client);
        part("answer/receive", &mut || receive(&mut client, &mut answered));
        assert_eq!(client.machine.open_conversations(), 0);
        if parts.contains(&round) {
            done(&format!("chatter/{round}"), COUNT);
        }
    }
}
