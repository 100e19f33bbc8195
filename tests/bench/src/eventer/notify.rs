//! Being notified: many clients in one process, and one more that asks the server for
//! notifications, a round of them at a time.
//!
//! ```text
//! asks ──notify 8──> server ──8 x 10 events──> client 1 … client n ──all have come──> asks again
//! ```
//!
//! Rounds keep what waits for clients small, so that what is measured is not how queues grow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use hat_aio::Runtime;
use hat_aio::eventer::{Client, ConnectOptions, Notification, connect};
use hat_core::eventer::{EventType, Payload, RegisterEvent};
use smol::channel::{Receiver, Sender, bounded};

use super::events::{self, PER_NOTIFICATION, TYPES};
use super::server::NOTIFY;
use crate::side;

/// Notifications to all clients that a round has together, about.
const A_ROUND: usize = 4096;

/// What the clients want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Interest {
    /// All of them everything.
    Same,
    /// Each its share of the types, by name: each event goes to one of them.
    Different,
}

/// What the clients do.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Drive {
    pub(super) port: u16,
    wanted: Interest,
    pub(super) clients: usize,
    milliseconds: u64,
}

impl Drive {
    /// The query types of the client of this number.
    fn subscriptions(&self, client: usize) -> Vec<EventType> {
        match self.wanted {
            Interest::Same => vec![EventType::from_segments(["gateway", "*"])],
            Interest::Different => {
                (client..TYPES).step_by(self.clients).map(events::event_type).collect()
            }
        }
    }

    /// Notifications of one round.
    pub(super) fn round(&self) -> usize {
        match self.wanted {
            Interest::Same => (A_ROUND / self.clients).clamp(4, 512),
            Interest::Different => 512,
        }
    }

    /// Events that all clients together are told in one round.
    fn told(&self) -> usize {
        let once = self.round() * PER_NOTIFICATION;
        if self.wanted == Interest::Same { once * self.clients } else { once }
    }
}

pub(super) async fn drive<R: Runtime>(drive: Drive) -> anyhow::Result<()> {
    let told = Arrivals::new(drive.told());
    for client in 0..drive.clients {
        let subscriptions = drive.subscriptions(client);
        let options = ConnectOptions { subscriptions, ..ConnectOptions::default() };
        let client = connect::<R>(("127.0.0.1", drive.port), "told", options).await?;
        R::spawn(told.counter.clone().follow(client));
    }
    let asks = connect::<R>(("127.0.0.1", drive.port), "asks", ConnectOptions::default()).await?;
    let payload = Some(Payload::json(&drive.round())?);
    let event = RegisterEvent::new(EventType::from_segments([NOTIFY]));
    rounds(&drive, &told, (asks, RegisterEvent { payload, ..event })).await
}

/// Who asks for a round.
pub(super) trait Asker {
    fn ask(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

impl Asker for (Client, RegisterEvent) {
    async fn ask(&mut self) -> anyhow::Result<()> {
        self.0.register_with_response(std::slice::from_ref(&self.1)).await?;
        Ok(())
    }
}

/// Asks for rounds until the time is over, and tells what they came to.
pub(super) async fn rounds(
    drive: &Drive,
    told: &Arrivals,
    mut asks: impl Asker,
) -> anyhow::Result<()> {
    side::ready();
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_millis(drive.milliseconds) {
        asks.ask().await?;
        told.all.recv().await?;
        rounds += 1;
    }
    side::done(&[
        ("notifications", (rounds * drive.round()) as f64),
        ("events", (rounds * drive.told()) as f64),
        ("clients", drive.clients as f64),
        ("seconds", start.elapsed().as_secs_f64()),
    ]);
    Ok(())
}

/// When all that a round is expected to bring has come.
pub(super) struct Arrivals {
    pub(super) counter: Counter,
    all: Receiver<()>,
}

impl Arrivals {
    /// `a_round` events, or bytes, for all clients together.
    pub(super) fn new(a_round: usize) -> Self {
        let (sender, all) = bounded(1);
        let counter = Counter { a_round, so_far: Arc::default(), all: sender };
        Self { counter, all }
    }
}

/// What all clients count on.
#[derive(Clone)]
pub(super) struct Counter {
    a_round: usize,
    so_far: Arc<AtomicUsize>,
    all: Sender<()>,
}

impl Counter {
    /// So many more have come.
    pub(super) fn add(&self, count: usize) {
        let so_far = self.so_far.fetch_add(count, Ordering::Relaxed) + count;
        if so_far.is_multiple_of(self.a_round) {
            // the round that was told before is over: there is room
            let _ = self.all.try_send(());
        }
    }

    /// Counts what a client is told until it is gone.
    async fn follow(self, client: Client) {
        while let Ok(notification) = client.next().await {
            if let Notification::Events(events) = notification {
                self.add(events.len());
            }
        }
    }
}
