//! A subscriber that reads slowly, beside others.

use std::time::Duration;

use hat_aio::eventer::{
    ConnectOptions, ConnectionInfo, Handler, ListenOptions, Notification, Notifier, connect,
    listen_with,
};
use hat_core::eventer::{Event, EventId, EventType, Payload, RegisterEvent, Timestamp};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::sleep;

use crate::local;

/// Tells what is registered to who wants it, before it answers.
struct Telling(Notifier);

impl Handler for Telling {
    async fn register(
        &self,
        _info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        let register = |(instance, event): (i64, RegisterEvent)| Event {
            id: EventId::new(1, 1, instance),
            event_type: event.event_type,
            timestamp: Timestamp::from_secs(1),
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        };
        let events: Vec<_> = (1..).zip(events).map(register).collect();
        self.0.notify_events(&events, false, false).await;
        Some(events)
    }
}

on_every_runtime! {
    /// 60 MB at 200 kB/s are five minutes, longer than a test may take: who registers them must not
    /// wait for who reads them.
    async fn nobody_waits_for_who_reads_slowly<R>() {
        let server = listen_with::<R, _>(local(), Telling, ListenOptions::default()).await;
        let server = server.expect("listens");
        let address = server.addresses()[0];
        let subscriptions = vec![EventType::from_segments(["*"])];
        let options = ConnectOptions { subscriptions, ..ConnectOptions::default() };
        let slow = connect::<R>(address, "slow", options).await.expect("taken");
        let reader = slow.clone();
        R::spawn(async move {
            while let Ok(Notification::Events(_) | Notification::Status(_)) = reader.next().await {
                sleep::<R>(Duration::from_millis(100)).await;
            }
        });

        let client = connect::<R>(address, "quick", ConnectOptions::default()).await.expect("taken");
        let payload = Some(Payload::binary("Bytes", vec![7; 20_000]));
        let event_type = EventType::from_segments(["a"]);
        let event = RegisterEvent { payload, ..RegisterEvent::new(event_type) };
        for _ in 0..3000 {
            let registered = client.register_with_response(std::slice::from_ref(&event)).await;
            assert!(registered.expect("answered").is_some());
        }
        client.close().await;
    }
}
