//! A relay: it accepts connections with our server and hands every message on over our client.

use std::net::SocketAddr;

use hat_aio::cotp::{Connection, Error, Server};
use hat_core::cotp::Config;
use hat_tests::runtimes::{TestRuntime, within};

use crate::{client, server};

/// Our server before a peer's. It ends when this is dropped.
pub(crate) struct Relay {
    server: Server,
    target: SocketAddr,
}

/// The two connections of a relay, while messages go through it.
pub(crate) struct RelayConnections {
    /// From the peer's client.
    pub(crate) front: Connection,
    /// To the peer's server.
    pub(crate) back: Connection,
}

/// How a relayed connection has ended.
pub(crate) struct RelayEnd {
    /// Why nothing more came from the peer's client.
    pub(crate) front: Error,
    /// Why nothing more came from the peer's server.
    pub(crate) back: Error,
    /// Messages from the client to the server.
    pub(crate) requests: usize,
    /// Messages from the server to the client.
    pub(crate) answers: usize,
}

impl Relay {
    pub(crate) async fn to<R: TestRuntime>(target: SocketAddr) -> Self {
        Self { server: server::<R>(Config::default()).await, target }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// Takes one connection and makes the one behind it, with the selectors that the client asked
    /// for.
    pub(crate) async fn accept<R: TestRuntime>(&self) -> RelayConnections {
        let front = self.server.accept().await.expect("a client connects");
        let asked = front.info().agreed;
        let config = Config {
            local_selector: asked.remote_selector,
            remote_selector: asked.local_selector,
            ..Config::default()
        };
        let back = client::<R>(self.target, config).await.expect("the server confirms");
        RelayConnections { front, back }
    }
}

impl RelayConnections {
    /// Hands messages on in both directions until both peers have ended.
    pub(crate) async fn run<R: TestRuntime>(self) -> RelayEnd {
        let Self { front, back } = self;
        let (sender, answered) = tokio::sync::oneshot::channel();
        let (from, to) = (back.clone(), front.clone());
        R::spawn(async move {
            let _ = sender.send(forward(&from, &to).await);
        });
        let (front, requests) = forward(&front, &back).await;
        let answered = within::<R, _>(std::time::Duration::from_secs(10), answered).await;
        let (back, answers) = answered.expect("the server ends too").expect("the task ends");
        RelayEnd { front, back, requests, answers }
    }
}

/// Hands on what comes from `from`, and its end.
async fn forward(from: &Connection, to: &Connection) -> (Error, usize) {
    let mut messages = 0;
    loop {
        match from.receive().await {
            Ok(message) => {
                // where the other side is gone already, its own end tells why
                if to.send(message).await.is_ok() {
                    messages += 1;
                }
            }
            Err(end) => {
                to.close().await;
                return (end, messages);
            }
        }
    }
}
