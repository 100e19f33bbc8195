//! Random calls of both ends of Eventer against a model of what must come of them.

use std::collections::{BTreeSet, VecDeque};

use arbitrary::{Result, Unstructured};
use hat_core::eventer::client::{AckId, Incoming as ToClient, RequestId as ClientRequest};
use hat_core::eventer::server::{Incoming as ToServer, NotifyId, NotifyOutcome, RequestId};
use hat_core::eventer::{Event, LatestParams, QueryResult, Status, server};
use hat_core::protocol::Protocol;

use crate::eventer::{
    Pair, client_config, encoded, event, init, nothing_is_open, ready_of, server_config,
    to_register,
};

/// Requests that the server has open before it reads no more: few, so that inputs reach it.
const MAX_REQUESTS: usize = 8;

/// Calls of two ends, as a model knows them.
pub(super) fn calls(input: &[u8]) {
    // the input ends where it ends
    let _ = run(&mut Unstructured::new(input));
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut model = Model::new(input.int_in_range(1..=60)?);
    while !input.is_empty() && !model.closed {
        let Ok(step) = Step::of(input) else { break };
        model.take(step);
    }
    model.finish();
    Ok(())
}

/// A call of an application, or time for the wire. Numbers say which of what is there.
#[derive(Clone, Debug)]
enum Step {
    Register { with_response: bool },
    Query,
    Forget(usize),
    Ack(usize),
    Answer(usize),
    Notify { wanted: Vec<bool>, with_ack: bool },
    SetStatus(Status),
    Drive,
    CloseClient,
    CloseServer,
}

impl Step {
    fn of(input: &mut Unstructured<'_>) -> Result<Self> {
        let status = [Status::Standby, Status::Starting, Status::Operational, Status::Stopping];
        Ok(match input.int_in_range(0..=84)? {
            0..10 => Self::Register { with_response: input.arbitrary()? },
            10..20 => Self::Query,
            20..23 => Self::Forget(input.arbitrary::<u8>()?.into()),
            23..33 => Self::Ack(input.arbitrary::<u8>()?.into()),
            33..48 => Self::Answer(input.arbitrary::<u8>()?.into()),
            48..58 => {
                let wanted: [bool; 3] = input.arbitrary()?;
                let count = input.int_in_range(0..=3)?;
                Self::Notify { wanted: wanted[..count].to_vec(), with_ack: input.arbitrary()? }
            }
            58..63 => Self::SetStatus(*input.choose(&status)?),
            63..83 => Self::Drive,
            83 => Self::CloseClient,
            _ => Self::CloseServer,
        })
    }
}

/// What the client must still get that comes without its asking, oldest first.
#[derive(Debug, PartialEq)]
enum Notice {
    Status(Status),
    Events { events: Vec<Event>, with_ack: bool },
}

/// What is known of a connection from outside.
struct Model {
    pair: Pair,
    status: Status,
    told: VecDeque<Notice>,
    /// Requests of the client without an answer, forgotten ones included, in the order of asking:
    /// the server sees them so.
    unseen: VecDeque<ClientRequest>,
    /// Requests that the server has, with the client's name of each.
    at_server: Vec<(RequestId, bool, ClientRequest)>,
    /// Those whose answer must reach the client: the instance of the event in it.
    answered: Vec<(ClientRequest, i64)>,
    forgotten: BTreeSet<ClientRequest>,
    /// Registrations without an answer that the server has not seen.
    silent: usize,
    unacked: Vec<AckId>,
    notified: VecDeque<NotifyId>,
    acks: VecDeque<NotifyId>,
    names: Vec<(AckId, NotifyId)>,
    instance: i64,
    closed: bool,
}

