//! What the clients do.

use std::time::Duration;

use hat_core::juggler::SendFault;
use hat_core::juggler::client::{Client, Incoming};
use hat_core::ws;
use hat_tests::simulation::{Either, EndId};

use super::{Run, Timer, plant};

impl Run {
    pub(super) fn start_client(&mut self, end: EndId) {
        let now = self.net.time_of(end);
        let path = if self.line(end).is_welcome { "/ws" } else { "/other" };
        let random = &mut self.net.random;
        let (config, ws) = (plant::client(random, self.is_calm), plant::websocket(random));
        self.net.trace.note(self.net.now(), || format!("{end} is up: {config:?} {ws:?}"));
        let ws = ws::Connection::connect(ws, ws::Request::new("plant", path), now);
        let client = Client::new(ws.expect("a request that fits"), config);
        self.net.start(end, Either::Client(client));
    }

    pub(super) fn client_got(&mut self, end: EndId, incoming: Incoming) {
        match incoming {
            Incoming::Open(_) => {
                self.count("open");
                self.live(end);
            }
            Incoming::State => {
                let state = self.net.machine(end).client().state().clone();
                let line = self.lines.get_mut(&end).expect("every connection has a line");
                line.sees(&state, &self.history);
                let is_own = line.own.is_some();
                self.count(if is_own { "own states" } else { "states" });
            }
            Incoming::Response { request, result, .. } => {
                self.count("answers");
                self.line(end).is_answered(request, &result);
            }
            Incoming::Notify { name, data, .. } => {
                self.count("notifications");
                self.line(end).is_notified(&name, &data);
            }
        }
    }

    /// Plans what happens to a client that was taken.
    fn live(&mut self, end: EndId) {
        let random = &mut self.net.random;
        let life = Duration::from_secs(60);
        let (first, leave, stays) =
            (random.duration(life / 60), random.duration(life * 2), random.chance(40));
        let fault = (!self.is_calm && random.chance(50)).then(|| random.duration(life));
        let (of_server, by_server) = (random.chance(40), random.chance(30));
        self.net.timer(first, Timer::Act(end));
        let server = self.net.peer(end);
        if let Some(at) = fault {
            self.net.timer(at, Timer::Fault(if of_server { server } else { end }));
        }
        if !stays {
            self.net.timer(leave, Timer::Close(if by_server { server } else { end }));
        }
    }

    /// A client asks something, and plans when it does again.
    pub(super) fn act(&mut self, end: EndId) {
        if !self.net.is_open(end) {
            return;
        }
        let random = &mut self.net.random;
        let goes_on = random.chance(90);
        let pause =
            random.pick(&[Duration::ZERO, Duration::from_millis(50), Duration::from_secs(20)]);
        let pause = random.duration(pause);
        let (name, data, forgets) = (plant::name(random), plant::value(random), random.chance(10));
        if goes_on {
            self.net.timer(pause, Timer::Act(end));
        }
        if forgets {
            if let Some(asked) = self.line(end).open.pop_first() {
                self.count("forgotten");
                self.net.call(end, |machine| machine.client().forget(asked));
            }
            return;
        }
        match self.net.call(end, |machine| machine.client().request(name, &data)) {
            Ok(asked) => {
                self.net.trace.note(self.net.now(), || format!("{end} asks {name:?} {data}"));
                self.count(if name.is_empty() { "echoes" } else { "requests" });
                self.line(end).asked(asked, name, data);
            }
            Err(SendFault::TooManyRequests { limit }) => {
                assert_eq!(self.net.machine(end).client().open_requests(), limit);
                self.count("too many requests");
            }
            Err(fault) if fault.is_queue_full() => self.count("full queues"),
            // the server has closed already
            Err(fault) => assert!(fault.is_closed(), "{fault:?}"),
        }
        let open = self.net.machine(end).client().open_requests();
        assert_eq!(open, self.line(end).open.len());
    }
}
