//! What a server tells its clients.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::acks::Acks;
use super::handler::ConnectionInfo;
use super::patience::Patience;
use super::registry::{HIGH_WATER, Registry, ServerSession};
use crate::ConnectionId;
use crate::handle::Handle;
use crate::runtime::{Runtime, after, sleep_until};
use crate::shared::Wait;
use hat_core::eventer::{EncodedEvents, Event, Status};
use hat_core::protocol::Protocol;

/// A client that takes nothing for so long is gone, or has stopped: who waits for others to read
/// waits no longer for this one.
const STUCK: Duration = Duration::from_secs(5);

/// Tells the clients of a server its status and events. Cheap to clone, and it may outlive the
/// server: then nobody is told.
///
/// A [`Handler`](super::Handler) that notifies what it registers is made from one, by
/// [`listen_with`](super::listen_with). It does not keep the server alive, so a handler may hold
/// it.
#[derive(Clone)]
pub struct Notifier {
    registry: Arc<Registry>,
    /// How long notifications may still wait for clients, all together.
    patience: Arc<Mutex<Patience>>,
    now: fn() -> Instant,
    sleep: fn(Instant) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Notifier {
    pub(super) fn new<R: Runtime>(registry: Arc<Registry>) -> Self {
        let patience = Arc::new(Mutex::new(Patience::with_all()));
        Self { registry, patience, now: R::now, sleep: |at| Box::pin(sleep_until::<R>(at)) }
    }

    /// The clients that are connected now, by number.
    #[must_use]
    pub fn connections(&self) -> Vec<Arc<ConnectionInfo>> {
        self.registry.infos()
    }

    /// Closes the connection of one client; what is queued for it is still written. Returns whether
    /// there is such a client.
    ///
    /// [`Handler::disconnected`](super::Handler::disconnected) is called as for any client that
    /// disconnects.
    pub fn disconnect(&self, id: ConnectionId) -> bool {
        self.registry.disconnect(id)
    }

    /// Clients that were closed since the start because they could not be told something: they read
    /// too slowly, or it was over their limit.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.registry.cut()
    }
    /// The present status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.registry.status()
    }

    /// Sets the status, and notifies all clients if it changed.
    pub fn set_status(&self, status: Status) {
        self.registry.set_status(status);
    }

    /// Notifies the subscribed clients of the events of one session: those whose `persisted` is the
    /// same, by their subscription and server id. With `with_ack`, ready when every client that was
    /// told has acknowledged or is gone.
    ///
    /// Events are encoded once and queued to all clients at once. Then this waits a little for
    /// clients that have more than 1 MiB to read, so that one that reads again after a moment loses
    /// nothing: 20 ms at the most; a fiftieth of the time for one client, and a twentieth for all
    /// together, once the first second of each is spent. Time in which a client takes 100 MB/s, as
    /// on a line of 1 Gbit/s, does not count. A client that is slow for longer slows nobody down:
    /// it is closed when more than [`max_queued`](hat_core::chatter::Config::max_queued) waits for
    /// it, and the server's log says why. A [`ReconnectingClient`](super::ReconnectingClient) comes
    /// back and asks for what it missed. A program that tells more than its clients can read, and
    /// would rather be held up by them than lose them, waits in between until they have
    /// [`caught_up`](Self::caught_up).
    ///
    /// All clients are told when this is polled first; dropped after that, the events are told all
    /// the same.
    pub async fn notify_events(&self, events: &[Event], persisted: bool, with_ack: bool) {
        if !self.registry.has_listeners(persisted) {
            return;
        }
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

    /// Waits until no client has more than 1 MiB to read of what it was told: for a program that
    /// tells as fast as it can, and is to go no faster than its clients. A client that takes
    /// nothing for 5 s is not waited for, until it takes something again. Cancel safe.
    pub async fn caught_up(&self) {
        for handle in self.registry.handles() {
            self.caught_up_one(&handle).await;
        }
    }

    async fn caught_up_one(&self, handle: &Handle<ServerSession>) {
        loop {
            let now = (self.now)();
            let behind = |session: &mut ServerSession| {
                let (queued, sent) = (session.machine.tx().len(), session.machine.tx().sent());
                (queued > HIGH_WATER).then(|| (sent, session.progress.at(sent, now)))
            };
            let Some((sent, since)) = handle.look(behind) else { return };
            let until = after(since, STUCK);
            if now >= until {
                return;
            }
            let took =
                |session: &mut ServerSession| (session.machine.tx().sent() != sent).then_some(());
            let mut took = pin!(handle.wait(Wait::Outgoing, took));
            let mut timer = (self.sleep)(until);
            let ended = poll_fn(|cx| match took.as_mut().poll(cx) {
                Poll::Ready(took) => Poll::Ready(took.is_err()),
                Poll::Pending => timer.as_mut().poll(cx).map(|()| false),
            });
            if ended.await {
                return;
            }
        }
    }

    /// Waits until clients have read most of what is queued to them, as long as patience with them
    /// allows.
    async fn wait_for(&self, clients: Vec<Handle<ServerSession>>) {
        let start = (self.now)();
        let Some(most) = self.patience().at(start) else { return };
        let (end, mut spent) = (start + most, Duration::ZERO);
        for handle in clients {
            let before = (self.now)();
            let left = end.saturating_duration_since(before);
            let look = |session: &mut ServerSession| {
                Some((session.patience.at(before)?, session.machine.tx().sent()))
            };
            let Some((time, sent)) = handle.look(look) else { continue };
            let mut timer = (self.sleep)(before + time.min(left));
            let read = |session: &mut ServerSession| {
                (session.machine.tx().len() <= HIGH_WATER).then_some(())
            };
            let mut caught_up = pin!(handle.wait(Wait::Outgoing, read));
            poll_fn(|cx| match caught_up.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => timer.as_mut().poll(cx),
            })
            .await;
            let waited = (self.now)().saturating_duration_since(before);
            spent += handle.look(|session| {
                let cost = Patience::cost(waited, session.machine.tx().sent() - sent);
                session.patience.spend(cost);
                cost
            });
        }
        self.patience().spend(spent);
    }

    /// Waits until every request in hand is answered, for `time` at the most.
    pub(super) async fn answered(&self, time: Duration) {
        let mut timer = (self.sleep)(after((self.now)(), time));
        let mut done = pin!(self.registry.in_hand().clone().done());
        poll_fn(|cx| match done.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => timer.as_mut().poll(cx),
        })
        .await;
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
