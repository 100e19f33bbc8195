//! What the server does.

use std::time::Duration;

use hat_core::json::Value;
use hat_core::juggler::server::{Connection, Incoming, RequestId};
use hat_core::juggler::{Flush, Notification};
use hat_core::ws;
use hat_tests::simulation::{Either, EndId};

use super::line::Standing;
use super::{COMING, Run, Timer, plant};

impl Run {
    pub(super) fn start_server(&mut self, end: EndId) {
        let now = self.net.time_of(end);
        let random = &mut self.net.random;
        let (config, ws) = (plant::server(random, self.is_calm), plant::websocket(random));
        let (follows_at_once, changes) = (random.chance(30), random.below(20));
        self.net.trace.note(self.net.now(), || format!("{end} is up: {config:?} {ws:?}"));
        let server = Connection::new(ws::Connection::accept(ws, now), config);
        self.net.start(end, Either::Server(server));
        if self.line(end).own.is_some() {
            for _ in 0..changes {
                let at = self.net.random.duration(COMING);
                self.net.timer(at, Timer::ChangeOwn(end));
            }
        } else if follows_at_once {
            // it is told once it is open
            self.follow(end, None);
        }
    }

    pub(super) fn server_got(&mut self, end: EndId, incoming: Incoming) {
        match incoming {
            Incoming::Upgrade(request) => {
                let line = self.line(end);
                assert_eq!(request.path == "/ws", line.is_welcome);
                let late = self.net.random.pick(&[0, 50, 50, 50, 3_000]);
                let after = self.net.random.duration(Duration::from_millis(late));
                self.net.timer(after, Timer::Decide(end));
            }
            Incoming::Request { request, name, data, .. } => {
                self.line(end).server_got(request, &name, &data);
                let late = self.net.random.pick(&[0, 0, 20, 2000]);
                let after = self.net.random.duration(Duration::from_millis(late));
                let fails = self.net.random.chance(20);
                let result = plant::value(&mut self.net.random);
                let result = if fails { Err(result) } else { Ok(result) };
                self.net.timer(after, Timer::Answer(end, request, result));
            }
        }
    }

    pub(super) fn decide(&mut self, end: EndId) {
        if !self.net.is_open(end) {
            return;
        }
        if !self.line(end).is_welcome {
            self.line(end).standing = Standing::Rejected;
            let refused = self.net.call(end, |it| it.server().refuse(403, &[], "not here"));
            return refused.expect("it waits");
        }
        let response = ws::Response::default();
        self.net.call(end, |it| it.server().confirm(&response)).expect("it waits");
        self.line(end).standing = Standing::Taken;
        if self.line(end).own.is_none() {
            let flushed = self.shared.flush();
            self.tell(flushed.as_ref());
            self.follow(end, None);
        }
    }

    pub(super) fn answer(&mut self, end: EndId, request: RequestId, result: Result<Value, Value>) {
        if !self.net.is_open(end) || !self.line(end).has_asked(request) {
            return;
        }
        match self.net.call(end, |it| it.server().respond(request, result.as_ref())) {
            Ok(()) => {
                self.net.trace.note(self.net.now(), || format!("{end} answers {result:?}"));
                self.line(end).answered(request, result);
            }
            // the request is still open: again, when the client has read something
            Err(fault) if fault.is_queue_full() => {
                self.net.timer(Duration::from_secs(1), Timer::Answer(end, request, result));
            }
            Err(fault) => return assert!(fault.is_closed(), "{fault:?}"),
        }
        let open = self.net.machine(end).server().open_requests();
        assert_eq!(open, self.line(end).waiting_at_server(), "requests that wait for the server");
    }

    /// The shared state changes, and is flushed a while later.
    pub(super) fn change(&mut self) {
        let number = self.history.len();
        plant::change(&mut self.shared, number, &mut self.net.random);
        self.history.push(self.shared.value().clone());
        let late = self.net.random.pick(&[0, 200, 3000]);
        let after = self.net.random.duration(Duration::from_millis(late));
        self.net.timer(after, Timer::Flush);
    }

    pub(super) fn flush(&mut self) {
        if let Some(flushed) = self.shared.flush() {
            self.tell(Some(&flushed));
        }
    }

    /// All that follow the shared state are told what a flush gave.
    fn tell(&mut self, flushed: Option<&Flush>) {
        let servers: Vec<_> = self.lines.keys().map(|&client| self.net.peer(client)).collect();
        for end in servers {
            let line = self.line(end);
            let follows = line.own.is_none() && line.standing == Standing::Taken;
            if flushed.is_some() && follows && self.net.is_open(end) {
                self.follow(end, flushed);
            }
        }
    }

    fn follow(&mut self, end: EndId, flushed: Option<&Flush>) {
        let shared = &mut self.shared;
        let followed = self.net.call(end, |it| it.server().follow(shared, flushed));
        // the client may have closed already
        assert!(followed.is_ok_and(|()| true) || !self.net.machine(end).server().is_open());
        if self.net.machine(end).server().is_behind() {
            self.count("fell behind");
        }
    }

    /// The state of one connection changes.
    pub(super) fn change_own(&mut self, end: EndId) {
        if !self.net.is_open(end) {
            return;
        }
        let client = self.net.peer(end);
        let line = self.lines.get_mut(&client).expect("every connection has a line");
        let own = line.own.as_mut().expect("it has a state of its own");
        let random = &mut self.net.random;
        let number = own.len();
        let late = random.pick(&[0, 200, 3000]);
        let after = random.duration(Duration::from_millis(late));
        let mut draws = random.clone();
        random.any();
        let value = self.net.call(end, |it| {
            it.server().change(|state| {
                plant::change(state, number, &mut draws);
                state.value().clone()
            })
        });
        own.push(value);
        self.net.timer(after, Timer::FlushOwn(end));
    }

    pub(super) fn flush_own(&mut self, end: EndId) {
        if self.net.is_open(end) {
            // what is refused is told later
            let _ = self.net.call(end, |it| it.server().flush());
        }
    }

    /// Notifies every client. One that cannot be told is closed.
    pub(super) fn notify(&mut self) {
        let data = plant::value(&mut self.net.random);
        let notification = Notification::new("news", &data);
        let servers: Vec<_> = self.lines.keys().map(|&client| self.net.peer(client)).collect();
        for end in servers {
            if self.line(end).standing != Standing::Taken || !self.net.is_open(end) {
                continue;
            }
            match self.net.call(end, |it| it.server().notify(&notification)) {
                Ok(()) => self.line(end).notified("news", data.clone()),
                Err(fault) if fault.is_queue_full() => {
                    self.count("too slow");
                    self.close(end);
                }
                Err(fault) => assert!(fault.is_closed(), "{fault:?}"),
            }
        }
    }
}
