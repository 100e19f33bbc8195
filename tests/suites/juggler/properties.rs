//! Any changes, flushes, newcomers, slow readers and ends, against a model; any requests; any texts
//! at any split.

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::json::Pointer;
use hat_core::juggler::{Autoflush, State};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::time::Duration;

use super::*;

/// A change of a state.
#[derive(Clone, Debug)]
enum Change {
    Set(&'static str, Value),
    Remove(&'static str),
    Replace(Value),
}

impl Change {
    fn make(self, state: &mut State) {
        let path = |text: &str| text.parse::<Pointer>().expect("a path");
        match self {
            Self::Set(at, value) => state.set(&path(at), value).expect("small"),
            Self::Remove(at) => drop(state.remove(&path(at))),
            Self::Replace(value) => state.replace(value).expect("small"),
        }
    }
}

fn paths() -> impl Strategy<Value = &'static str> {
    select(vec!["", "/a", "/a/b", "/a/b/c", "/d", "/d/0", "/d/1", "/d/-", "/e~1f"])
}

fn values() -> impl Strategy<Value = Value> {
    let texts =
        ["null", "1", "2.5", r#""čšž🚀""#, "[]", "[1,2,3]", r#"{"b":{"c":1}}"#, r#"{"a":[{}]}"#];
    select(texts.to_vec()).prop_map(json)
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (paths(), values()).prop_map(|(path, value)| Change::Set(path, value)),
        2 => paths().prop_map(Change::Remove),
        1 => values().prop_map(Change::Replace),
    ]
}

/// Something that happens to connections and what they share.
#[derive(Clone, Debug)]
enum Event {
    /// The shared state, or that of one connection, changes.
    Shared(Change),
    Own(Index, Change),
    /// The shared one is flushed, or that of one connection.
    Flush,
    FlushOwn(Index),
    /// Somebody comes, who follows the shared state or has its own.
    Join {
        shares: bool,
        narrow: bool,
    },
    Leave(Index),
    /// A client stops reading, or goes on.
    Stall(Index),
    /// Bytes move, and time passes.
    Drive(Index, u64),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => changes().prop_map(Event::Shared),
        4 => (any::<Index>(), changes()).prop_map(|(of, change)| Event::Own(of, change)),
        3 => Just(Event::Flush),
        2 => any::<Index>().prop_map(Event::FlushOwn),
        2 => any::<(bool, bool)>().prop_map(|(shares, narrow)| Event::Join { shares, narrow }),
        1 => any::<Index>().prop_map(Event::Leave),
        2 => any::<Index>().prop_map(Event::Stall),
        3 => (any::<Index>(), 0_u64..300).prop_map(|(of, ms)| Event::Drive(of, ms)),
    ]
}

struct Member {
    pair: Both,
    shares: bool,
}

impl Member {
    fn new(shares: bool, narrow: bool, grain: usize) -> Self {
        let max_queued = if narrow { 100 } else { 1 << 20 };
        let config = ws::Config { max_queued, ..ws::Config::default() };
        let server = server::Connection::new(websocket_of(Role::Server, config), server_config());
        Self { pair: Pair::new(client(client_config()), server, grain), shares }
    }
}

/// A model of an application: a shared state with its autoflush, and connections with and without
/// their own.
fn run(events: Vec<Event>, grain: usize) {
    let mut state = State::default();
    let mut members: Vec<Member> = Vec::new();
    for event in events {
        let at = |index: &Index| (!members.is_empty()).then(|| index.index(members.len()));
        match event {
            Event::Shared(change) => change.make(&mut state),
            Event::Own(of, change) => {
                if let Some(member) = at(&of).map(|at| &mut members[at]).filter(|it| !it.shares) {
                    member.pair.b.machine.change(|state| change.make(state));
                }
            }
            Event::Flush => {
                let flushed = state.flush();
                for member in members.iter_mut().filter(|member| member.shares) {
                    member.pair.b.machine.follow(&mut state, flushed.as_ref()).expect("open");
                }
            }
            Event::FlushOwn(of) => {
                if let Some(at) = at(&of) {
                    // a full queue is no reason to lose anything
                    let _ = members[at].pair.b.machine.flush();
                }
            }
            Event::Join { shares, narrow } => {
                let mut member = Member::new(shares, narrow, grain);
                if shares {
                    member.pair.b.machine.follow(&mut state, None).expect("open");
                }
                members.push(member);
            }
            Event::Leave(of) => {
                if let Some(at) = at(&of) {
                    let mut pair = members.swap_remove(at).pair;
                    pair.a.stalled = false;
                    pair.a.machine.close();
                    pair.drive();
                    assert!(pair.b.error.expect("over").is_closed());
                }
            }
            Event::Stall(of) => {
                if let Some(at) = at(&of) {
                    members[at].pair.a.stalled ^= true;
                }
            }
            Event::Drive(of, ms) => {
                if let Some(at) = at(&of) {
                    members[at].pair.wait(Duration::from_millis(ms));
                }
            }
        }
    }
    // in the end all read, and all that was flushed or is due has arrived
    for member in &mut members {
        let pair = &mut member.pair;
        pair.a.stalled = false;
        pair.wait(Autoflush::DEFAULT_DELAY.expect("0.2 s"));
        assert_eq!((&pair.a.error, &pair.b.error), (&None, &None));
        assert!(!pair.b.machine.is_behind());
        let expected = if member.shares { state.flushed() } else { pair.b.machine.state().value() };
        assert_eq!(pair.a.machine.state(), expected);
    }
}

