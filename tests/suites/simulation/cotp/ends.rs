//! How connections end, and what must have come by then.

use hat_core::cotp::{Error, Reason};
use hat_core::tpkt;
use hat_tests::simulation::{EndId, Ending};

use super::{HANDSHAKE, Run};

impl Run {
    pub(super) fn ended(&mut self, end: EndId, ending: Ending<Error>) {
        let is_closing = self.net.is_closing(end);
        let now = self.net.time_of(end);
        let peer = &self.sides[&self.net.peer(end)];
        let (peer_left, peer_refused) = (peer.has_left, peer.refused);
        let peer_disconnects = peer.was_established && peer.config.disconnect_on_close;
        let (peer_in_message, is_known) = (peer.is_in_message(), peer.is_known);
        let side = self.side(end);
        let error = match ending {
            Ending::Failed | Ending::Cut(_) => return self.count("failed"),
            Ending::Stalled => return self.count("stalled"),
            Ending::Error(error) => error,
        };
        let what = match error {
            Error::Closed if is_closing => {
                side.has_left = true;
                "closed"
            }
            Error::Closed if peer_left => {
                side.check_all_came();
                "orderly ends"
            }
            Error::Closed => "closed by the peer",
            Error::Disconnected { reason, .. } => {
                assert_eq!(reason, Reason::NotSpecified);
                assert!(peer_disconnects || peer_refused.is_some(), "disconnected by nobody");
                side.check_all_came();
                "disconnected"
            }
            Error::Refused { reason: Reason::AddressUnknown, .. } => {
                assert!(!is_known, "refused for a right address");
                "refused for its address"
            }
            Error::Refused { reason, .. } => {
                let closed = Reason::NotSpecified;
                assert_eq!(peer_refused.unwrap_or(closed), reason);
                "refused by the application"
            }
            Error::RequestRefused { reason } => {
                assert!(side.refused == Some(reason) || !side.is_known);
                side.refused = Some(reason);
                "refused"
            }
            Error::HandshakeTimeout => {
                let late = now - side.started;
                assert!(late >= HANDSHAKE, "given up after {late:?}");
                assert!(!side.is_exact || late == HANDSHAKE, "given up after {late:?}");
                "handshake timeouts"
            }
            Error::TsduTooLarge { limit } => {
                assert!(side.next_len().is_none_or(|len| len > limit), "a message within limits");
                "too large"
            }
            Error::Incomplete { .. } => {
                assert!(!peer_left || peer_in_message, "a message that its sender had ended");
                "incomplete"
            }
            Error::ClosedDuringHandshake => "closed in the handshake",
            Error::Tpkt(tpkt::Error::Truncated { .. }) => {
                assert!(!peer_left, "a packet that its sender had written");
                "truncated"
            }
            other => panic!("{end} ended with {other:?}"),
        };
        self.count(what);
    }
}
