//! A server that is closed under load: `AcceptOptions::bind_connections` ends its connections with
//! it, and nothing is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hat_aio::eventer::{
    ConnectionInfo, Handler, ListenOptions, Notifier, RequestError, listen_with,
};
use hat_core::eventer::{Event, EventId, EventType, Payload, RegisterEvent, Timestamp};
use hat_tests::counting::CountingRuntime;
use hat_tests::on_threaded_runtimes;

use crate::{at_once, client, local, until};

const CLIENTS: usize = 40;

/// Tells everybody what anybody registers, and waits for all of them.
struct Echo(Notifier);

impl Handler for Echo {
    async fn register(
        &self,
        _info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        let events: Vec<_> = events.into_iter().map(registered).collect();
        self.0.notify_events(&events, false, false).await;
        Some(events)
    }
}

fn registered(event: RegisterEvent) -> Event {
    Event {
        id: EventId::new(1, 1, 1),
        event_type: event.event_type,
        timestamp: Timestamp::from_secs(1),
        source_timestamp: None,
        payload: event.payload,
    }
}

on_threaded_runtimes! {
    async fn a_server_closed_under_load<R>() {
        struct Here;
        let listening = listen_with::<CountingRuntime<R, Here>, _>(local(), Echo, ListenOptions::default());
        let server = listening.await.expect("listens");
        let (answered, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for index in 0..CLIENTS {
            let client = client::<R>(server.addresses()[0], "busy").await;
            if index % 2 == 0 {
                // every other one takes what it is told
                let reader = client.clone();
                R::spawn(async move { while reader.next().await.is_ok() {} });
            }
            let (answered, failed) = (answered.clone(), failed.clone());
            R::spawn(async move {
                let mut event = RegisterEvent::new(EventType::from_segments(["a"]));
                event.payload = Some(Payload::binary("", vec![0; 1000]));
                loop {
                    match client.register_with_response(std::slice::from_ref(&event)).await {
                        Ok(_) => answered.fetch_add(1, Ordering::SeqCst),
                        Err(error) => {
                            assert!(matches!(error, RequestError::Ended(_)), "{error:?}");
                            failed.fetch_add(1, Ordering::SeqCst);
                            return;
                        }
                    };
                }
            });
        }
        until::<R>(|| answered.load(Ordering::SeqCst) > 5 * CLIENTS).await;
        at_once::<R, _>(server.close()).await;
        assert!(server.connections().is_empty());
        until::<R>(|| CountingRuntime::<R, Here>::tasks() == 0).await;
        until::<R>(|| failed.load(Ordering::SeqCst) == CLIENTS).await;
    }

    async fn a_server_dropped_under_load<R>() {
        struct Here;
        let listening = listen_with::<CountingRuntime<R, Here>, _>(local(), Echo, ListenOptions::default());
        let server = listening.await.expect("listens");
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let client = client::<R>(server.addresses()[0], "busy").await;
            let event = RegisterEvent::new(EventType::from_segments(["a"]));
            client.register(&[event]).await.expect("sent");
            clients.push(client);
        }
        drop(server);
        for client in &clients {
            at_once::<R, _>(client.closed()).await;
        }
        until::<R>(|| CountingRuntime::<R, Here>::tasks() == 0).await;
    }
}
