//! How connections end, and what must have come by then.

use hat_core::juggler::Error;
use hat_core::ws;
use hat_tests::simulation::{Either, EitherError, EndId, Ending};

use super::Run;
use super::line::Standing;

impl Run {
    pub(super) fn ended(&mut self, end: EndId, ending: Ending<EitherError<Error, Error>>) {
        let is_client = self.lines.contains_key(&end);
        let is_closing = self.net.is_closing(end);
        let error = match ending {
            Ending::Failed | Ending::Cut(_) => return self.over(end, "failed"),
            Ending::Stalled => return self.over(end, "stalled"),
            Ending::Error(EitherError::Client(error) | EitherError::Server(error)) => error,
        };
        let line = self.line(end);
        let what = match error {
            Error::Ws(error) => match error {
                ws::Error::Closed if is_closing => "closed",
                ws::Error::Closed => {
                    if is_client {
                        line.check_all_told();
                    }
                    "orderly ends"
                }
                ws::Error::CloseTimeout => "close timeouts",
                ws::Error::Lost => "lost",
                ws::Error::Truncated { .. } => "truncated",
                ws::Error::ClosedDuringHandshake => "closed in the handshake",
                ws::Error::HandshakeTimeout => "handshake timeouts",
                // a server that closes says 503 to who waits for its decision
                ws::Error::Refused { status: 503, .. } if is_client => "closed",
                ws::Error::Refused { status: 403, .. } => {
                    assert_eq!(line.standing, Standing::Rejected);
                    "rejected"
                }
                ws::Error::RequestRefused { status: 403 } => {
                    assert_eq!(line.standing, Standing::Rejected);
                    "refused"
                }
                other => panic!("{end} ended with {other:?}"),
            },
            Error::PingTimeout => "given up",
            other => panic!("{end} ended with {other:?}"),
        };
        self.over(end, what);
    }

    /// What is over keeps nothing.
    fn over(&mut self, end: EndId, what: &'static str) {
        let in_order = ["closed", "orderly ends", "closed in the handshake", "rejected", "refused"];
        assert!(!self.is_calm || in_order.contains(&what), "{end}: {what}, and nothing went wrong");
        self.count(what);
        let open = match self.net.machine(end) {
            Either::Client(client) => client.open_requests(),
            Either::Server(server) => server.open_requests(),
        };
        assert_eq!(open, 0, "{end} is over and a request is open");
    }

    /// Nothing was said for a long time: all of it has come, on every connection that is up. Then
    /// everybody leaves.
    pub(super) fn settle(&mut self) {
        let clients: Vec<_> = self.lines.keys().copied().collect();
        for &client in &clients {
            let server = self.net.peer(client);
            if self.net.is_open(client) && self.net.is_open(server) {
                self.count("settled");
                let line = &self.lines[&client];
                line.check_settled(&self.history);
                assert_eq!(self.net.machine(client).client().open_requests(), 0);
                let it = self.net.machine(server).server();
                assert_eq!((it.open_requests(), it.is_behind()), (0, false));
            }
        }
        for client in clients {
            let server = self.net.peer(client);
            let leaves = if self.net.random.chance(50) { client } else { server };
            self.close(leaves);
        }
    }
}
