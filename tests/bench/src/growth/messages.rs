//! Many messages over one connection.

use clap::Args;
use hat_aio::chatter::{ConnectOptions, SendOptions, connect};
use hat_core::chatter::Data;
use hat_tokio::Tokio;

use crate::side;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Drive {
    port: u16,
    messages: usize,
}

/// Messages that are on their way at a time.
const WINDOW: usize = 256;

pub(super) async fn drive(drive: Drive) -> anyhow::Result<()> {
    let connection = connect::<Tokio>(("127.0.0.1", drive.port), ConnectOptions::default()).await?;
    let data = Data::new("Bench.Echo", vec![7; 64]);
    side::ready();
    let mut sent = 0;
    for received in 0..drive.messages {
        while sent < drive.messages.min(received + WINDOW) {
            connection.send(data.clone(), SendOptions::default()).await?;
            sent += 1;
        }
        connection.receive().await?;
    }
    side::done(&[("messages", drive.messages as f64)]);
    Ok(())
}
