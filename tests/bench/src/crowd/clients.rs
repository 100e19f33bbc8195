//! Many clients in one process.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hat_aio::runtime::sleep;
use hat_aio::{Runtime, chatter, eventer, juggler};
use hat_core::chatter::Data;
use hat_core::eventer::{EventType, Payload, RegisterEvent};
use hat_core::json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Drive;
use crate::side;

/// What a client is.
pub(super) trait Client: Sized + Send {
    fn connect(port: u16) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Sends `bytes` and gets as many back.
    fn burst(&mut self, bytes: Bytes) -> impl Future<Output = anyhow::Result<()>> + Send;
}

pub(super) async fn drive<R: Runtime, C: Client>(drive: Drive) -> anyhow::Result<()> {
    let mut clients = Vec::with_capacity(drive.before + drive.more);
    for _ in 0..drive.before {
        clients.push(C::connect(drive.port).await?);
    }
    // beside those that are there, whose pings go on
    R::unblock(side::ready).await?;
    for _ in 0..drive.more {
        clients.push(C::connect(drive.port).await?);
    }
    let bytes = Bytes::from(vec![7; drive.burst]);
    for client in clients.iter_mut().filter(|_| drive.burst > 0) {
        client.burst(bytes.clone()).await?;
    }
    let start = Instant::now();
    sleep::<R>(Duration::from_millis(drive.milliseconds)).await;
    let seconds = start.elapsed().as_secs_f64();
    side::done(&[("connections", drive.more as f64), ("seconds", seconds)]);
    Ok(())
}

pub(super) struct Raw(TcpStream);

impl Client for Raw {
    async fn connect(port: u16) -> anyhow::Result<Self> {
        Ok(Self(TcpStream::connect(("127.0.0.1", port)).await?))
    }

    async fn burst(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        let (mut reader, mut writer) = self.0.split();
        let mut back = vec![0; bytes.len()];
        // both at once: it may be more than what the system holds
        tokio::try_join!(writer.write_all(&bytes), reader.read_exact(&mut back))?;
        Ok(())
    }
}

pub(super) struct Chatter<R>(chatter::Connection, PhantomData<R>);

impl<R: Runtime> Client for Chatter<R> {
    async fn connect(port: u16) -> anyhow::Result<Self> {
        let options = chatter::ConnectOptions { socket: super::socket(), ..Default::default() };
        let connection = chatter::connect::<R>(("127.0.0.1", port), options).await?;
        Ok(Self(connection, PhantomData))
    }

    async fn burst(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        self.0.send(Data::new("Bench.Burst", bytes), chatter::SendOptions::default()).await?;
        self.0.receive().await?;
        Ok(())
    }
}

pub(super) struct Eventer<R>(eventer::Client, PhantomData<R>);

impl<R: Runtime> Client for Eventer<R> {
    async fn connect(port: u16) -> anyhow::Result<Self> {
        let subscriptions = vec!["gateway/7/*".parse::<EventType>()?];
        let options =
            eventer::ConnectOptions { subscriptions, ..eventer::ConnectOptions::default() };
        let client = eventer::connect::<R>(("127.0.0.1", port), "crowd", options).await?;
        Ok(Self(client, PhantomData))
    }

    async fn burst(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        let payload = Some(Payload::binary("", bytes));
        let event = RegisterEvent { payload, ..RegisterEvent::new("burst") };
        self.0.register_with_response(&[event]).await?.context("not registered")?;
        Ok(())
    }
}

/// Its pings, and the state that it follows, come by themselves.
pub(super) struct Juggler<R>(juggler::Client, PhantomData<R>);

impl<R: Runtime> Client for Juggler<R> {
    async fn connect(port: u16) -> anyhow::Result<Self> {
        let url = format!("ws://127.0.0.1:{port}/ws");
        let client = juggler::connect::<R>(&url, juggler::ConnectOptions::default()).await?;
        Ok(Self(client, PhantomData))
    }

    async fn burst(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        // text that takes no escapes
        let text = Value::from("x".repeat(bytes.len()));
        let answer = self.0.send("echo", &text).await;
        anyhow::ensure!(answer.is_ok_and(|answer| answer == text), "no echo");
        Ok(())
    }
}
