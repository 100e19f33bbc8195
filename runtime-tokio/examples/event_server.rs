//! An event server that keeps nothing: it numbers events and tells them to those that want them.
//!
//! ```sh
//! cargo run -p hat-tokio --example event_server -- localhost:23012
//! ```

use hat_tokio::eventer::{
    ConnectionInfo, Event, EventId, Handler, ListenOptions, Notifier, RegisterEvent, Status,
    Timestamp, listen_with,
};
use std::sync::atomic::{AtomicI64, Ordering};

struct Plant {
    notifier: Notifier,
    sessions: AtomicI64,
}

impl Handler for Plant {
    async fn register(&self, _: &ConnectionInfo, events: Vec<RegisterEvent>) -> Option<Vec<Event>> {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let register = |(instance, it): (i64, RegisterEvent)| Event {
            id: EventId::new(1, session, instance),
            event_type: it.event_type,
            timestamp: Timestamp::now(),
            source_timestamp: it.source_timestamp,
            payload: it.payload,
        };
        let events: Vec<Event> = (1..).zip(events).map(register).collect();
        self.notifier.notify_events(&events, false, false).await;
        Some(events)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:23012".into());
    // above all that were given before: ids are never used twice
    let first = Timestamp::now().s() * 1_000_000;
    let plant = |notifier| Plant { notifier, sessions: AtomicI64::new(first) };
    let options = ListenOptions { status: Status::Operational, ..ListenOptions::default() };
    let server = listen_with(address, plant, options).await?;
    println!("listening on {}", server.addresses()[0]);
    std::future::pending().await
}