impl Model {
    fn new(grain: usize) -> Self {
        let server = server::Config { max_requests: MAX_REQUESTS, ..server_config() };
        let mut client = client_config();
        // acks that a server does not read would stop the client, too
        client.chatter.max_unsent_replies = usize::MAX;
        let pair = ready_of(client, server, &init(&["wanted"]), grain);
        Self {
            pair,
            status: Status::Operational,
            told: VecDeque::new(),
            unseen: VecDeque::new(),
            at_server: Vec::new(),
            answered: Vec::new(),
            forgotten: BTreeSet::new(),
            silent: 0,
            unacked: Vec::new(),
            notified: VecDeque::new(),
            acks: VecDeque::new(),
            names: Vec::new(),
            instance: 0,
            closed: false,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Register { with_response: false } => {
                self.pair.a.machine.register(&[to_register("a")]).expect("open");
                self.silent += 1;
            }
            Step::Register { with_response: true } => {
                let register = [to_register("a")];
                let asked = self.pair.a.machine.register_with_response(&register).expect("open");
                self.unseen.push_back(asked);
            }
            Step::Query => {
                let query = LatestParams::default().into();
                self.unseen.push_back(self.pair.a.machine.query(&query).expect("open"));
            }
            Step::Forget(index) => {
                let open: Vec<ClientRequest> = self.waiting().collect();
                if !open.is_empty() {
                    let asked = open[index % open.len()];
                    self.pair.a.machine.forget(asked);
                    self.forgotten.insert(asked);
                }
            }
            Step::Ack(index) => {
                if !self.unacked.is_empty() {
                    let ack = self.unacked.remove(index % self.unacked.len());
                    self.pair.a.machine.ack(ack).expect("open");
                    let of = self.names.iter().find(|(name, _)| *name == ack);
                    self.acks.push_back(of.expect("every ack has a notification").1);
                }
            }
            Step::Answer(index) => self.answer(index),
            Step::Notify { wanted, with_ack } => self.notify(&wanted, with_ack),
            Step::SetStatus(status) => {
                self.pair.b.machine.set_status(status).expect("open");
                if status != self.status {
                    self.status = status;
                    self.told.push_back(Notice::Status(status));
                }
            }
            Step::Drive => self.drive(),
            Step::CloseClient => self.close_client(),
            Step::CloseServer => {
                self.drive();
                self.pair.b.machine.close();
                self.closed = true;
            }
        }
    }

    /// Requests that the client waits for.
    fn waiting(&self) -> impl Iterator<Item = ClientRequest> {
        let at_server = self.at_server.iter().map(|&(.., asked)| asked);
        let answered = self.answered.iter().map(|&(asked, _)| asked);
        let all = self.unseen.iter().copied().chain(at_server).chain(answered);
        all.filter(|asked| !self.forgotten.contains(asked))
    }

    fn answer(&mut self, index: usize) {
        if self.at_server.is_empty() {
            return;
        }
        let at = index % self.at_server.len();
        let (request, is_query, asked) = self.at_server.remove(at);
        self.instance += 1;
        let events = vec![event(1, self.instance, "a")];
        let server = &mut self.pair.b.machine;
        let sent = if is_query {
            server.query_response(request, &QueryResult { events, more_follows: false })
        } else {
            server.register_response(request, Some(&events))
        };
        sent.expect("the request is open");
        self.answered.push((asked, self.instance));
    }

