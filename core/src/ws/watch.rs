//! Whether the peer lives, by pings. In a file of its own, since most connections have none.

use alloc::boxed::Box;

use bytes::Bytes;

use crate::keepalive::{Liveness, PingRule};

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) liveness: Liveness,
    /// What the application's last ping carried, and ours carry too: of several pings a peer may
    /// answer the last one only (RFC 6455 section 5.5.3).
    pub(super) payload: Bytes,
}

impl Watch {
    pub(super) fn new(rule: PingRule) -> Option<Box<Self>> {
        let watch = || Box::new(Self { liveness: Liveness::new(rule), payload: Bytes::new() });
        (rule != PingRule::Off).then(watch)
    }
}
