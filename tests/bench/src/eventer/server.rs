//! An event server of this library, on any runtime: it registers what comes, and notifies when it
//! is asked to.

use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;

use hat_aio::Runtime;
use hat_aio::eventer::{ConnectionInfo, Handler, ListenOptions, Notifier, listen_with};
use hat_core::eventer::{Event, EventId, Payload, RegisterEvent, Status, Timestamp};

use super::events;
use crate::side;

/// The type of the one event by which the client that measures asks for notifications; their number
/// is its payload.
pub(super) const NOTIFY: &str = "notify";

struct BenchServer {
    notifier: Notifier,
    notifications: Vec<Vec<Event>>,
    session: AtomicI64,
}

impl BenchServer {
    /// Tells everyone, as often as asked. In between others have their turn, as they would if each
    /// came from a registration of its own: so each is written by itself.
    async fn notify(&self, count: usize) {
        for events in self.notifications.iter().cycle().take(count) {
            self.notifier.notify_events(events, false, false).await;
            yield_now().await;
        }
    }
}

impl Handler for BenchServer {
    async fn register(&self, _: &ConnectionInfo, events: Vec<RegisterEvent>) -> Option<Vec<Event>> {
        if let Some(count) = events.first().and_then(asked) {
            self.notify(count).await;
        }
        let session = self.session.fetch_add(1, Ordering::Relaxed);
        let timestamp = Timestamp::now();
        let register = |(event, instance): (RegisterEvent, i64)| Event {
            id: EventId::new(1, session, instance),
            event_type: event.event_type,
            timestamp,
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        };
        Some(events.into_iter().zip(1..).map(register).collect())
    }
}

/// How many notifications an event asks for.
fn asked(event: &RegisterEvent) -> Option<usize> {
    match &event.payload {
        Some(Payload::Json(count)) if event.event_type.segments().eq([NOTIFY]) => {
            count.text().parse().ok()
        }
        _ => None,
    }
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Listens, and goes on for as long as the process does.
pub(super) async fn serve<R: Runtime>() -> anyhow::Result<()> {
    let server = |notifier| BenchServer {
        notifier,
        notifications: events::notifications(),
        session: AtomicI64::new(1),
    };
    let options = ListenOptions { status: Status::Operational, ..ListenOptions::default() };
    let server = listen_with::<R, _>(("127.0.0.1", 0), server, options).await?;
    side::listening(server.addresses()[0].port());
    std::future::pending().await
}
