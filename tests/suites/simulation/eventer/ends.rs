//! How connections end, and what must have come by then.

use hat_core::chatter;
use hat_core::eventer::Error;
use hat_tests::simulation::{Either, EitherError, EndId, Ending};

use super::line::Standing;
use super::server::Notification;
use super::{Run, plant};

impl Run {
    pub(super) fn ended(&mut self, end: EndId, ending: Ending<EitherError<Error, Error>>) {
        let is_client = self.lines.contains_key(&end);
        let was_open = !self.net.is_closing(end);
        let line = self.line(end);
        let is_cut = matches!(ending, Ending::Cut(_));
        let error = match ending {
            Ending::Failed => return self.over(end, "failed"),
            Ending::Stalled => return self.over(end, "stalled"),
            Ending::Error(EitherError::Client(error) | EitherError::Server(error))
            | Ending::Cut(EitherError::Client(error) | EitherError::Server(error)) => error,
        };
        let what = match error {
            error if error.is_closed() && !was_open => {
                *if is_client { &mut line.client_left } else { &mut line.server_left } = true;
                "closed"
            }
            _ if is_cut => "failed",
            error if error.is_closed() && is_client && line.server_left => {
                assert!(line.told.is_empty(), "the server closed, and {:?} never came", line.told);
                "orderly ends"
            }
            error if error.is_closed() && line.client_left => {
                let is_taken = line.standing == Standing::Taken;
                assert!(!is_taken || line.said.is_empty(), "never came: {:?}", line.said);
                "orderly ends"
            }
            error if error.is_closed() => "closed by the peer",
            Error::Rejected(_) => {
                assert!(is_client && !plant::is_welcome(&line.init), "rejected without a reason");
                "rejected"
            }
            Error::InitTimeout => "init timeouts",
            Error::Chatter(chatter::Error::PingTimeout) => "given up",
            Error::Chatter(chatter::Error::Truncated { .. }) => "truncated",
            other => panic!("{end} ended with {other:?}"),
        };
        self.over(end, what);
    }

    /// What is over keeps nothing.
    fn over(&mut self, end: EndId, what: &'static str) {
        self.count(what);
        let (requests, conversations) = match self.net.machine(end) {
            Either::Client(client) => (client.open_requests(), client.open_conversations()),
            Either::Server(server) => (server.open_requests(), server.open_conversations()),
        };
        assert_eq!((requests, conversations), (0, 0), "{end} is over and something is open");
        self.gone(end);
    }

    /// Nothing was said for a long time: all of it has come, on every connection that is up. Then
    /// everybody leaves.
    pub(super) fn settle(&mut self) {
        self.is_settling = true;
        let clients: Vec<_> = self.lines.keys().copied().collect();
        for &client in &clients {
            let server = self.net.peer(client);
            if self.net.is_open(client) && self.net.is_open(server) {
                self.count("settled");
                self.check_settled(client, server);
            }
        }
        for client in clients {
            let server = self.net.peer(client);
            let leaves = if self.net.random.chance(50) { client } else { server };
            self.close(leaves);
        }
    }

    fn check_settled(&mut self, client: EndId, server: EndId) {
        let line = &self.lines[&client];
        line.check_settled();
        // what waits now waits for acks that clients keep to themselves
        let (requests, acks) = line.waiting_at_server();
        let then = |it: &&Notification| it.then.as_ref().is_some_and(|(end, ..)| *end == server);
        assert_eq!(self.server.notifications.iter().filter(then).count(), requests);
        assert_eq!(self.server.waits_for(server), acks, "acks that are waited for");
        let (asked, open) = (line.open.len(), line.unacked() + requests);
        let it = self.net.machine(client).client();
        assert_eq!((it.open_requests(), it.open_conversations()), (asked, open));
        let it = self.net.machine(server).server();
        assert_eq!((it.open_requests(), it.open_conversations()), (requests, open));
    }
}
