//! One end of a connection on that runtime, and what a test asks of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use bytes::Buf;
use hat_core::chatter;
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

use super::{ByHand, Wire};
use crate::driver::Driver;
use crate::shared::{ConnectionSlot, Delivered, Session, Shared};

/// Chatter, whose messages nobody keeps.
pub(crate) struct Forgetful {
    pub(crate) machine: chatter::Connection,
    /// How often it gave memory back.
    pub(crate) rested: usize,
    pub(crate) delivered: usize,
}

impl Session for Forgetful {
    type Protocol = chatter::Connection;

    const NAME: &'static str = "forgetful";

    fn machine(&mut self) -> &mut chatter::Connection {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        true
    }

    fn rest(&mut self) {
        self.rested += 1;
    }

    fn deliver(&mut self, _: chatter::Incoming, _: usize) -> Delivered {
        self.delivered += 1;
        Delivered::Inbox
    }
}

/// One end of a connection, whose driver has its turns by hand.
pub(crate) struct End {
    pub(crate) wire: Wire,
    pub(crate) shared: Arc<Shared<Forgetful>>,
    driver: Driver<ByHand, Forgetful>,
    woken: Arc<Woken>,
}

impl End {
    pub(crate) fn new() -> Self {
        let (wire, config) = (Wire::default(), chatter::Config::default());
        let machine = |now| chatter::Connection::new(config, now);
        let session = |now| Forgetful { machine: machine(now), rested: 0, delivered: 0 };
        let shared = Shared::new::<ByHand>(wire.clone(), session).expect("it has addresses");
        let driver = Driver::new(shared.clone(), ConnectionSlot::nowhere());
        Self { wire, shared, driver, woken: Arc::default() }
    }

    /// The driver has its turn.
    pub(crate) fn turn(&mut self) {
        self.is_woken();
        let waker = Waker::from(self.woken.clone());
        let _ = Pin::new(&mut self.driver).poll(&mut Context::from_waker(&waker));
    }

    /// Whether the driver was woken since the last time.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.take()
    }
}

/// Whether a task was woken.
#[derive(Default)]
pub(crate) struct Woken(AtomicBool);

impl Woken {
    /// Since the last time.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A message as a peer sends it.
pub(crate) fn message() -> Vec<u8> {
    let mut peer = chatter::Connection::new(chatter::Config::default(), Instant::ORIGIN);
    peer.send(chatter::Data::new("x", "y"), chatter::SendOptions::default()).expect("room");
    let len = peer.tx().len();
    peer.tx().copy_to_bytes(len).to_vec()
}
