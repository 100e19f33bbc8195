//! Which ends of a connection are the peer's fault: it speaks another protocol, or breaks a rule of
//! this one. An end in the middle of a message, and a peer that does not answer any more, are lost
//! connections.

use hat_core::{chatter, cotp, eventer, juggler, tpkt, ws};

/// Why a connection of a protocol ended.
pub(crate) trait Violation {
    /// Whether the peer said something that it must not.
    fn is_violation(&self) -> bool;
}

impl<E: Violation> Violation for hat_aio::Error<E> {
    fn is_violation(&self) -> bool {
        self.protocol().is_some_and(E::is_violation)
    }
}

impl Violation for chatter::Error {
    fn is_violation(&self) -> bool {
        !matches!(self, Self::Closed | Self::Truncated { .. } | Self::PingTimeout)
    }
}

impl Violation for eventer::Error {
    fn is_violation(&self) -> bool {
        match self {
            Self::Chatter(error) => error.is_violation(),
            _ => true,
        }
    }
}

impl Violation for cotp::Error {
    fn is_violation(&self) -> bool {
        match self {
            Self::Tpkt(error) => {
                !matches!(error, tpkt::Error::Closed | tpkt::Error::Truncated { .. })
            }
            Self::TsduTooLarge { .. }
            | Self::MessageTimeout
            | Self::EmptyDataFlood { .. }
            | Self::Protocol(_) => true,
            // what it says of us, and what is ours
            _ => false,
        }
    }
}

impl Violation for ws::Error {
    fn is_violation(&self) -> bool {
        matches!(self, Self::Handshake(_) | Self::MessageTimeout | Self::Protocol(_))
    }
}

impl Violation for juggler::Error {
    fn is_violation(&self) -> bool {
        match self {
            Self::Ws(error) => error.is_violation(),
            Self::ClosedByPeer { .. } | Self::PingTimeout => false,
            _ => true,
        }
    }
}
