//! Ten events, encoded, and notified to a hundred clients with the same subscription; one event,
//! registered with an answer; and who of many wants an event.

use hat_core::eventer::message::InitReq;
use hat_core::eventer::{
    EncodedEvents, Event, EventType, RegisterEvent, Routes, Status, Subscription, client, server,
};

use super::sbs::events;
use super::{COUNT, NOW, Side};
use crate::meter::{counted, done};

/// Clients that are notified.
pub const CLIENTS: usize = 100;

/// Events of a notification.
const EVENTS: usize = 10;

/// The server's ends of clients that subscribed to all of `gateway`.
#[must_use]
pub fn servers() -> Vec<Side<server::Connection>> {
    (0..CLIENTS).map(|_| ready()).collect()
}

fn ready() -> Side<server::Connection> {
    let (_, mut server) = pair();
    server.written();
    server
}

/// Both ends of a connection whose server has accepted the client, which was not told yet.
#[must_use]
pub fn pair() -> (Side<client::Client>, Side<server::Connection>) {
    let subscription = EventType::from_segments(["gateway", "7", "*"]);
    let init = InitReq { subscriptions: vec![subscription], ..InitReq::default() };
    let client = client::Client::new(client::Config::default(), &init, NOW).expect("fits");
    let mut server = Side::new(server::Connection::new(server::Config::default(), NOW));
    let mut client = Side::new(client);
    client.carry(&mut server);
    assert!(matches!(server.poll(), Some(server::Incoming::Init(_))));
    server.machine.accept(Status::Operational).expect("it waits for it");
    (client, server)
}

/// What the clients are told.
#[must_use]
pub fn encoded() -> EncodedEvents {
    EncodedEvents::new(&events(EVENTS))
}

/// Tells all clients, and writes it out.
pub fn notify(servers: &mut [Side<server::Connection>], events: &EncodedEvents) {
    for server in servers {
        let notified = server.machine.notify(events, false, false).expect("there is room");
        assert_eq!(notified, server::NotifyOutcome::Sent);
        server.written();
    }
}

/// Counts the cases.
pub fn run() {
    let events = events(EVENTS);
    drop(EncodedEvents::new(&events));
    let encoded = counted(|| EncodedEvents::new(&events));
    done("eventer/encode-10", 1);

    let mut servers = servers();
    notify(&mut servers, &encoded);
    counted(|| notify(&mut servers, &encoded));
    done("eventer/notify-10/a-client", CLIENTS);
    register();
    routes();
}

/// [`COUNT`] registrations of one event in flight, then all answers.
fn register() {
    let (mut client, mut server) = pair();
    server.carry(&mut client);
    assert!(matches!(client.poll(), Some(client::Incoming::Ready(_))));
    let registered = events(1);
    let Event { event_type, source_timestamp, payload, .. } = registered[0].clone();
    let event = [RegisterEvent { event_type, source_timestamp, payload }];
    let parts = ["register/send", "register/receive", "registered/send", "registered/receive"];
    let mut requests = Vec::with_capacity(COUNT);
    for round in ["warm up"; 10_000 / COUNT].into_iter().chain(parts) {
        let part = |part: &str, work: &mut dyn FnMut()| {
            if part == round { counted(work) } else { work() }
        };
        part("register/send", &mut || {
            for _ in 0..COUNT {
                client.machine.register_with_response(&event).expect("there is room");
            }
        });
        client.carry(&mut server);
        requests.clear();
        part("register/receive", &mut || {
            for _ in 0..COUNT {
                let Some(server::Incoming::Register { request: Some(request), .. }) = server.poll()
                else {
                    panic!("no registration")
                };
                requests.push(request);
            }
        });
        part("registered/send", &mut || {
            for &request in &requests {
                server.machine.register_response(request, Some(&registered)).expect("room");
            }
        });
        server.carry(&mut client);
        part("registered/receive", &mut || {
            for _ in 0..COUNT {
                assert!(matches!(client.poll(), Some(client::Incoming::Registered { .. })));
            }
        });
        if parts.contains(&round) {
            done(&format!("eventer/{round}"), COUNT);
        }
    }
}

/// Who of many, each with a subscription of its own, wants an event.
fn routes() {
    for clients in [10, 1_000] {
        let mut routes = Routes::default();
        let types: Vec<_> = (0..clients)
            .map(|client| EventType::from_segments(["gateway", &format!("gateway{client}"), "*"]))
            .collect();
        for (client, query_type) in types.iter().enumerate() {
            let subscription = Subscription::new([query_type]).expect("valid");
            assert!(routes.insert(client, &subscription));
        }
        let mut found = Vec::with_capacity(1);
        routes.find(&types[0], &mut found);
        counted(|| {
            for event_type in &types {
                routes.find(event_type, &mut found);
                assert_eq!(found.len(), 1);
            }
        });
        done(&format!("eventer/routes-{clients}"), clients);
    }
}
