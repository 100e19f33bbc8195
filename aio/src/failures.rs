//! Connections that a server accepted and whose handshake failed.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Failures that are kept until the application asks for them. Beyond that the oldest are dropped,
/// and counted in [`HandshakeFailure::missed`]: whoever scans a port must not fill the memory.
const KEPT: usize = 64;

/// A connection that came to nothing: the handshake of TLS or of the protocol failed, by a fault of
/// the peer's, or because it was refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HandshakeFailure {
    /// Who it was, unless the peer was gone before that could be asked.
    pub remote: Option<SocketAddr>,
    /// Why it failed: the error of TLS or of the protocol, whose text names what was wrong.
    pub cause: Arc<dyn Error + Send + Sync>,
    /// Failures before this one that nobody asked for in time, and that were dropped.
    pub missed: u64,
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remote {
            Some(remote) => write!(f, "no connection to {remote}: {}", self.cause),
            None => write!(f, "no connection to a peer that is gone: {}", self.cause),
        }
    }
}

/// The failures that the application has not asked for yet.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    waiting: VecDeque<HandshakeFailure>,
    missed: u64,
}

impl Failures {
    pub(crate) fn push(&mut self, remote: Option<SocketAddr>, cause: Arc<dyn Error + Send + Sync>) {
        if self.waiting.len() == KEPT {
            self.waiting.pop_front();
            self.missed += 1;
        }
        self.waiting.push_back(HandshakeFailure { remote, cause, missed: 0 });
    }

    pub(crate) fn pop(&mut self) -> Option<HandshakeFailure> {
        let failure = self.waiting.pop_front()?;
        Some(HandshakeFailure { missed: std::mem::take(&mut self.missed), ..failure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let mut failures = Failures::default();
        for number in 0..KEPT + 3 {
            failures.push(None, Arc::new(std::io::Error::other(number.to_string())));
        }
        let first = failures.pop().expect("kept");
        assert_eq!((first.cause.to_string().as_str(), first.missed), ("3", 3));
        let second = failures.pop().expect("kept");
        assert_eq!((second.cause.to_string().as_str(), second.missed), ("4", 0));
        assert_eq!(std::iter::from_fn(|| failures.pop()).count(), KEPT - 2);
    }
}
