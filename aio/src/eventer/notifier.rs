//! What a server tells its clients.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::acks::Acks;
use super::handler::ConnectionInfo;
use super::registry::{HIGH_WATER, Registry, ServerSession};
use crate::ConnectionId;
use crate::handle::Handle;
use crate::runtime::{Runtime, sleep_until};
use crate::shared::Wait;
use hat_core::eventer::{EncodedEvents, Event, Status};
use hat_core::protocol::Protocol;

/// How long a notification waits, all in all, for clients that have a lot to read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells the clients of a server its status and events. Cheap to clone, and it may outlive the server: then nobody is told.
///
/// A [`Handler`](super::Handler) that notifies what it registers is made from one, by [`listen_with`](super::listen_with). It does not
/// keep the server alive, so a handler may hold it.
#[derive(Clone)]
pub struct Notifier {
    registry: Arc<Registry>,
    now: fn() -> Instant,
    sleep: fn(Instant) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Notifier {
    pub(super) fn new<R: Runtime>(registry: Arc<Registry>) -> Self {
        Self { registry, now: R::now, sleep: |at| Box::pin(sleep_until::<R>(at)) }
    }

    /// The clients that are connected now, by number.
    #[must_use]
    pub fn connections(&self) -> Vec<Arc<ConnectionInfo>> {
        self.registry.infos()
    }

    /// Closes the connection of one client: what is queued to it is still written. Gives whether there is such a client.
    ///
    /// [`Handler::disconnected`](super::Handler::disconnected) is called as for any client that is gone.
    pub fn disconnect(&self, id: ConnectionId) -> bool {
        self.registry.disconnect(id)
    }

    /// The status that clients are told.
    #[must_use]
    pub fn status(&self) -> Status {
        self.registry.status()
    }

    /// Tells a new status to all clients. Setting the same one again tells nothing.
    pub fn set_status(&self, status: Status) {
        self.registry.set_status(status);
    }

    /// Tells events of one session to the clients that want them: those whose `persisted` is the same, by their subscription and
    /// server id. With `with_ack`, ready when every client that was told has acknowledged or is gone.
    ///
    /// Events are encoded once and queued to all clients at once. Then this waits for clients that have more than 1 MiB to read, for a second at the
    /// most, and once: one that does not read holds nobody up a second time, and is closed when more than
    /// [`max_queued`](hat_core::chatter::Config::max_queued) waits for it.
    ///
    /// All clients are told when this is polled first; dropped after that, the events are told all the same.
    pub async fn notify_events(&self, events: &[Event], persisted: bool, with_ack: bool) {
        let events = EncodedEvents::new(events);
        let acks = with_ack.then(Acks::default);
        let behind = self.registry.notify(&events, persisted, acks.as_ref());
        if !behind.is_empty() {
            self.wait_for(behind).await;
        }
        if let Some(acks) = acks {
            acks.done().await;
        }
    }

    /// Waits until clients have read most of what is queued to them, or patience ends.
    async fn wait_for(&self, clients: Vec<Handle<ServerSession>>) {
        let mut patience = (self.sleep)((self.now)() + PATIENCE);
        for handle in clients {
            let read = |session: &mut ServerSession| {
                (session.machine.tx().len() <= HIGH_WATER).then_some(())
            };
            let mut caught_up = pin!(handle.wait(Wait::Outgoing, read));
            let in_time = poll_fn(|cx| match caught_up.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending => patience.as_mut().poll(cx).map(|()| false),
            });
            if !in_time.await {
                handle.look(|session| session.slow = true);
                patience = Box::pin(std::future::ready(()));
            }
        }
    }
}
