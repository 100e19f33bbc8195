//! Ten events, encoded, and notified to a hundred clients with the same subscription.

use hat_core::eventer::message::InitReq;
use hat_core::eventer::{EncodedEvents, EventType, Status, client, server};

use super::sbs::events;
use super::{NOW, Side};
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
    let subscription = EventType::from_segments(["gateway", "7", "*"]);
    let init = InitReq { subscriptions: vec![subscription], ..InitReq::default() };
    let client = client::Client::new(client::Config::default(), &init, NOW).expect("fits");
    let mut server = Side::new(server::Connection::new(server::Config::default(), NOW));
    Side::new(client).carry(&mut server);
    assert!(matches!(server.poll(), Some(server::Incoming::Init(_))));
    server.machine.accept(Status::Operational).expect("it waits for it");
    server.written();
    server
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
        assert_eq!(notified, server::Notified::Sent);
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
}
