//! Where what a client's machine gives is put, and who waits for it.

use std::task::Waker;

use crate::answers::{Answers, Asks, WAITING};
use crate::inbox::{Inbox, InboxLimits};
use crate::link::{Delivered, Session};
use hat_core::eventer::client::{AckId, Client as Machine, Incoming, RequestId};
use hat_core::eventer::{Event, QueryResult, Status};

pub(super) struct ClientSession {
    pub(super) machine: Machine,
    /// The server's status, once it took the client.
    pub(super) status: Option<Status>,
    pub(super) inbox: Inbox<Told>,
    pub(super) answers: Answers<RequestId, Answer>,
}

pub(super) enum Told {
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
        Self { machine, status: None, inbox: Inbox::new(inbox), answers: Answers::new() }
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

    fn deliver(&mut self, incoming: Incoming) -> Delivered {
        match incoming {
            Incoming::Ready(status) => {
                self.status = Some(status);
                Delivered::Inbox
            }
            Incoming::Status(status) => {
                self.status = Some(status);
                self.inbox.push(Told::Status(status), size_of::<Told>());
                Delivered::Inbox
            }
            Incoming::Events { events, ack, size } => {
                let weight = size + events.len() * size_of::<Event>();
                self.inbox.push(Told::Events(events, ack), weight);
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

impl Asks for ClientSession {
    type Id = RequestId;
    type Answer = Answer;

    fn answers(&mut self) -> &mut Answers<RequestId, Answer> {
        &mut self.answers
    }

    fn forget(&mut self, id: RequestId) {
        self.machine.forget(id);
    }
}