proptest! {
    #[test]
    fn states_arrive_whatever_happens(events in vec(events(), 0..60), grain in 1_usize..200) {
        run(events, grain);
    }

    /// Two peers of 0.5 that change, flush and send as they like, and have each other's data in the
    /// end.
    #[test]
    fn peers_are_in_step_in_the_end(
        steps in vec((any::<bool>(), changes(), any::<bool>(), 0_u64..300), 0..40),
        grain in 1_usize..200,
    ) {
        let peer = |role| peer::Connection::new(websocket(role), peer::Config::default());
        let mut pair: Peers = Pair::new(peer(Role::Client), peer(Role::Server), grain);
        for (by_a, change, flush, ms) in steps {
            let machine = if by_a { &mut pair.a.machine } else { &mut pair.b.machine };
            machine.change(|state| change.make(state));
            if flush {
                machine.flush().expect("room");
            }
            pair.wait(Duration::from_millis(ms));
        }
        pair.wait(Duration::from_millis(200));
        prop_assert_eq!(pair.a.machine.remote_data(), pair.b.machine.local_data());
        prop_assert_eq!(pair.b.machine.remote_data(), pair.a.machine.local_data());
    }

    /// Every request gets its own answer, once, in whatever order the application gives them; and
    /// one after the other where it must.
    #[test]
    fn requests_get_their_answers(
        names in vec("[a-c]?", 1..20),
        order in vec(any::<Index>(), 20),
        parallel_requests: bool,
        max_requests in 1_usize..5,
        grain in 1_usize..200,
    ) {
        let config = server::Config { parallel_requests, max_requests, ..server_config() };
        let mut pair = both_of(client_config(), config, grain);
        let mut expected = std::collections::BTreeMap::new();
        for (number, name) in names.iter().enumerate() {
            let id = pair.a.machine.request(name, &number.into()).expect("room");
            expected.insert(id, Value::from(number));
        }
        let most = if parallel_requests { max_requests } else { 1 };
        let (mut open, mut order) = (Vec::new(), order.into_iter().cycle());
        loop {
            pair.drive();
            open.extend(pair.b.incoming.drain(..).map(asked));
            prop_assert!(open.len() <= most);
            prop_assert_eq!(open.len(), pair.b.machine.open_requests());
            if open.is_empty() {
                break;
            }
            let next = order.next().expect("endless").index(open.len());
            let (request, name, data) = open.swap_remove(next);
            prop_assert!(!name.is_empty());
            pair.b.machine.respond(request, Ok(&data)).expect("it is open");
        }
        for incoming in std::mem::take(&mut pair.a.incoming) {
            let (id, result) = answered(incoming);
            prop_assert_eq!(expected.remove(&id).map(Ok), Some(result));
        }
        prop_assert!(expected.is_empty());
    }

    /// The same texts, whole and cut anywhere, give the same.
    #[test]
    fn any_texts_at_any_split(
        texts in vec(texts(), 0..8),
        cuts in vec(any::<Index>(), 0..10),
        to_client: bool,
    ) {
        let mut from = websocket(if to_client { Role::Server } else { Role::Client });
        for text in &texts {
            from.send_text(&text.as_str().into()).expect("room");
        }
        let count = from.tx().remaining();
        let bytes = from.tx().copy_to_bytes(count);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(count + 1)).collect();
        cuts.extend([0, count]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        if to_client {
            let machine = || client(client_config());
            prop_assert_eq!(outcome(machine(), &[&bytes]), outcome(machine(), &pieces));
        } else {
            let machine = || server(server::Config { parallel_requests: true, ..server_config() });
            prop_assert_eq!(outcome(machine(), &[&bytes]), outcome(machine(), &pieces));
        }
    }
}

/// Texts that are nearly right.
fn texts() -> impl Strategy<Value = String> {
    let members = vec(
        prop_oneof![
            select(vec![r#""type":"request""#, r#""type":"state""#, r#""type":"notify""#]),
            select(vec![
                r#""id":1"#,
                r#""name":"n""#,
                r#""name":"""#,
                r#""data":[1]"#,
                r#""diff":[]"#
            ]),
        ]
        .prop_map(str::to_owned),
        0..6,
    );
    let message = members.prop_map(|members| format!("0{{{}}}", members.join(",")));
    let cut = |(text, at): (String, Index)| {
        let at = text.floor_char_boundary(at.index(text.len() + 1));
        text[..at].to_owned()
    };
    prop_oneof![
        3 => message.clone(),
        1 => (message, any::<Index>()).prop_map(cut),
        1 => "[0-4].{0,10}",
    ]
}

/// What a machine gives, why it ends, and what it writes.
fn outcome<P: Protocol<Incoming: std::fmt::Debug>>(
    mut machine: P,
    pieces: &[&[u8]],
) -> (Vec<String>, Option<String>, Vec<u8>) {
    let (mut rx, mut given, mut written) = (RecvBuf::new(), Vec::new(), Vec::new());
    for piece in pieces {
        rx.feed(piece);
        loop {
            let polled = machine.poll(&mut rx, Instant::ORIGIN);
            let count = machine.tx().remaining();
            written.extend_from_slice(&machine.tx().copy_to_bytes(count));
            match polled {
                Ok(Polled::Incoming(incoming)) => given.push(format!("{incoming:?}")),
                Ok(Polled::HeldUp) if count > 0 => {}
                Ok(_) => break,
                Err(error) => {
                    assert!(machine.is_closed() && machine.deadline().is_none());
                    return (given, Some(error.to_string()), written);
                }
            }
        }
    }
    (given, None, written)
}
