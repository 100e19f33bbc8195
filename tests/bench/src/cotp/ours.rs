//! This library, on any runtime.

use std::time::Instant;

use bytes::Bytes;
use hat_aio::Runtime;
use hat_aio::cotp::{ConnectOptions, connect, listen};
use hat_core::cotp::{Config, Receive};

use super::Drive;
use crate::side;
use crate::side::load::Done;

fn options() -> ConnectOptions {
    let config = Config { receive: Receive::Parts, ..Config::default() };
    ConnectOptions { config, ..ConnectOptions::default() }
}

/// Echoes messages part by part, as they come.
pub(super) async fn serve<R: Runtime>() -> anyhow::Result<()> {
    let server = listen::<R>(("127.0.0.1", 0), options().into()).await?;
    side::listening(server.addresses()[0].port());
    if let Some(connection) = server.accept().await {
        while let Ok(part) = connection.receive_part().await {
            connection.send_part(part.data, part.end).await?;
        }
    }
    Ok(())
}

pub(super) async fn drive<R: Runtime>(drive: Drive) -> anyhow::Result<Done> {
    let connection = connect::<R>(("127.0.0.1", drive.port), options()).await?;
    let message = Bytes::from(vec![1; drive.size]);
    side::ready();
    let (start, mut sent, mut received) = (Instant::now(), 0, 0);
    loop {
        while sent - received < drive.window && start.elapsed() < drive.time() {
            connection.send(message.clone()).await?;
            sent += 1;
        }
        if received == sent {
            let seconds = start.elapsed().as_secs_f64();
            return Ok(Done { messages: received, size: drive.size, seconds });
        }
        while !connection.receive_part().await?.end {}
        received += 1;
    }
}