    fn notify(&mut self, wanted: &[bool], with_ack: bool) {
        let name = |wanted| if wanted { "wanted" } else { "other" };
        let start = self.instance + 1;
        self.instance += wanted.len() as i64;
        let all: Vec<Event> = (start..)
            .zip(wanted)
            .map(|(instance, &wanted)| event(1, instance, name(wanted)))
            .collect();
        let notified = self.pair.b.machine.notify(&encoded(&all), false, with_ack).expect("open");
        let events: Vec<Event> =
            all.into_iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|it| it.0).collect();
        match notified {
            NotifyOutcome::Nothing => return assert!(events.is_empty()),
            NotifyOutcome::Sent => assert!(!with_ack),
            NotifyOutcome::AwaitsAck(id) => {
                assert!(with_ack);
                self.notified.push_back(id);
            }
        }
        assert!(!events.is_empty());
        self.told.push_back(Notice::Events { events, with_ack });
    }

    /// Everything arrives, and is what the model says.
    fn drive(&mut self) {
        self.pair.drive();
        while let Some(incoming) = self.pair.a.incoming.pop_front() {
            match incoming {
                ToClient::Ready(_) => panic!("twice ready"),
                ToClient::Status(status) => {
                    assert_eq!(self.told.pop_front(), Some(Notice::Status(status)));
                }
                ToClient::Events { events, ack, .. } => {
                    let with_ack = ack.is_some();
                    assert_eq!(self.told.pop_front(), Some(Notice::Events { events, with_ack }));
                    if let Some(ack) = ack {
                        let id = self.notified.pop_front().expect("a notification waits");
                        self.names.push((ack, id));
                        self.unacked.push(ack);
                    }
                }
                ToClient::Registered { request, events } => {
                    self.got(request, &events.expect("registered"));
                }
                ToClient::Queried { request, result } => self.got(request, &result.events),
            }
        }
        while let Some(incoming) = self.pair.b.incoming.pop_front() {
            match incoming {
                ToServer::Init(_) => panic!("twice initialized"),
                ToServer::Register { request: None, .. } => self.silent -= 1,
                ToServer::Register { request: Some(request), .. } => self.seen(request, false),
                ToServer::Query { request, .. } => self.seen(request, true),
                ToServer::Acked(id) => assert_eq!(self.acks.pop_front(), Some(id)),
            }
        }
        // nothing is on its way any more, but what a server does not read that has enough to do
        assert!(self.told.is_empty());
        assert!(self.answered.iter().all(|(asked, _)| self.forgotten.contains(asked)));
        self.answered.clear();
        assert!(self.is_held_up() || self.unseen.is_empty() && self.acks.is_empty());
        assert!(self.is_held_up() || self.silent == 0);
        assert!(self.at_server.len() <= MAX_REQUESTS);
        // and nobody keeps more than what is open
        let (client, server) = (&self.pair.a.machine, &self.pair.b.machine);
        assert_eq!(client.open_requests(), self.waiting().count());
        assert_eq!(server.open_requests(), self.at_server.len());
        let open = self.at_server.len() + self.unacked.len();
        assert_eq!(client.open_conversations(), open + self.unseen.len());
        assert_eq!(server.open_conversations(), open + self.acks.len());
    }

    fn close_client(&mut self) {
        self.drive();
        // a server that is held up does not see the end before it has answered
        while self.is_held_up() {
            self.answer(0);
            self.drive();
        }
        self.pair.a.machine.close();
        self.closed = true;
    }

    fn is_held_up(&self) -> bool {
        self.at_server.len() >= MAX_REQUESTS
    }

    /// The client got an answer.
    fn got(&mut self, request: ClientRequest, events: &[Event]) {
        assert!(!self.forgotten.contains(&request));
        let at = self.answered.iter().position(|(asked, _)| *asked == request);
        let (_, instance) = self.answered.remove(at.expect("answered, and once only"));
        assert_eq!(events, [event(1, instance, "a")]);
    }

    /// The server got a request.
    fn seen(&mut self, request: RequestId, is_query: bool) {
        let asked = self.unseen.pop_front().expect("asked, and in this order");
        self.at_server.push((request, is_query, asked));
    }

    /// One side closed: both come to an end, and nothing is left.
    fn finish(mut self) {
        if !self.closed {
            self.close_client();
        }
        self.pair.drive();
        (self.pair.a.rx.eof, self.pair.b.rx.eof) = (true, true);
        self.pair.drive();
        assert!(self.pair.a.error.as_ref().is_some_and(hat_core::eventer::Error::is_closed));
        assert!(self.pair.b.error.as_ref().is_some_and(hat_core::eventer::Error::is_closed));
        nothing_is_open(&self.pair);
    }
}
