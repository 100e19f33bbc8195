//! A subscriber that reads slowly, beside others.

use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::eventer::{
    ConnectOptions, ConnectionInfo, Handler, ListenOptions, Notification, Notifier, connect,
    listen_with,
};
use hat_core::eventer::{Event, EventId, EventType, Payload, RegisterEvent, Timestamp};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::sleep;

use crate::local;

fn event(instance: i64, payload: Payload) -> Event {
    Event {
        id: EventId::new(1, 1, instance),
        event_type: EventType::from_segments(["a"]),
        timestamp: Timestamp::from_secs(1),
        source_timestamp: None,
        payload: Some(payload),
    }
}

/// Tells what is registered to who wants it, before it answers.
struct TellingHandler(Notifier);

impl Handler for TellingHandler {
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
        let server = listen_with::<R, _>(local(), TellingHandler, ListenOptions::default()).await;
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

    /// 64 MiB, four times what may be queued to a client, to one that reads with pauses and one
    /// that reads nothing: the first gets all of it, and the second holds nobody up for ever.
    async fn a_program_that_waits_until_clients_have_caught_up_loses_none_that_reads<R>() {
        let server = listen_with::<R, _>(local(), TellingHandler, ListenOptions::default()).await;
        let server = server.expect("listens");
        let address = server.addresses()[0];
        let subscriptions = vec![EventType::from_segments(["*"])];
        let options = ConnectOptions { subscriptions, ..ConnectOptions::default() };
        let reader = connect::<R>(address, "reader", options.clone()).await.expect("taken");
        let asleep = connect::<R>(address, "asleep", options).await.expect("taken");
        R::spawn(async move {
            let payload = Payload::binary("Bytes", vec![7; 1024 * 1024]);
            for instance in 1..=64 {
                server.notify_events(&[event(instance, payload.clone())], false, false).await;
                server.caught_up().await;
            }
            server.close().await;
        });
        for instance in 1..=64 {
            match reader.next().await.expect("it is not closed") {
                Notification::Events(events) => assert_eq!(events[0].id.instance, instance),
                Notification::Status(status) => panic!("not events: {status}"),
            }
            sleep::<R>(Duration::from_millis(2)).await;
        }
        // it learns that it was closed behind what it was sent before
        let mut taken = 0;
        while asleep.next().await.is_ok() {
            taken += 1;
        }
        assert!(taken < 64, "it was closed");
    }
}

/// Registrations a second of one client, with events of 20 KB, while another takes them at some
/// rate. `cargo test --release -p hat-tests --test sockets registrations_beside -- --ignored
/// --nocapture`
#[test]
#[ignore = "takes a minute, and measures"]
fn registrations_beside_a_reader() {
    type R = hat_tokio::Tokio;
    let measure = async {
        for rate in [None, Some(100), Some(20), Some(5), Some(3), Some(2)] {
            let server =
                listen_with::<R, _>(local(), TellingHandler, ListenOptions::default()).await;
            let server = server.expect("listens");
            let address = server.addresses()[0];
            if let Some(rate) = rate {
                let subscriptions = vec![EventType::from_segments(["*"])];
                let options = ConnectOptions { subscriptions, ..ConnectOptions::default() };
                let reader = connect::<R>(address, "reader", options).await.expect("taken");
                R::spawn(async move {
                    let (start, mut taken) = (std::time::Instant::now(), 0);
                    while let Ok(Notification::Events(events)) = reader.next().await {
                        taken += events.len() as u64 * 20_000;
                        let due = Duration::from_nanos(taken * 1000 / rate);
                        sleep::<R>(due.saturating_sub(start.elapsed())).await;
                    }
                });
            }
            let client = connect::<R>(address, "quick", ConnectOptions::default()).await;
            let client = client.expect("taken");
            let payload = Some(Payload::binary("Bytes", vec![7; 20_000]));
            let event_type = EventType::from_segments(["a"]);
            let event = RegisterEvent { payload, ..RegisterEvent::new(event_type) };
            let (start, mut count) = (std::time::Instant::now(), 0);
            let mut slowest = Duration::ZERO;
            while start.elapsed() < Duration::from_secs(10) {
                let asked = std::time::Instant::now();
                let registered = client.register_with_response(std::slice::from_ref(&event)).await;
                assert!(registered.expect("answered").is_some());
                slowest = slowest.max(asked.elapsed());
                count += 1;
            }
            println!(
                "reader of {rate:?} MB/s: {} registrations/s, the slowest in {slowest:?}, {} clients",
                count / 10,
                server.connections().len()
            );
        }
    };
    <R as hat_tests::runtimes::TestRuntime>::run(measure);
}
