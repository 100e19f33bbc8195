//! What the clients do.

use std::time::Duration;

use hat_core::eventer::SendFault;
use hat_core::eventer::client::{AckId, Client, Incoming};
use hat_tests::simulation::{Either, EndId};

use super::line::Said;
use super::{Run, Timer, client_config, plant};

impl Run {
    pub(super) fn start_client(&mut self, end: EndId) {
        let now = self.net.time_of(end);
        let config = client_config(self.net.random.pick(&[1, 3, 100]));
        let mut init = self.line(end).init.clone();
        if self.net.random.chance(3) {
            init.client_token = Some(plant::BAD_TOKEN.into());
            self.line(end).init = init.clone();
        }
        let client = Client::new(config, &init, now).expect("it fits");
        self.net.trace.note(now, || format!("{end} is up: {init:?}"));
        self.net.start(end, Either::Client(client));
    }

    pub(super) fn client_got(&mut self, end: EndId, incoming: Incoming) {
        self.count(match incoming {
            Incoming::Ready(_) => "ready",
            Incoming::Status(_) => "statuses",
            Incoming::Events { .. } => "events",
            Incoming::Registered { .. } => "registered",
            Incoming::Queried { .. } => "queried",
        });
        let second = Duration::from_secs(1);
        if let Incoming::Ready(_) = incoming {
            self.live(end);
        }
        if let Some(ack) = self.line(end).client_got(incoming) {
            // some are at once, some never come
            match self.net.random.below(20) {
                0 => {}
                1..=6 => self.net.timer(Duration::ZERO, Timer::Ack(end, ack)),
                _ => {
                    let after = self.net.random.duration(second * 3);
                    self.net.timer(after, Timer::Ack(end, ack));
                }
            }
        }
    }

    /// Plans what happens to a client that was taken.
    fn live(&mut self, end: EndId) {
        let random = &mut self.net.random;
        let life = Duration::from_secs(60);
        let (first, leave, stays) =
            (random.duration(life / 60), random.duration(life * 2), random.chance(30));
        let fault = random.chance(30).then(|| random.duration(life));
        let (of_server, by_server) = (random.chance(20), random.chance(20));
        self.net.timer(first, Timer::Act(end));
        let server = self.net.peer(end);
        if let Some(at) = fault {
            self.net.timer(at, Timer::Fault(if of_server { server } else { end }));
        }
        if !stays {
            self.net.timer(leave, Timer::Close(if by_server { server } else { end }));
        }
    }

    /// A client says something, and plans when it does again.
    pub(super) fn act(&mut self, end: EndId) {
        if !self.net.is_open(end) {
            return;
        }
        let random = &mut self.net.random;
        let goes_on = random.chance(85);
        let pause =
            random.pick(&[Duration::ZERO, Duration::from_millis(50), Duration::from_secs(20)]);
        let pause = random.duration(pause);
        let (events, params, kind) =
            (plant::events(random), plant::query(random), random.below(10));
        if goes_on {
            self.net.timer(pause, Timer::Act(end));
        }
        if kind == 0 {
            return self.forget(end);
        }
        let said = self.net.call(end, |machine| {
            let client = machine.client();
            match kind {
                1..=3 => client
                    .register(&events)
                    .map(|()| Said::Register { events: events.clone(), asked: None }),
                4..=6 => client
                    .register_with_response(&events)
                    .map(|asked| Said::Register { events: events.clone(), asked: Some(asked) }),
                _ => {
                    client.query(&params).map(|asked| Said::Query { params: params.clone(), asked })
                }
            }
        });
        match said {
            Ok(said) => {
                self.net.trace.note(self.net.now(), || format!("{end} says {said:?}"));
                self.line(end).said(said);
            }
            Err(SendFault::TooManyRequests { limit }) => {
                assert_eq!(self.net.machine(end).client().open_requests(), limit);
                self.count("too many requests");
            }
            Err(fault) => assert!(fault.is_queue_full(), "{fault:?}"),
        }
        let open = self.net.machine(end).client().open_requests();
        assert_eq!(open, self.line(end).open.len());
    }

    fn forget(&mut self, end: EndId) {
        if let Some(asked) = self.line(end).open.pop_first() {
            self.count("forgotten");
            self.net.call(end, |machine| machine.client().forget(asked));
        }
    }

    pub(super) fn ack(&mut self, end: EndId, ack: AckId) {
        if self.net.is_open(end) {
            self.net.call(end, |machine| machine.client().ack(ack)).expect("it is waited for");
            self.line(end).acked(ack);
            let again = self.net.call(end, |machine| machine.client().ack(ack));
            assert!(again.is_err(), "an ack goes out once");
        }
    }
}
