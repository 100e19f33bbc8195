//! Chatter of this library, on any runtime.

use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use hat_aio::Runtime;
use hat_aio::chatter::{ConnectOptions, Connection, ListenOptions, SendOptions, connect, listen};
use hat_aio::tls::rustls::ServerConfig;
use hat_aio::tls::{Acceptor, Connector};
use hat_core::chatter::Data;
use hat_core::sbs::ByteString;

use super::tls;
use crate::side;
use crate::side::load::Load;
use crate::side::pipe::{Answers, Asker, Flow};

/// A request that is answered with its own data.
pub(super) const ECHO: &str = "Bench.Echo";
/// A message that is counted.
pub(super) const COUNT: &str = "Bench.Count";
/// A request for how many were counted.
pub(super) const COUNTED: &str = "Bench.Counted";
/// A request for messages of the same size without end.
pub(super) const FLOOD: &str = "Bench.Flood";

/// Starts a conversation that the other side ends.
const REQUEST: SendOptions =
    SendOptions { conversation: None, last: false, token: true, timeout: None };

pub(super) async fn serve<R: Runtime>(tls: Option<Arc<ServerConfig>>) -> anyhow::Result<()> {
    let tls = tls.map(Acceptor::from_config);
    let options = ListenOptions { tls, ..ListenOptions::default() };
    let server = listen::<R>(("127.0.0.1", 0), options).await?;
    side::listening(server.addresses()[0].port());
    while let Some(connection) = server.accept().await {
        R::spawn(async move {
            // its client has gone: that is how runs end
            let _ = answer(&connection).await;
        });
    }
    Ok(())
}

async fn answer(connection: &Connection) -> anyhow::Result<()> {
    let mut counted = 0_u64;
    loop {
        let message = connection.receive().await?;
        let conversation = Some(message.conversation);
        let answer = SendOptions { conversation, ..SendOptions::default() };
        match &*message.data.r#type {
            ECHO => connection.send(message.data, answer).await?,
            COUNT => {
                counted += 1;
                continue;
            }
            COUNTED => {
                let data = Data::new(COUNTED, counted.to_be_bytes().to_vec());
                connection.send(data, answer).await?
            }
            _ => loop {
                connection.send(message.data.clone(), SendOptions::default()).await?;
            },
        };
    }
}

/// A connection to [`serve`]. Clones are of the same connection: one may ask and the other wait for
/// answers.
#[derive(Clone)]
pub(super) struct Client {
    connection: Arc<Connection>,
    payload: Bytes,
    /// The conversation of the last answer: they come in order.
    last: i64,
}

impl Client {
    pub(super) async fn new<R: Runtime>(load: &Load) -> anyhow::Result<Self> {
        let tls = load.tls.as_deref().map(tls::client).transpose()?.map(Connector::from_config);
        let options = ConnectOptions { tls, ..ConnectOptions::default() };
        let connection = connect::<R>(("127.0.0.1", load.port), options).await?;
        let payload = Bytes::from(vec![1; load.size]);
        Ok(Self { connection: Arc::new(connection), payload, last: 0 })
    }

    /// Asks for messages of `size` without end, which wait to be received.
    pub(super) async fn flood(&self, size: usize) -> anyhow::Result<()> {
        self.connection.send(Data::new(FLOOD, vec![1; size]), REQUEST).await?;
        Ok(())
    }

    /// Waits for any message.
    pub(super) async fn message(&self) -> anyhow::Result<()> {
        self.connection.receive().await?;
        Ok(())
    }
}

impl Asker for Client {
    async fn ask(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let data = Data::new(ByteString::from_static(ECHO), self.payload.clone());
            self.connection.send(data, REQUEST).await?;
        }
        Ok(())
    }
}

impl Answers for Client {
    async fn answers(&mut self) -> anyhow::Result<usize> {
        let message = self.connection.receive().await?;
        let first = message.conversation.first_id;
        ensure!(message.last && first > self.last, "an answer to {first} after {}", self.last);
        self.last = first;
        Ok(1)
    }
}

impl Flow for Client {
    async fn send(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let data = Data::new(ByteString::from_static(COUNT), self.payload.clone());
            self.connection.send(data, SendOptions::default()).await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> anyhow::Result<u64> {
        self.connection.send(Data::new(COUNTED, Bytes::new()), REQUEST).await?;
        let message = self.connection.receive().await?;
        Ok(u64::from_be_bytes(message.data.data.as_ref().try_into()?))
    }
}
