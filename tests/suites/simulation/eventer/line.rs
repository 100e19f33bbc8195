//! What is known of one connection from outside: what was said on it, and what must come of that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hat_core::eventer::client::{AckId, Incoming, RequestId as ClientRequest};
use hat_core::eventer::message::InitReq;
use hat_core::eventer::server::{NotifyId, RequestId};
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent, Status};

/// What the client must see that comes without its asking, oldest first.
#[derive(Debug, PartialEq)]
pub(super) enum Notice {
    Ready(Status),
    Status(Status),
    Events { events: Vec<Event>, with_ack: bool },
}

/// What the server must see, oldest first.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Register { events: Vec<RegisterEvent>, asked: Option<ClientRequest> },
    Query { params: QueryParams, asked: ClientRequest },
}

/// An answer that is on its way.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Registered(Option<Vec<Event>>),
    Queried(QueryResult),
}

/// Where a client stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    New,
    Taken,
    Rejected,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) init: InitReq,
    /// Requests of the client that the server takes before it has answered one.
    pub(super) max_requests: usize,
    pub(super) standing: Standing,
    pub(super) told: VecDeque<Notice>,
    pub(super) said: VecDeque<Said>,
    /// Notifications with an ack that the client has not seen.
    notified: VecDeque<NotifyId>,
    /// Those that it has seen and not acknowledged.
    unacked: BTreeMap<AckId, NotifyId>,
    /// Acks that the server has not seen, in the order of their sending.
    acked: VecDeque<NotifyId>,
    /// Requests that wait at the server.
    at_server: BTreeMap<RequestId, ClientRequest>,
    answers: BTreeMap<ClientRequest, Answer>,
    /// Requests of the client without an answer, but for the forgotten ones.
    pub(super) open: BTreeSet<ClientRequest>,
    /// The client closed, and all it had said was written; the server did.
    pub(super) client_left: bool,
    pub(super) server_left: bool,
}

impl Line {
    pub(super) fn new(init: InitReq, max_requests: usize) -> Self {
        Self {
            init,
            max_requests,
            standing: Standing::New,
            told: VecDeque::new(),
            said: VecDeque::new(),
            notified: VecDeque::new(),
            unacked: BTreeMap::new(),
            acked: VecDeque::new(),
            at_server: BTreeMap::new(),
            answers: BTreeMap::new(),
            open: BTreeSet::new(),
            client_left: false,
            server_left: false,
        }
    }

    /// The client asked or told something.
    pub(super) fn said(&mut self, said: Said) {
        match said {
            Said::Register { asked: Some(asked), .. } | Said::Query { asked, .. } => {
                assert!(self.open.insert(asked), "two requests of one name");
            }
            Said::Register { asked: None, .. } => {}
        }
        self.said.push_back(said);
    }

    /// The server told the client events.
    pub(super) fn notified(&mut self, events: Vec<Event>, ack: Option<NotifyId>) {
        self.told.push_back(Notice::Events { events, with_ack: ack.is_some() });
        self.notified.extend(ack);
    }

    /// The client got something; gives what it is to acknowledge.
    pub(super) fn client_got(&mut self, incoming: Incoming) -> Option<AckId> {
        match incoming {
            Incoming::Ready(status) => self.is_told(&Notice::Ready(status)),
            Incoming::Status(status) => self.is_told(&Notice::Status(status)),
            Incoming::Events { events, ack, .. } => {
                self.is_told(&Notice::Events { events, with_ack: ack.is_some() });
                if let Some(ack) = ack {
                    let id = self.notified.pop_front().expect("a notification waits for it");
                    assert_eq!(self.unacked.insert(ack, id), None, "two acks of one name");
                }
                return ack;
            }
            Incoming::Registered { request, events } => {
                self.is_answered(request, &Answer::Registered(events));
            }
            Incoming::Queried { request, result } => {
                self.is_answered(request, &Answer::Queried(result));
            }
        }
        None
    }

    fn is_told(&mut self, told: &Notice) {
        let expected = self.told.pop_front();
        assert_eq!(Some(told), expected.as_ref(), "not what the server said next");
    }

    fn is_answered(&mut self, asked: ClientRequest, answer: &Answer) {
        assert!(self.open.remove(&asked), "an answer that nobody waits for");
        let expected = self.answers.remove(&asked);
        assert_eq!(Some(answer), expected.as_ref(), "not what the server answered");
    }

    /// The client acknowledged.
    pub(super) fn acked(&mut self, ack: AckId) {
        let id = self.unacked.remove(&ack).expect("it waits");
        self.acked.push_back(id);
    }

    /// The server saw an ack.
    pub(super) fn server_got_ack(&mut self, id: NotifyId) {
        assert_eq!(self.acked.pop_front(), Some(id), "not what the client acknowledged next");
    }

    /// The server saw events to register.
    pub(super) fn server_got_events(&mut self, got: &[RegisterEvent], request: Option<RequestId>) {
        let Some(Said::Register { events, asked }) = self.said.pop_front() else {
            panic!("events that the client did not send")
        };
        assert_eq!(got, events, "not the events that the client sent");
        assert_eq!(request.is_some(), asked.is_some(), "an answer is wanted, or is not");
        self.at_server.extend(request.zip(asked));
    }

    /// The server saw a query.
    pub(super) fn server_got_query(&mut self, got: &QueryParams, request: RequestId) {
        let Some(Said::Query { params, asked }) = self.said.pop_front() else {
            panic!("a query that the client did not send")
        };
        assert_eq!(*got, params, "not what the client asked");
        self.at_server.insert(request, asked);
    }

    /// The server answered.
    pub(super) fn answered(&mut self, request: RequestId, answer: Answer) {
        let asked = self.at_server.remove(&request).expect("it waits");
        self.answers.insert(asked, answer);
    }

    pub(super) fn has_asked(&self, request: RequestId) -> bool {
        self.at_server.contains_key(&request)
    }

    /// The server's requests that wait, and its acks that it must still wait for.
    pub(super) fn waiting_at_server(&self) -> (usize, BTreeSet<NotifyId>) {
        let unacked = self.unacked.values().chain(&self.notified).chain(&self.acked);
        (self.at_server.len(), unacked.copied().collect())
    }

    /// Whether nothing is on its way: what was said has come.
    pub(super) fn check_settled(&self) {
        assert!(self.told.is_empty(), "the client was not told {:?}", self.told);
        assert!(self.said.is_empty(), "the server did not see {:?}", self.said);
        assert!(self.notified.is_empty() && self.acked.is_empty());
        let lost: Vec<_> = self.answers.keys().filter(|it| self.open.contains(it)).collect();
        assert!(lost.is_empty(), "answers that did not come: {lost:?}");
        let at_server: BTreeSet<_> = self.at_server.values().copied().collect();
        assert!(self.open.is_subset(&at_server), "requests without an answer: {:?}", self.open);
    }

    pub(super) fn unacked(&self) -> usize {
        self.unacked.len()
    }
}
