//! Messages of 64 bytes between two connections without sockets. An operation is one message on one side.

use bytes::Bytes;
use hat_core::chatter::{
    Config, Connection, Conversation, Data, Dialect, Incoming, Message, SendOptions,
};

use super::{COUNT, NOW, Side};
use crate::meter::{counted, done};

/// What opens a conversation.
const ASK: SendOptions =
    SendOptions { conversation: None, last: false, token: true, timeout: None };

/// Two connections that keep to the rules of `dialect`.
#[must_use]
pub fn pair(dialect: Dialect) -> [Side<Connection>; 2] {
    [(); 2].map(|()| Side::new(Connection::new(Config::new(dialect), NOW)))
}

/// 64 bytes, under the longest name in use.
#[must_use]
pub fn data() -> Data {
    Data::new("HatEventer.MsgEventsNotify", Bytes::from(vec![7; 64]))
}

fn message(side: &mut Side<Connection>) -> Option<Message> {
    match side.poll() {
        Some(Incoming::Message(message)) => Some(message),
        _ => None,
    }
}

/// As many messages that are conversations of their own as [`COUNT`]; written out as one.
pub fn send(side: &mut Side<Connection>, data: &Data) {
    for _ in 0..COUNT {
        side.machine.send(data.clone(), SendOptions::default()).expect("there is room");
    }
}

/// Opens [`COUNT`] conversations.
pub fn ask(side: &mut Side<Connection>, data: &Data) {
    for _ in 0..COUNT {
        side.machine.send(data.clone(), ASK).expect("there is room");
    }
}

/// Ends conversations that the other side has opened.
pub fn answer(side: &mut Side<Connection>, data: &Data, asked: &[Conversation]) {
    for &conversation in asked {
        let options = SendOptions {
            conversation: Some(conversation),
            last: true,
            token: true,
            timeout: None,
        };
        side.machine.send(data.clone(), options).expect("there is room");
    }
}

/// Takes all that has arrived, [`COUNT`] messages, and drops it. Gives their conversations in `conversations`.
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
    one_at_a_time();
    conversations();
}

fn one_way() {
    let ([mut from, mut to], data) = (pair(Dialect::HatChatter), data());
    let mut conversations = Vec::with_capacity(COUNT);
    send(&mut from, &data);
    from.carry(&mut to);
    receive(&mut to, &mut conversations);

    counted(|| {
        send(&mut from, &data);
        from.written();
    });
    done("chatter/one-way/send", COUNT);

    send(&mut from, &data);
    from.carry(&mut to);
    counted(|| receive(&mut to, &mut conversations));
    done("chatter/one-way/receive", COUNT);
}

/// Each message arrives alone, so the poll that finds nothing more is there for each.
fn one_at_a_time() {
    let ([mut from, mut to], data) = (pair(Dialect::HatChatter), data());
    for _ in 0..COUNT {
        from.machine.send(data.clone(), SendOptions::default()).expect("there is room");
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
    let names = ["question/send", "question/receive", "answer/send", "answer/receive"];
    for (index, name) in [None].into_iter().chain(names.map(Some)).enumerate() {
        // the first round warms up, each other one counts one part
        let part = |at: usize, work: &mut dyn FnMut()| {
            if at == index { counted(work) } else { work() }
        };
        part(1, &mut || ask(&mut client, &data));
        client.carry(&mut server);
        part(2, &mut || receive(&mut server, &mut asked));
        part(3, &mut || answer(&mut server, &data, &asked));
        server.carry(&mut client);
        part(4, &mut || receive(&mut client, &mut answered));
        assert_eq!(client.machine.open_conversations(), 0);
        if let Some(name) = name {
            done(&format!("chatter/{name}"), COUNT);
        }
    }
}
