//! What the connections of the simple protocols have in common: whole messages, both ways.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hat_aio::chatter::{self, SendOptions};
use hat_aio::server::{AcceptOptions, Server};
use hat_aio::{cotp, tcp, tpkt};
use hat_core::chatter::{Config, Data, PingRule};
use hat_core::cotp::Receive;
use hat_tests::simulated::{Simulated, World};

use super::draw;

/// A connection that carries messages.
pub(super) trait Line: Clone + Send + Sync + Sized + 'static {
    /// Bytes of a large message: more than what may be queued before a send waits, where there can
    /// be such.
    const LARGE: usize = 400_000;

    /// Refused attempts give `None`.
    fn connect(address: SocketAddr) -> impl Future<Output = Option<Self>> + Send;
    fn listen() -> impl Future<Output = Server<Self>> + Send;
    /// Whether it is on its way. Dropped before it is ready, nothing is.
    fn send(&self, message: Bytes) -> impl Future<Output = bool> + Send;
    /// The next message, or whether the end is an orderly one, and what it is.
    fn receive(&self) -> impl Future<Output = Result<Bytes, (bool, String)>> + Send;
    fn drain(&self) -> impl Future<Output = bool> + Send;
    /// Whether the end is an orderly one.
    fn close(&self) -> impl Future<Output = bool> + Send;
    fn closed(&self) -> impl Future<Output = String> + Send;
    fn addresses(&self) -> [SocketAddr; 2];
}

const ANY: ([u8; 4], u16) = ([10, 0, 0, 1], 0);

fn accept() -> AcceptOptions {
    let is_calm = World::current().is_calm();
    let max_connections = if is_calm { 100 } else { draw(|random| random.pick(&[1, 2, 100])) };
    AcceptOptions { max_connections, ..AcceptOptions::default() }
}

/// Small ones, so that they are full at times.
fn inbox() -> chatter::InboxLimits {
    let (messages, bytes) =
        draw(|random| (random.pick(&[1, 2, 100]), random.pick(&[1, 5_000, 1 << 20])));
    chatter::InboxLimits { messages, bytes, ..Default::default() }
}

macro_rules! ends {
    () => {
        async fn drain(&self) -> bool {
            self.drain().await.is_ok()
        }

        async fn closed(&self) -> String {
            self.closed().await.to_string()
        }

        fn addresses(&self) -> [SocketAddr; 2] {
            [self.local_address(), self.remote_address()]
        }
    };
}

/// What a side of Chatter is made with: pings that no calm network lets run out, or none.
pub(super) fn chatter_config() -> Config {
    draw(|random| {
        let delay = Duration::from_secs(random.within(20..=60) as u64);
        let rules = [
            PingRule::Off,
            PingRule::Off,
            PingRule::WhenIdle { delay, timeout: Duration::from_secs(3000) },
            PingRule::Every { interval: 3 * delay },
        ];
        Config {
            ping: random.pick(&rules),
            max_queued: random.pick(&[2_000, 100_000, 16 << 20]),
            ..Config::default()
        }
    })
}

impl Line for chatter::Connection {
    async fn connect(address: SocketAddr) -> Option<Self> {
        let options = chatter::ConnectOptions {
            config: chatter_config(),
            inbox: inbox(),
            ..Default::default()
        };
        chatter::connect::<Simulated>(address, options).await.ok()
    }

    async fn listen() -> Server<Self> {
        let options = chatter::ListenOptions {
            config: chatter_config(),
            inbox: inbox(),
            accept: accept(),
            ..Default::default()
        };
        chatter::listen::<Simulated>(SocketAddr::from(ANY), options).await.expect("it listens")
    }

    async fn send(&self, message: Bytes) -> bool {
        let data = Data::new("Test.Message", message);
        self.send(data, SendOptions::default()).await.is_ok()
    }

    async fn receive(&self) -> Result<Bytes, (bool, String)> {
        match self.receive().await {
            Ok(message) => Ok(message.data.data),
            Err(error) => {
                let is_orderly = error.protocol() == Some(&hat_core::chatter::Error::Closed);
                Err((is_orderly, error.to_string()))
            }
        }
    }

