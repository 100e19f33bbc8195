//! The write of the same bytes to as many sockets: what telling one more client cannot do without.
//!
//! ```text
//! first connection ──count──> server ──count x bytes──> each of the others
//! ```

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::events;
use super::notify::{Arrivals, Asker, Counter, Drive, rounds};
use crate::side;

/// The bytes of a notification.
fn notification() -> Vec<u8> {
    vec![1; events::wire_len(&events::notifications()[0])]
}

pub(super) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    side::listening(listener.local_addr()?.port());
    let (mut asks, _) = listener.accept().await?;
    asks.set_nodelay(true)?;
    let mut told = Vec::new();
    for _ in 0..asks.read_u32().await? {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        told.push(stream);
    }
    let bytes = notification();
    while let Ok(count) = asks.read_u32().await {
        for _ in 0..count {
            for stream in &mut told {
                stream.write_all(&bytes).await?;
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

pub(super) async fn drive(drive: Drive) -> anyhow::Result<()> {
    let round = drive.round();
    let told = Arrivals::new(round * notification().len() * drive.clients);
    let mut asks = TcpStream::connect(("127.0.0.1", drive.port)).await?;
    asks.set_nodelay(true)?;
    asks.write_u32(u32::try_from(drive.clients)?).await?;
    for _ in 0..drive.clients {
        let stream = TcpStream::connect(("127.0.0.1", drive.port)).await?;
        tokio::spawn(follow(stream, told.counter.clone()));
    }
    rounds(&drive, &told, (asks, u32::try_from(round)?)).await
}

impl Asker for (TcpStream, u32) {
    async fn ask(&mut self) -> anyhow::Result<()> {
        Ok(self.0.write_u32(self.1).await?)
    }
}

async fn follow(mut stream: TcpStream, counter: Counter) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        counter.add(count);
    }
}
