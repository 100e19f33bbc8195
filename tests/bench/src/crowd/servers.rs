//! Servers that echo, a task a connection.

use hat_aio::Runtime;
use hat_aio::chatter::{Connection, ListenOptions, SendOptions, listen};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::side;

pub(super) async fn chatter<R: Runtime>() -> anyhow::Result<()> {
    let mut options = ListenOptions::default();
    options.accept.socket = super::socket();
    let server = listen::<R>(("127.0.0.1", 0), options).await?;
    side::listening(server.addresses()[0].port());
    while let Some(connection) = server.accept().await {
        R::spawn(echo(connection));
    }
    Ok(())
}

async fn echo(connection: Connection) {
    while let Ok(message) = connection.receive().await {
        // where it is over, the next message says so
        let _ = connection.send(message.data, SendOptions::default()).await;
    }
}

pub(super) async fn raw() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    side::listening(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo_bytes(stream));
    }
}

/// With a buffer only while there is something to read, so that nothing is left to spare.
async fn echo_bytes(mut stream: TcpStream) {
    while stream.readable().await.is_ok() {
        let mut bytes = Vec::with_capacity(64 * 1024);
        match stream.try_read_buf(&mut bytes) {
            Ok(0) => return,
            Ok(_) if stream.write_all(&bytes).await.is_err() => return,
            // or it was not readable after all
            _ => {}
        }
    }
}
