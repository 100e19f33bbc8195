//! NATS: `nats-server` between a client and a subscriber that answers.
//!
//! ```text
//! client ──> nats-server ──> subscriber      the last two are the server's side of a run
//! ```

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use async_nats::ConnectOptions;
use bytes::Bytes;
use futures_util::StreamExt;

use crate::call::{self, Call};
use crate::side;
use crate::side::load::{Load, Task};
use crate::side::pipe::{self, Flow};

const ECHO: &str = "bench.echo";
const COUNT: &str = "bench.count";

/// Bytes, and messages, that are published before the subscriber has confirmed those before: what
/// is too much for a subscriber is thrown away, by the library and by the server.
const CREDIT_BYTES: usize = 8 * 1024 * 1024;
const CREDIT_MESSAGES: usize = 16 * 1024;

async fn connect(port: u16) -> anyhow::Result<async_nats::Client> {
    let options = ConnectOptions::new().subscription_capacity(4 * CREDIT_MESSAGES);
    Ok(options.connect(format!("nats://127.0.0.1:{port}")).await?)
}

pub(crate) async fn serve() -> anyhow::Result<()> {
    // it writes its port into a file only
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let mut server = Command::new("nats-server")
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-l", "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("nats-server")?;
    let mut attempts = 0;
    let client = loop {
        match connect(port).await {
            Ok(client) => break client,
            Err(error) if attempts == 100 => return Err(error),
            Err(_) => attempts += 1,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let mut echoes = client.subscribe(ECHO).await?;
    let mut counts = client.subscribe(COUNT).await?;
    client.flush().await?;
    side::listening_until(port, move || {
        // it may have ended by itself
        let _ = server.kill();
        let _ = server.wait();
    });
    let answering = client.clone();
    tokio::spawn(async move {
        while let Some(message) = echoes.next().await {
            if let Some(reply) = message.reply {
                answering.publish(reply, message.payload).await?;
            }
        }
        anyhow::Ok(())
    });
    let mut counted = 0_u64;
    while let Some(message) = counts.next().await {
        match message.reply {
            None => counted += 1,
            Some(reply) => {
                let payload = counted.to_be_bytes().to_vec();
                client.publish(reply, payload.into()).await?;
            }
        }
    }
    Ok(())
}

pub(crate) async fn drive(load: &Load) -> anyhow::Result<()> {
    match load.task {
        Task::OneWay => {
            let mut flow = Publisher {
                client: connect(load.port).await?,
                payload: vec![1; load.size].into(),
                waiting: 0,
            };
            pipe::one_way(&mut flow, load).await?.tell();
            Ok(())
        }
        _ => call::run::<Client>(load).await,
    }
}

#[derive(Clone)]
struct Client {
    client: async_nats::Client,
    payload: Bytes,
}

impl Call for Client {
    async fn connect(load: &Load) -> anyhow::Result<Self> {
        let payload = vec![1; load.size].into();
        Ok(Self { client: connect(load.port).await?, payload })
    }

    async fn call(&mut self) -> anyhow::Result<()> {
        let message = self.client.request(ECHO, self.payload.clone()).await?;
        let len = message.payload.len();
        ensure!(len == self.payload.len(), "an answer of {len} bytes");
        Ok(())
    }
}

struct Publisher {
    client: async_nats::Client,
    payload: Bytes,
    /// Messages since the last ones that the subscriber has confirmed.
    waiting: usize,
}

impl Flow for Publisher {
    async fn send(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            self.client.publish(COUNT, self.payload.clone()).await?;
        }
        self.waiting += count;
        if self.waiting >= CREDIT_MESSAGES.min(CREDIT_BYTES / self.payload.len()) {
            self.finish().await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> anyhow::Result<u64> {
        self.waiting = 0;
        let message = self.client.request(COUNT, Bytes::new()).await?;
        Ok(u64::from_be_bytes(message.payload.as_ref().try_into()?))
    }
}
