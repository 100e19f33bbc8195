//! Clients of a server that may still be starting.

use std::time::{Duration, Instant};

use hat_aio::eventer::{Client, ConnectOptions, connect};
use hat_core::eventer::RegisterEvent;
use hat_tokio::Tokio;

/// It takes no longer until a server listens and registers.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// One whose server registers; the first of `events` are, to know.
pub(super) async fn connected(port: u16, events: &[RegisterEvent]) -> anyhow::Result<Client> {
    let start = Instant::now();
    loop {
        match connect::<Tokio>(("127.0.0.1", port), "bench", ConnectOptions::default()).await {
            Ok(client) => {
                while client.register_with_response(events).await?.is_none() {
                    anyhow::ensure!(start.elapsed() < PATIENCE, "the server registers nothing");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                return Ok(client);
            }
            Err(error) if start.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A connection to a server of another kind, once it listens.
pub(super) async fn socket(port: u16) -> anyhow::Result<tokio::net::TcpStream> {
    let start = Instant::now();
    loop {
        match tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if start.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
