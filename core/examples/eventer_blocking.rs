//! An event client on a plain blocking socket: `cargo run -p hat-core --example eventer_blocking -- 127.0.0.1:23012 plant/boiler`.
//!
//! It subscribes to a type, registers an event of it, and prints what the server tells.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant as Clock};

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::eventer::client::{Client, Config, Incoming};
use hat_core::eventer::message::InitReq;
use hat_core::eventer::{EventType, Payload, RegisterEvent};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:23012".into());
    let event_type: EventType =
        arguments.next().unwrap_or_else(|| "plant/boiler".into()).parse()?;

    let origin = Clock::now();
    let init = InitReq {
        client_name: "blocking".into(),
        subscriptions: vec![event_type.clone()],
        ..InitReq::default()
    };
    let client = Client::new(Config::default(), &init, Instant::ORIGIN)?;
    let mut line =
        Line { socket: TcpStream::connect(address)?, client, rx: RecvBuf::new(), origin };

    loop {
        match line.next()? {
            Incoming::Ready(status) => {
                println!("the server is {status}");
                let payload = Some(Payload::binary("text", &b"hello"[..]));
                let event = RegisterEvent { payload, ..RegisterEvent::new(event_type.clone()) };
                line.client.register(&[event])?;
            }
            Incoming::Events { events, ack, .. } => {
                for event in &events {
                    println!("{} at {}", event.event_type, event.timestamp);
                }
                if let Some(ack) = ack {
                    line.client.ack(ack)?;
                }
                line.client.close();
                line.flush()?;
                return Ok(());
            }
            other => println!("{other:?}"),
        }
    }
}

/// The machine, and what drives it.
struct Line {
    socket: TcpStream,
    client: Client,
    rx: RecvBuf,
    origin: Clock,
}

impl Line {
    /// Waits for the next thing.
    fn next(&mut self) -> Result<Incoming, Box<dyn std::error::Error>> {
        loop {
            let now = Instant::from_origin(self.origin.elapsed());
            let polled = self.client.poll(&mut self.rx, now)?;
            self.flush()?;
            if let Polled::Incoming(incoming) = polled {
                return Ok(incoming);
            }
            let wait = self
                .client
                .deadline()
                .map(|at| at.since_origin().saturating_sub(now.since_origin()));
            // no time at all would mean no limit
            self.socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
            let mut bytes = [0; 16 * 1024];
            match self.socket.read(&mut bytes) {
                Ok(0) => self.rx.eof = true,
                Ok(count) => self.rx.feed(&bytes[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let tx = self.client.tx();
        while tx.has_remaining() {
            let count = self.socket.write(tx.chunk())?;
            tx.advance(count);
        }
        Ok(())
    }
}
