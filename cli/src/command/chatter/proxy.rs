//! `hat chatter proxy`: bytes go through, and what they mean is printed.

use anyhow::Result;
use bytes::Bytes;
use hat_aio::tcp::{ConnectOptions, Connection, ListenOptions, connect, listen};
use hat_aio::{Address, Runtime};
use hat_core::eventer::Timestamp;
use serde_json::json;
use smol::channel::{Sender, bounded};

use super::frames::{Decoder, Frame};
use crate::args::{ProxyArgs, Speaks};
use crate::exit::{Failure, say, shown};
use crate::interrupt::Interrupt;
use crate::listening;
use crate::output;

/// Octets that are passed on at once.
const PART: usize = 64 * 1024;

/// How frames are printed.
#[derive(Clone, Copy)]
struct Style {
    json: bool,
    most: usize,
    speaks: Option<Speaks>,
}

/// Who says something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

pub(super) async fn proxy<R: Runtime>(args: ProxyArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let at = args.listen.clone();
    let server = listen::<R>(args.listen, ListenOptions::default()).await;
    let server = server.map_err(|error| Failure::CannotListen(error.to_string()))?;
    listening::say(&at, server.addresses());
    let style = Style { json: args.json, most: args.most, speaks: args.speaks };
    let (sender, failed) = bounded(1);
    let serve = async {
        let mut number = 0;
        while let Some(client) = server.accept().await {
            number += 1;
            let (address, sender) = (args.address.clone(), sender.clone());
            R::spawn(between::<R>(client, address, number, style, sender));
        }
        Ok(())
    };
    let failed = async { failed.recv().await.map_or(Ok(()), Err) };
    let ended = interrupt.or(smol::future::or(failed, serve)).await;
    server.close().await;
    ended.unwrap_or(Ok(()))
}

/// One client and the server, to the end of both.
async fn between<R: Runtime>(
    client: Connection,
    address: Address,
    number: u64,
    style: Style,
    failed: Sender<anyhow::Error>,
) {
    let from = client.info().remote_address;
    let server = match connect::<R>(address, ConnectOptions::default()).await {
        Ok(server) => server,
        Err(error) => {
            say(&format!("#{number} {from}: {error}"));
            return;
        }
    };
    say(&format!("#{number} {from} connected"));
    // the client speaks first in all of these, and what it speaks both do
    let (tell, told) = bounded(1);
    let there = pass(
        &client,
        &server,
        Printer::new(number, Side::Client, style),
        async { None },
        Some(tell),
    );
    let back = pass(
        &server,
        &client,
        Printer::new(number, Side::Server, style),
        async { told.recv().await.ok() },
        None,
    );
    let (there, back) = smol::future::zip(there, back).await;
    client.close().await;
    server.close().await;
    say(&format!("#{number} {from} disconnected"));
    for result in [there, back] {
        if let Err(error) = result {
            // the first says enough
            let _ = failed.try_send(error);
        }
    }
}

/// One direction, to its end. An error is one of the output.
async fn pass(
    from: &Connection,
    to: &Connection,
    mut printer: Printer,
    learns: impl Future<Output = Option<Speaks>>,
    tells: Option<Sender<Speaks>>,
) -> Result<()> {
    let mut learns = Some(learns);
    let result = loop {
        let Ok(part) = from.read(PART).await else { break printer.end() };
        if printer.decoder.is_none() {
            let learnt = match learns.take() {
                Some(learns) => smol::future::or(learns, async { None }).await,
                None => None,
            };
            let speaks = printer.style.speaks.or(learnt).unwrap_or_else(|| Speaks::of(&part));
            printer.decoder =
                Some(Decoder::new(speaks, printer.from == Side::Client, printer.style.most));
            if let Some(tells) = &tells {
                // nobody is there to be told where the other side is gone
                let _ = tells.try_send(speaks);
            }
        }
        // first what matters, then what is looked at
        let passed = to.write(part.clone()).await;
        if let Err(error) = printer.print(&part) {
            break Err(error);
        }
        if passed.is_err() {
            break Ok(());
        }
    };
    to.end();
    result
}

impl Speaks {
    /// By the first octets of a client.
    fn of(start: &Bytes) -> Self {
        match start[..] {
            [3, 0, ..] => Self::Cotp,
            [b'A'..=b'Z', b'A'..=b'Z', ..] => Self::Juggler,
            // a handshake of TLS
            [0x16, 3, ..] => Self::Raw,
            [1..=8, ..] => Self::Chatter,
            _ => Self::Raw,
        }
    }
}

/// Prints the frames of one direction.
struct Printer {
    number: u64,
    from: Side,
    style: Style,
    decoder: Option<Decoder>,
}

impl Printer {
    fn new(number: u64, from: Side, style: Style) -> Self {
        Self { number, from, style, decoder: None }
    }

    fn print(&mut self, part: &Bytes) -> Result<()> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        decoder.push(part);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next() {
            frames.push(frame);
        }
        frames.iter().try_for_each(|frame| self.frame(frame))
    }

    /// What is left at the end.
    fn end(&mut self) -> Result<()> {
        match self.decoder.as_ref().and_then(Decoder::left) {
            Some(frame) => self.frame(&frame),
            None => Ok(()),
        }
    }

    fn frame(&self, frame: &Frame) -> Result<()> {
        let now = Timestamp::now().to_string();
        let Frame { protocol, octets, text } = frame;
        let text = shown(text);
        let from = if self.from == Side::Client { "client" } else { "server" };
        let line = match self.style.json {
            true => json!({
                "timestamp": now,
                "connection": self.number,
                "from": from,
                "protocol": protocol,
                "octets": octets,
                "text": text,
            })
            .to_string(),
            false => {
                let time = now.split_once('T').map_or(&*now, |(_, time)| time);
                format!("{time} #{} {from} {protocol:<9} {octets:>6} octets  {text}", self.number)
            }
        };
        output::print(&line)
    }
}
