//! Tokio's TCP, with as many bytes as the packets have.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Drive;
use crate::side;
use crate::side::load::Done;

pub(super) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    side::listening(listener.local_addr()?.port());
    let (mut stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}

pub(super) async fn drive(drive: Drive) -> anyhow::Result<Done> {
    let stream = TcpStream::connect(("127.0.0.1", drive.port)).await?;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.into_split();
    let message = vec![1; drive.wire_len()];
    let mut buffer = vec![0; 64 * 1024];
    side::ready();
    let (start, mut sent, mut received) = (Instant::now(), 0, 0);
    loop {
        // both at once: a message may be larger than what the system holds
        let write = async {
            let more =
                if start.elapsed() < drive.time() { drive.window - (sent - received) } else { 0 };
            for _ in 0..more {
                writer.write_all(&message).await?;
            }
            anyhow::Ok(more)
        };
        let read = async {
            let mut missing = message.len();
            while missing > 0 {
                let most = missing.min(buffer.len());
                match reader.read(&mut buffer[..most]).await? {
                    0 => anyhow::bail!("the server ended"),
                    count => missing -= count,
                }
            }
            Ok(())
        };
        let (more, ()) = tokio::try_join!(write, read)?;
        sent += more;
        received += 1;
        if received == sent && start.elapsed() >= drive.time() {
            let seconds = start.elapsed().as_secs_f64();
            return Ok(Done { messages: received, size: drive.size, seconds });
        }
    }
}
