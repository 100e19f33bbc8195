//! Where what a client's machine gives is put, and who waits for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::aio::eventer::Error;
use crate::aio::inbox::{Inbox, InboxLimits};
use crate::aio::link::{Delivered, Link, Session};
use crate::eventer::client::{AckId, Client as Machine, Incoming, RequestId};
use crate::eventer::{Event, QueryResult, Status};

/// While requests are open, the inbox may hold this many times its limits: their answers come behind the notifications,
/// and an application that waits for an answer takes none of those.
const WAITING: usize = 16;

pub(super) struct ClientSession {
    pub(super) machine: Machine,
    /// The server's status, once it took the client.
    pub(super) status: Option<Status>,
    pub(super) inbox: Inbox<Told>,
    requests: BTreeMap<RequestId, Request>,
}

pub(super) enum Told {
    Status(Status),
    Events(Vec<Event>, Option<AckId>),
}

/// A request whose future is alive.
enum Request {
    Waiting(Option<Waker>),
    Answered(Answer),
}

pub(super) enum Answer {
    Registered(Option<Vec<Event>>),
    Queried(QueryResult),
}

impl ClientSession {
    pub(super) fn new(machine: Machine, inbox: InboxLimits) -> Self {
        Self { machine, status: None, inbox: Inbox::new(inbox), requests: BTreeMap::new() }
    }

    fn answer(&mut self, request: RequestId, answer: Answer) -> Delivered {
        match self.requests.get_mut(&request) {
            Some(slot) => match std::mem::replace(slot, Request::Answered(answer)) {
                Request::Waiting(Some(waker)) => Delivered::To(waker),
                _ => Delivered::Nothing,
            },
            None => Delivered::Nothing,
        }
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
                self.answer(request, Answer::Registered(events))
            }
            Incoming::Queried { request, result } => self.answer(request, Answer::Queried(result)),
        }
    }

    fn ended(&mut self, wake: &mut Vec<Waker>) {
        for request in self.requests.values_mut() {
            if let Request::Waiting(waker) = request {
                wake.extend(waker.take());
            }
        }
    }
}

/// A request on its way. Dropping it forgets the request.
pub(super) struct Asked<'a> {
    link: &'a Link<ClientSession>,
    request: RequestId,
}

impl<'a> Asked<'a> {
    /// From now on the answer to `request` is kept for its future.
    pub(super) fn expect(session: &mut ClientSession, request: RequestId) {
        session.requests.insert(request, Request::Waiting(None));
    }

    /// The future of a request that is [expected](Self::expect).
    pub(super) fn new(link: &'a Link<ClientSession>, request: RequestId) -> Self {
        Self { link, request }
    }
}

impl Future for Asked<'_> {
    type Output = Result<Answer, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.link.shared().lock();
        let ended = state.ended.clone();
        match state.session.requests.get_mut(&self.request) {
            Some(Request::Waiting(waker)) => match ended {
                Some(error) => Poll::Ready(Err(error)),
                None => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            },
            Some(Request::Answered(_)) => match state.session.requests.remove(&self.request) {
                Some(Request::Answered(answer)) => Poll::Ready(Ok(answer)),
                _ => Poll::Pending,
            },
            // polled again after it was ready
            None => Poll::Pending,
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.link.look(|session| {
            session.requests.remove(&self.request);
            session.machine.forget(self.request);
        });
    }
}
