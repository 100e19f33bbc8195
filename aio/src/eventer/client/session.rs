//! The session of a client: where what its machine gives is kept, and who waits for it.

use std::task::Waker;

use crate::inbox::{Inbox, InboxLimits};
use crate::pending::{PendingRequests, Requests, WAITING};
use crate::shared::{Delivered, Session};
use hat_core::eventer::client::{AckId, Client as Machine, Incoming, RequestId};
use hat_core::eventer::{Event, QueryResult, Status};

pub(super) struct ClientSession {
    pub(super) machine: Machine,
    /// The server's status, once it took the client.
    pub(super) status: Option<Status>,
    pub(super) inbox: Inbox<Notice>,
    pub(super) answers: PendingRequests<RequestId, Answer>,
}

pub(super) enum Notice {
    Status(Status),
    Events(Vec<Event>, Option<AckId>),
}

/// What a request comes to.
pub(super) enum Answer {
    Registered(Option<Vec<Event>>),
    Queried(QueryResult),
}

impl ClientSession {
    pub(super) fn new(machine: Machine, inbox: InboxLimits) -> Self {
        Self { machine, status: None, inbox: Inbox::new(inbox), answers: PendingRequests::new() }
    }
}

impl Session for ClientSession {
    type Protocol = Machine;

    const NAME: &'static str = "eventer client";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        let times = if self.machine.open_requests() > 0 { WAITING } else { 1 };
        self.inbox.has_room_times(times)
    }

    fn rest(&mut self) {
        self.inbox.rest();
    }

    fn deliver(&mut self, incoming: Incoming, memory: usize) -> Delivered {
        match incoming {
            Incoming::Ready(status) => {
                self.status = Some(status);
                Delivered::Inbox
            }
            Incoming::Status(status) => {
                self.status = Some(status);
                self.inbox.push(Notice::Status(status), memory.max(size_of::<Notice>()));
                Delivered::Inbox
            }
            Incoming::Events { events, ack, size } => {
                let weight = size + events.len() * size_of::<Event>();
                self.inbox.push(Notice::Events(events, ack), weight.max(memory));
                Delivered::Inbox
            }
            Incoming::Registered { request, events } => {
                self.answers.answer(request, Answer::Registered(events))
            }
            Incoming::Queried { request, result } => {
                self.answers.answer(request, Answer::Queried(result))
            }
        }
    }

    fn ended(&mut self, wake: &mut Vec<Waker>) {
        self.answers.ended(wake);
    }
}

impl Requests for ClientSession {
    type Id = RequestId;
    type Answer = Answer;

    fn answers(&mut self) -> &mut PendingRequests<RequestId, Answer> {
        &mut self.answers
    }

    fn forget(&mut self, id: RequestId) {
        self.machine.forget(id);
    }
}
