//! The work that is counted, a module a protocol.

pub mod chatter;
pub mod cotp;
pub mod eventer;
pub mod juggler;
pub mod sbs;
pub mod subscription;
pub mod ws;

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

/// Operations in a row: what is done once for many, as taking the queue to the socket, counts as
/// little as it does in use.
pub const COUNT: usize = 64;

/// The time in all cases.
pub const NOW: Instant = Instant::ORIGIN;

/// One end of a connection, and what arrived for it.
#[derive(Debug)]
pub struct Side<P> {
    /// The end.
    pub machine: P,
    /// What arrived.
    pub rx: RecvBuf,
}

impl<P: Protocol> Side<P> {
    /// Nothing has arrived.
    pub fn new(machine: P) -> Self {
        Self { machine, rx: RecvBuf::new() }
    }

    /// What the machine makes of what arrived.
    pub fn poll(&mut self) -> Option<P::Incoming> {
        self.machine.poll(&mut self.rx, NOW).expect("the connection is open").incoming()
    }

    /// Moves what is to be written to the other side, as a socket would: with one copy.
    pub fn carry<Q: Protocol>(&mut self, to: &mut Side<Q>) {
        let tx = self.machine.tx();
        while tx.has_remaining() {
            let chunk = tx.chunk();
            to.rx.feed(chunk);
            let count = chunk.len();
            tx.advance(count);
        }
    }

    /// Takes what is to be written, as a driver does once a socket took it.
    pub fn written(&mut self) {
        let tx = self.machine.tx();
        tx.advance(tx.remaining());
    }
}

/// All cases, in the order of the table; or those of one module.
pub fn run(only: Option<&str>) {
    let modules: [(&str, fn()); 7] = [
        ("sbs", sbs::run),
        ("chatter", chatter::run),
        ("eventer", eventer::run),
        ("subscription", subscription::run),
        ("cotp", cotp::run),
        ("ws", ws::run),
        ("juggler", juggler::run),
    ];
    let wanted = modules.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
    wanted.for_each(|(_, run)| run());
}
