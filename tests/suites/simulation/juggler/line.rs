//! What is known of one connection from outside: what was said on it, and what must come of that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hat_core::json::Value;
use hat_core::juggler::client::RequestId as ClientRequest;
use hat_core::juggler::server::RequestId;
use hat_tests::simulation::Random;

use super::plant;

/// Where a client stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    New,
    Taken,
    Rejected,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) is_welcome: bool,
    pub(super) standing: Standing,
    /// All that the connection's own state ever was, if the client does not follow the shared one.
    pub(super) own: Option<Vec<Value>>,
    /// Which of the states the client has.
    seen: usize,
    /// Notifications that the client must see, oldest first.
    told: VecDeque<(String, Value)>,
    /// Requests that the server must see, oldest first, with those that it answers by itself: they
    /// have no name.
    said: VecDeque<(ClientRequest, String, Value)>,
    /// Requests that wait at the server.
    at_server: BTreeMap<RequestId, ClientRequest>,
    answers: BTreeMap<ClientRequest, Result<Value, Value>>,
    /// Requests of the client without an answer, but for the forgotten ones.
    pub(super) open: BTreeSet<ClientRequest>,
}

impl Line {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            is_welcome: random.chance(95),
            standing: Standing::New,
            own: random.chance(30).then(|| vec![Value::Null]),
            seen: 0,
            told: VecDeque::new(),
            said: VecDeque::new(),
            at_server: BTreeMap::new(),
            answers: BTreeMap::new(),
            open: BTreeSet::new(),
        }
    }

    /// The client asked.
    pub(super) fn asked(&mut self, asked: ClientRequest, name: &str, data: Value) {
        assert!(self.open.insert(asked), "two requests of one name");
        if name.is_empty() {
            self.answers.insert(asked, Ok(data.clone()));
        }
        self.said.push_back((asked, name.to_owned(), data));
    }

    /// The server saw a request.
    pub(super) fn server_got(&mut self, request: RequestId, name: &str, data: &Value) {
        let asked = loop {
            let (asked, said, with) = self.said.pop_front().expect("a request that was sent");
            // those without a name are answered before it
            if !said.is_empty() {
                assert_eq!((name, data), (said.as_str(), &with), "not what the client asked next");
                break asked;
            }
        };
        self.at_server.insert(request, asked);
    }

    pub(super) fn has_asked(&self, request: RequestId) -> bool {
        self.at_server.contains_key(&request)
    }

    pub(super) fn waiting_at_server(&self) -> usize {
        self.at_server.len()
    }

    /// The server answered.
    pub(super) fn answered(&mut self, request: RequestId, result: Result<Value, Value>) {
        let asked = self.at_server.remove(&request).expect("it waits");
        self.answers.insert(asked, result);
    }

    /// The client got an answer.
    pub(super) fn is_answered(&mut self, asked: ClientRequest, result: &Result<Value, Value>) {
        assert!(self.open.remove(&asked), "an answer that nobody waits for");
        let expected = self.answers.remove(&asked);
        assert_eq!(Some(result), expected.as_ref(), "not what the server answered");
    }

    /// The server notified.
    pub(super) fn notified(&mut self, name: &str, data: Value) {
        self.told.push_back((name.to_owned(), data));
    }

    /// The client got a notification.
    pub(super) fn is_notified(&mut self, name: &str, data: &Value) {
        let expected = self.told.pop_front();
        let got = Some((name.to_owned(), data.clone()));
        assert_eq!(got, expected, "not what the server said next");
    }

    /// The client's state is another: one that the server had, after the one before.
    pub(super) fn sees(&mut self, state: &Value, shared: &[Value]) {
        let history = self.own.as_deref().unwrap_or(shared);
        let number = plant::number(state);
        assert!(number > self.seen, "state {number} behind state {}", self.seen);
        assert_eq!(history.get(number), Some(state), "a state that the server never had");
        self.seen = number;
    }

    /// Behind an orderly end nothing is missing.
    pub(super) fn check_all_told(&self) {
        assert!(self.told.is_empty(), "the server closed, and {:?} never came", self.told);
    }

    /// Whether nothing is on its way: what was said has come.
    pub(super) fn check_settled(&self, shared: &[Value]) {
        self.check_all_told();
        let history = self.own.as_deref().unwrap_or(shared);
        assert_eq!(self.seen, history.len() - 1, "the client does not have the last state");
        assert!(
            self.said.iter().all(|(_, name, _)| name.is_empty()),
            "never came: {:?}",
            self.said
        );
        assert!(self.open.is_empty(), "requests without an answer: {:?}", self.open);
        assert!(self.at_server.is_empty(), "not answered: {:?}", self.at_server);
    }
}
