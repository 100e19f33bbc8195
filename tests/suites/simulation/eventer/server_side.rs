//! What the server does.

use std::time::Duration;

use hat_core::eventer::server::{Config, Connection, Incoming, NotifyOutcome, RequestId};
use hat_core::eventer::{EncodedEvents, Event, RegisterEvent, SendFault, Status};
use hat_tests::simulation::{Either, EndId};

use super::line::{Answer, Notice, Standing};
use super::server::{Notification, PendingAnswer};
use super::{MANY_REQUESTS, MAX_QUEUED, Run, Timer, chatter_config, plant};

impl Run {
    pub(super) fn start_server(&mut self, end: EndId) {
        let now = self.net.time_of(end);
        let max_requests = self.line(end).max_requests;
        let random = &mut self.net.random;
        let config = Config {
            chatter: chatter_config(random.pick(&[500, 4_000, MAX_QUEUED])),
            max_requests,
            ..Config::default()
        };
        self.net.start(end, Either::Server(Connection::new(config, now)));
    }

    pub(super) fn server_got(&mut self, end: EndId, incoming: Incoming) {
        match incoming {
            Incoming::Init(info) => {
                let line = self.line(end);
                assert_eq!(line.standing, Standing::New);
                let said = &line.init;
                assert_eq!(
                    (&info.client_name, &info.client_token, info.server_id, info.persisted),
                    (&said.client_name, &said.client_token, said.server_id, said.persisted)
                );
                let late = self.net.random.pick(&[
                    0, 0, 0, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 1000,
                    50_000,
                ]);
                let after = self.net.random.duration(Duration::from_millis(late));
                self.net.timer(after, Timer::Decide(end));
            }
            Incoming::Register { events, request, .. } => {
                self.line(end).server_got_events(&events, request);
                self.check_open(end);
                self.register(end, events, request);
            }
            Incoming::Query { params, request } => {
                self.line(end).server_got_query(&params, request);
                self.check_open(end);
                self.answer_later(end, request, PendingAnswer::Query(params));
            }
            Incoming::Acked(id) => {
                self.count("acks");
                self.line(end).server_got_ack(id);
                let complete = self.server.acked(end, id);
                self.complete(complete);
                if self.net.is_open(end) {
                    let (_, acks) = self.line(end).waiting_at_server();
                    assert_eq!(self.server.waits_for(end), acks, "acks that are waited for");
                }
            }
        }
    }

    /// No more requests wait for the server than it takes.
    fn check_open(&mut self, end: EndId) {
        let (open, limit) =
            (self.net.machine(end).server().open_requests(), self.line(end).max_requests);
        assert!(open <= limit, "{open} requests of {limit}");
        if open == limit {
            self.count("as many requests as allowed");
        }
    }

    pub(super) fn decide(&mut self, end: EndId) {
        if !self.net.is_open(end) {
            return;
        }
        let status = self.server.status;
        if self.line(end).init.client_token.as_deref() == Some(plant::BAD_TOKEN) {
            self.net.call(end, |machine| machine.server().reject("no")).expect("it waits");
            self.line(end).standing = Standing::Rejected;
        } else {
            self.net.call(end, |machine| machine.server().accept(status)).expect("it waits");
            let line = self.line(end);
            line.standing = Standing::Taken;
            line.told.push_back(Notice::Ready(status));
            self.server.registry.insert(end);
        }
    }

    fn register(&mut self, end: EndId, events: Vec<RegisterEvent>, request: Option<RequestId>) {
        let second = self.net.now().since_origin().as_secs() as i64;
        let registered = self.server.register(events, second);
        let random = &mut self.net.random;
        let (with_ack, fails) = (random.chance(50), random.chance(10));
        let persisted = random.duration(Duration::from_secs(2));
        let answer = PendingAnswer::Register((!fails).then(|| registered.clone()));
        self.net.timer(persisted, Timer::Persist(registered.clone()));
        match (with_ack, request) {
            (false, Some(request)) => self.answer_later(end, request, answer),
            (_, None) if !with_ack => {}
            (_, request) => {
                // a client with as many requests open as it may have is not read, its acks neither:
                // so no answer to it waits for any
                let waits = self.line(end).max_requests == MANY_REQUESTS;
                if let Some(request) = request.filter(|_| !waits) {
                    self.answer_later(end, request, answer.clone());
                }
                let then = request.filter(|_| waits).map(|request| (end, request, answer));
                return self.notify(
                    &registered,
                    false,
                    Some(Notification { then, ..Default::default() }),
                );
            }
        }
        self.notify(&registered, false, None);
    }