    async fn close(&self) -> bool {
        self.close().await.protocol() == Some(&hat_core::chatter::Error::Closed)
    }

    ends!();
}

impl Line for tpkt::Connection {
    const LARGE: usize = 60_000;

    async fn connect(address: SocketAddr) -> Option<Self> {
        let options = tpkt::ConnectOptions { inbox: inbox(), ..Default::default() };
        tpkt::connect::<Simulated>(address, options).await.ok()
    }

    async fn listen() -> Server<Self> {
        let options =
            tpkt::ListenOptions { inbox: inbox(), accept: accept(), ..Default::default() };
        tpkt::listen::<Simulated>(SocketAddr::from(ANY), options).await.expect("it listens")
    }

    async fn send(&self, message: Bytes) -> bool {
        self.send(message).await.is_ok()
    }

    async fn receive(&self) -> Result<Bytes, (bool, String)> {
        self.receive().await.map_err(|error| {
            (error.protocol() == Some(&hat_core::tpkt::Error::Closed), error.to_string())
        })
    }

    async fn close(&self) -> bool {
        self.close().await.protocol() == Some(&hat_core::tpkt::Error::Closed)
    }

    ends!();
}

impl Line for cotp::Connection {
    async fn connect(address: SocketAddr) -> Option<Self> {
        let mut options = cotp::ConnectOptions { inbox: inbox(), ..Default::default() };
        options.config.receive = receive();
        cotp::connect::<Simulated>(address, options).await.ok()
    }

    async fn listen() -> Server<Self> {
        let mut options =
            cotp::ListenOptions { inbox: inbox(), accept: accept(), ..Default::default() };
        options.config.receive = receive();
        cotp::listen::<Simulated>(SocketAddr::from(ANY), options).await.expect("it listens")
    }

    async fn send(&self, message: Bytes) -> bool {
        self.send(message).await.is_ok()
    }

    async fn receive(&self) -> Result<Bytes, (bool, String)> {
        self.receive().await.map_err(|error| {
            (error.protocol() == Some(&hat_core::cotp::Error::Closed), error.to_string())
        })
    }

    async fn close(&self) -> bool {
        self.close().await.protocol() == Some(&hat_core::cotp::Error::Closed)
    }

    ends!();
}

fn receive() -> Receive {
    draw(|random| random.pick(&[Receive::Whole, Receive::Parts]))
}

impl Line for tcp::Connection {
    async fn connect(address: SocketAddr) -> Option<Self> {
        let options = tcp::ConnectOptions { input_buffer_limit: limit(), ..Default::default() };
        tcp::connect::<Simulated>(address, options).await.ok()
    }

    async fn listen() -> Server<Self> {
        let options = tcp::ListenOptions {
            input_buffer_limit: limit(),
            accept: accept(),
            ..Default::default()
        };
        tcp::listen::<Simulated>(SocketAddr::from(ANY), options).await.expect("it listens")
    }

    /// A message is its length and its bytes.
    async fn send(&self, message: Bytes) -> bool {
        let framed = [&(message.len() as u32).to_be_bytes()[..], &message].concat();
        self.write(framed).await.is_ok()
    }

    async fn receive(&self) -> Result<Bytes, (bool, String)> {
        let message = async {
            // in one take, so that one that is given up has taken nothing
            let length = self.read_exact(4).await?;
            let length = u32::from_be_bytes(length[..].try_into().expect("four bytes"));
            if length == 0 { Ok(Bytes::new()) } else { self.read_exact(length as usize).await }
        };
        message.await.map_err(|error: tcp::Error| {
            (error.protocol() == Some(&hat_core::tcp::Error::Closed), error.to_string())
        })
    }

    async fn close(&self) -> bool {
        self.close().await.protocol() == Some(&hat_core::tcp::Error::Closed)
    }

    ends!();
}

fn limit() -> usize {
    draw(|random| random.pick(&[1, 100, 65536]))
}
