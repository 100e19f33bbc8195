//! The WebSocket machine of this library on Tokio's TCP: the loop that its documentation has, poll,
//! write, wait.

use anyhow::ensure;
use bytes::{Buf, Bytes};
use hat_core::buffer::RecvBuf;
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Incoming, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::side;
use crate::side::load::Load;
use crate::side::pipe::{self, Answers, Asker};

/// Room for bytes that a read has at least.
const CHUNK: usize = 16 * 1024;

/// A connection with its socket. No ping and no deadline of it matters here, so its clock stands
/// still.
struct Socket {
    stream: TcpStream,
    machine: Connection,
    rx: RecvBuf,
    /// Bytes that the machine needs before it can go on.
    missing: usize,
}

impl Socket {
    fn new(stream: TcpStream, machine: Connection) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, machine, rx: RecvBuf::new(), missing: 0 })
    }

    /// What has arrived and was not taken yet.
    fn poll(&mut self) -> anyhow::Result<Option<Incoming>> {
        let polled = self.machine.poll(&mut self.rx, Instant::ORIGIN)?;
        self.missing = polled.missing();
        Ok(polled.incoming())
    }

    /// Writes what is queued.
    async fn flush(&mut self) -> anyhow::Result<()> {
        while self.machine.tx().has_remaining() {
            self.stream.write_buf(self.machine.tx()).await?;
        }
        Ok(())
    }

    /// Waits for bytes.
    async fn read(&mut self) -> anyhow::Result<()> {
        // a large message is reserved once
        self.rx.bytes.reserve(self.missing.max(CHUNK));
        ensure!(self.stream.read_buf(&mut self.rx.bytes).await? > 0, "the other side ended");
        Ok(())
    }

    /// Answers what comes, until the other side ends.
    async fn answer(mut self) -> anyhow::Result<()> {
        loop {
            while let Some(incoming) = self.poll()? {
                match incoming {
                    Incoming::Request(_) => self.machine.confirm(&Response::default())?,
                    Incoming::Binary(data) => self.machine.send_binary(&data)?,
                    _ => {}
                }
            }
            self.flush().await?;
            self.read().await?;
        }
    }
}

pub(super) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    side::listening(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        let machine = Connection::accept(Config::default(), Instant::ORIGIN);
        tokio::spawn(Socket::new(stream, machine)?.answer());
    }
}

pub(super) async fn drive(load: Load) -> anyhow::Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", load.port)).await?;
    let request = Request::new("127.0.0.1", "/");
    // any seed: nobody looks for patterns in it here
    let config = Config { mask_seed: 1, ..Config::default() };
    let machine = Connection::connect(config, request, Instant::ORIGIN)?;
    let mut client =
        Client { socket: Socket::new(stream, machine)?, data: vec![1; load.size].into() };
    client.socket.flush().await?;
    while !client.socket.machine.is_open() {
        client.socket.read().await?;
        client.socket.poll()?;
    }
    pipe::echo(&mut client, &load).await?.tell();
    Ok(())
}

struct Client {
    socket: Socket,
    data: Bytes,
}

impl Asker for Client {
    async fn ask(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            self.socket.machine.send_binary(&self.data)?;
        }
        self.socket.flush().await
    }
}

impl Answers for Client {
    async fn answers(&mut self) -> anyhow::Result<usize> {
        loop {
            // all that is here: so that as many are sent again at once
            let mut count = 0;
            while let Some(incoming) = self.socket.poll()? {
                count += usize::from(matches!(incoming, Incoming::Binary(_)));
            }
            if count > 0 {
                return Ok(count);
            }
            self.socket.read().await?;
        }
    }
}