    /// Tells events to all who want them. With a notification, they are to be acknowledged.
    pub(super) fn notify(
        &mut self,
        events: &[Event],
        persisted: bool,
        notification: Option<Notification>,
    ) {
        let encoded = EncodedEvents::new(events);
        let with_ack = notification.is_some();
        let mut notification = notification.unwrap_or_default();
        for end in self.server.registry.clone() {
            let notified = self
                .net
                .call(end, |machine| machine.server().notify(&encoded, persisted, with_ack));
            let line = self.line(end);
            let is_wanted = |event: &&Event| {
                line.init.persisted == persisted && plant::wants(&line.init, event)
            };
            let wanted: Vec<_> = events.iter().filter(is_wanted).cloned().collect();
            match notified {
                Ok(NotifyOutcome::Nothing) => assert!(wanted.is_empty(), "not told: {wanted:?}"),
                Ok(NotifyOutcome::Sent) => {
                    assert!(!with_ack && !wanted.is_empty());
                    line.notified(wanted, None);
                }
                Ok(NotifyOutcome::AwaitsAck(id)) => {
                    assert!(with_ack && !wanted.is_empty());
                    line.notified(wanted, Some(id));
                    notification.waiting.insert((end, id));
                }
                Err(fault) => self.too_slow(end, fault),
            }
        }
        notification.waiting.retain(|(end, _)| self.server.registry.contains(end));
        if with_ack {
            self.server.notifications.push(notification);
            let complete = self.server.take_complete();
            self.complete(complete);
        }
    }

    /// A client that cannot be told something is closed: it must not go on as if there had been
    /// nothing to tell.
    fn too_slow(&mut self, end: EndId, fault: SendFault) {
        assert!(fault.is_queue_full(), "{fault:?}");
        self.count("too slow");
        self.close(end);
    }

    /// All have acknowledged what they were told, or are gone.
    pub(super) fn complete(&mut self, complete: Vec<Notification>) {
        for Notification { then, .. } in complete {
            self.count("complete");
            if let Some((end, request, answered)) = then {
                self.answer(end, request, answered);
            }
        }
    }

    fn answer_later(&mut self, end: EndId, request: RequestId, answered: PendingAnswer) {
        let late = self.net.random.pick(&[0, 0, 20, 2000]);
        let after = self.net.random.duration(Duration::from_millis(late));
        self.net.timer(after, Timer::Answer(end, request, answered));
    }

    pub(super) fn answer(&mut self, end: EndId, request: RequestId, answered: PendingAnswer) {
        if !self.net.is_open(end) || !self.line(end).has_asked(request) {
            return;
        }
        let (sent, answer) = match &answered {
            PendingAnswer::Register(events) => (
                self.net.call(end, |machine| {
                    machine.server().register_response(request, events.as_deref())
                }),
                Answer::Registered(events.clone()),
            ),
            PendingAnswer::Query(params) => {
                let result = self.server.query(params);
                (
                    self.net.call(end, |it| it.server().query_response(request, &result)),
                    Answer::Queried(result),
                )
            }
        };
        match sent {
            Ok(()) => {
                self.net.trace.note(self.net.now(), || format!("{end} answers {answer:?}"));
                self.line(end).answered(request, answer);
            }
            // the request is still open: again, when the client has read something
            Err(fault) => {
                assert!(fault.is_queue_full(), "{fault:?}");
                self.count("answered late");
                self.net.timer(Duration::from_secs(1), Timer::Answer(end, request, answered));
            }
        }
        let open = self.net.machine(end).server().open_requests();
        let (known, _) = self.line(end).waiting_at_server();
        assert_eq!(open, known, "requests that wait for the server");
    }

    pub(super) fn change_status(&mut self) {
        let all = [Status::Standby, Status::Starting, Status::Operational, Status::Stopping];
        let status = self.net.random.pick(&all);
        let is_other = status != self.server.status;
        self.server.status = status;
        for end in self.server.registry.clone() {
            match self.net.call(end, |machine| machine.server().set_status(status)) {
                Ok(()) if is_other => self.line(end).told.push_back(Notice::Status(status)),
                Ok(()) => {}
                Err(fault) => self.too_slow(end, fault),
            }
        }
    }
}
