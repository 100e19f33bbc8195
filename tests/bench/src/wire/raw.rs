//! Tokio's TCP with as many bytes as Chatter's messages have, and nothing that looks at them: the
//! limit.
//!
//! ```text
//! client ── 'e' ──> bytes ──> server: the same bytes back
//! client ── 'c' ──> bytes, end ──> server: their count, 8 bytes
//! ```

use std::sync::Arc;

use hat_aio::tls::rustls::ServerConfig;
use hat_aio::tls::rustls::pki_types::ServerName;
use hat_core::chatter::{Config, Connection, Data, SendOptions};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{ours, tls};
use crate::side;
use crate::side::load::Load;
use crate::side::pipe::{Answers, Asker, Flow};

/// Bytes of a write and of a read.
const CHUNK: usize = 64 * 1024;

/// A connection, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

pub(super) async fn serve(tls: Option<Arc<ServerConfig>>) -> anyhow::Result<()> {
    let acceptor = tls.map(TlsAcceptor::from);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    side::listening(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match acceptor.clone() {
            None => drop(tokio::spawn(answer(stream))),
            Some(acceptor) => {
                tokio::spawn(async move { answer(acceptor.accept(stream).await?).await });
            }
        }
    }
}

async fn answer(mut stream: impl Stream) -> anyhow::Result<()> {
    let echoes = stream.read_u8().await? == b'e';
    let (mut buffer, mut counted) = (vec![0; CHUNK], 0);
    loop {
        match stream.read(&mut buffer).await? {
            0 => break,
            count if echoes => {
                stream.write_all(&buffer[..count]).await?;
                // TLS may keep what the socket did not take
                stream.flush().await?;
            }
            count => counted += count as u64,
        }
    }
    stream.write_u64(counted).await?;
    Ok(stream.flush().await?)
}

/// Bytes that Chatter takes for a message.
fn wire_len(r#type: &'static str, size: usize, last: bool) -> anyhow::Result<usize> {
    let mut machine = Connection::new(Config::default(), Instant::ORIGIN);
    let options = SendOptions { conversation: None, last, token: true, timeout: None };
    machine.send(Data::new(r#type, vec![1; size]), options)?;
    Ok(bytes::Buf::remaining(machine.tx()))
}

/// The ends of a connection: one call through a table for each system call.
type ReadEnd = Box<dyn AsyncRead + Send + Unpin>;
type WriteEnd = Box<dyn AsyncWrite + Send + Unpin>;

async fn connect(load: &Load, mode: u8) -> anyhow::Result<(ReadEnd, WriteEnd)> {
    let stream = TcpStream::connect(("127.0.0.1", load.port)).await?;
    stream.set_nodelay(true)?;
    let (reader, mut writer): (ReadEnd, WriteEnd) = match &load.tls {
        None => {
            let (reader, writer) = stream.into_split();
            (Box::new(reader), Box::new(writer))
        }
        Some(file) => {
            let connector = TlsConnector::from(tls::client(file)?);
            let name = ServerName::try_from("127.0.0.1")?;
            let (reader, writer) = tokio::io::split(connector.connect(name, stream).await?);
            (Box::new(reader), Box::new(writer))
        }
    };
    writer.write_u8(mode).await?;
    writer.flush().await?;
    Ok((reader, writer))
}

/// The halves of a connection that is echoed.
pub(super) async fn echo(load: &Load) -> anyhow::Result<(Writer, Reader)> {
    let (reader, writer) = connect(load, b'e').await?;
    let len = wire_len(ours::ECHO, load.size, false)?;
    let writer = Writer { writer, len, bytes: Vec::new() };
    Ok((writer, Reader { reader, len, buffer: vec![0; CHUNK], rest: 0 }))
}

pub(super) struct Writer {
    writer: WriteEnd,
    len: usize,
    /// As many as were written at once so far.
    bytes: Vec<u8>,
}

impl Asker for Writer {
    async fn ask(&mut self, count: usize) -> anyhow::Result<()> {
        let len = count * self.len;
        if self.bytes.len() < len {
            self.bytes.resize(len, 1);
        }
        self.writer.write_all(&self.bytes[..len]).await?;
        Ok(self.writer.flush().await?)
    }
}

pub(super) struct Reader {
    reader: ReadEnd,
    len: usize,
    buffer: Vec<u8>,
    /// Bytes of a message that is not all here.
    rest: usize,
}

impl Answers for Reader {
    async fn answers(&mut self) -> anyhow::Result<usize> {
        while self.rest < self.len {
            match self.reader.read(&mut self.buffer).await? {
                0 => anyhow::bail!("the server ended"),
                count => self.rest += count,
            }
        }
        let count = self.rest / self.len;
        self.rest %= self.len;
        Ok(count)
    }
}

/// A connection whose bytes are counted.
pub(super) struct CountedConnection {
    reader: ReadEnd,
    writer: WriteEnd,
    len: usize,
    chunk: Vec<u8>,
    /// Bytes of messages that do not fill a write.
    waiting: usize,
}

impl CountedConnection {
    pub(super) async fn new(load: &Load) -> anyhow::Result<Self> {
        let (reader, writer) = connect(load, b'c').await?;
        let len = wire_len(ours::COUNT, load.size, true)?;
        Ok(Self { reader, writer, len, chunk: vec![1; CHUNK], waiting: 0 })
    }
}

impl Flow for CountedConnection {
    async fn send(&mut self, count: usize) -> anyhow::Result<()> {
        self.waiting += count * self.len;
        while self.waiting >= CHUNK {
            self.writer.write_all(&self.chunk).await?;
            self.waiting -= CHUNK;
        }
        Ok(())
    }

    async fn finish(&mut self) -> anyhow::Result<u64> {
        self.writer.write_all(&self.chunk[..self.waiting]).await?;
        self.writer.shutdown().await?;
        Ok(self.reader.read_u64().await? / self.len as u64)
    }
}
