//! WebSocket by tokio-tungstenite, as its examples have it.

use anyhow::Context;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::side;
use crate::side::load::Load;
use crate::side::pipe::{self, Answers, Asker};

pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    side::listening(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (outgoing, incoming) = accept_async(stream).await?.split();
    let data = incoming.try_filter(|message| future::ready(message.is_binary()));
    Ok(data.forward(outgoing).await?)
}

pub(crate) async fn drive(load: &Load) -> anyhow::Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", load.port)).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(format!("ws://127.0.0.1:{}/", load.port), stream).await?;
    let mut client = Client { socket, data: vec![1; load.size].into() };
    pipe::echo(&mut client, load).await?.tell();
    Ok(())
}

struct Client {
    socket: WebSocketStream<TcpStream>,
    data: Bytes,
}

impl Asker for Client {
    async fn ask(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            self.socket.feed(Message::Binary(self.data.clone())).await?;
        }
        Ok(self.socket.flush().await?)
    }
}

impl Answers for Client {
    async fn answers(&mut self) -> anyhow::Result<usize> {
        loop {
            let message = self.socket.next().await.context("the server ended")??;
            if message.is_binary() {
                return Ok(1);
            }
        }
    }
}
