//! `hat cotp`: what an ISO transport peer confirms and answers, and a peer to try one with.

mod tap;

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use hat_aio::cotp::{
    ConnectError, ConnectOptions, Connection, ListenError, ListenOptions, OnError, connect,
    connect_on, listen,
};
use hat_aio::runtime::Stream;
use hat_aio::tls::Connector;
use hat_aio::{Address, ConnectError as NoConnection, Runtime, SocketOptions};
use hat_core::cotp::{Config, Error, Policy, Selector};
use serde_json::json;

use crate::args::{CotpCommand, CotpFormat, EchoArgs, PeerArgs, ProbeArgs, ScanArgs, SendArgs};
use crate::client::GRACE;
use crate::exit::{Failure, say, shown};
use crate::interrupt::Interrupt;
use crate::listening;
use crate::output;
use crate::runtime::{connect_unix, sleep, within};
use tap::{Capture, Tap};

pub(crate) async fn cotp<R: Runtime>(command: CotpCommand) -> Result<()> {
    match command {
        CotpCommand::Probe(args) => probe::<R>(args).await,
        CotpCommand::Send(args) => send::<R>(args).await,
        CotpCommand::Scan(args) => scan::<R>(args).await,
        CotpCommand::Echo(args) => echo::<R>(args).await,
    }
}

impl PeerArgs {
    fn config(&self, remote_selector: Option<Selector>) -> Config {
        let usual = Config::default();
        Config {
            local_selector: self.local_tsel.clone(),
            remote_selector,
            offered_size: self.tpdu_size.or(usual.offered_size),
            policy: if self.strict { Policy::Strict } else { Policy::Interop },
            handshake_timeout: self.timeout,
            ..usual
        }
    }

    /// A connection with the peer, or a failure with a code of its own.
    async fn connected<R: Runtime>(
        &self,
        config: Config,
        tls: Option<Connector>,
    ) -> Result<Connection, Failure> {
        let (address, time) = (self.address.clone(), self.timeout);
        let socket = SocketOptions { connect_timeout: time, ..SocketOptions::default() };
        let options = ConnectOptions { config, tls, socket, ..ConnectOptions::default() };
        match within::<R, _>(time.saturating_add(GRACE), connect::<R>(address.clone(), options))
            .await
        {
            None => Err(Failure::Silent { address, time }),
            Some(Err(error)) => Err(Failure::of_probe(address, error, time)),
            Some(Ok(connection)) => Ok(connection),
        }
    }
}

/// One line on standard output where the peer confirms; a failure with a code of its own where it
/// does not.
async fn probe<R: Runtime>(args: ProbeArgs) -> Result<()> {
    let ProbeArgs { peer, remote_tsel, hex, tls } = args;
    let tls = tls.connector(&peer.address, peer.timeout)?;
    let config = peer.config(remote_tsel);
    if !hex {
        let connection = peer.connected::<R>(config, tls).await?;
        return confirmed(&peer, &connection, None).await;
    }
    if tls.is_some() {
        return Err(Failure::Input("--hex cannot be used with TLS".into()).into());
    }
    let tap = Capture::default();
    let probed = within::<R, _>(peer.timeout, tapped::<R>(&peer, config, &tap)).await;
    let connection = match probed {
        Some(Ok(connection)) => connection,
        failed => {
            // what came shows why
            octets_of(&peer, &tap)?;
            let (address, time) = (peer.address.clone(), peer.timeout);
            return Err(match failed {
                Some(Err(error)) => Failure::of_probe(address, error, time).into(),
                _ => Failure::Silent { address, time }.into(),
            });
        }
    };
    confirmed(&peer, &connection, Some(&tap)).await
}

async fn confirmed(peer: &PeerArgs, connection: &Connection, tap: Option<&Capture>) -> Result<()> {
    let info = connection.info();
    let selector = |selector: &Option<Selector>| match selector {
        Some(selector) => selector.to_string(),
        None => "none".to_owned(),
    };
    let diagnostics: Vec<_> = connection.diagnostics().iter().map(ToString::to_string).collect();
    let address = &peer.address;
    match peer.format {
        CotpFormat::Text => {
            output::print(&format!(
                "{address} confirms: TPDU size {}, local TSEL {}, remote TSEL {}, reference {}",
                info.tpdu_size.octets(),
                selector(&info.local_selector),
                selector(&info.remote_selector),
                info.remote_reference,
            ))?;
            if let Some(tap) = tap {
                octets_of(peer, tap)?;
            }
            for diagnostic in diagnostics {
                say(&format!("note: {diagnostic}"));
            }
        }
        CotpFormat::Jsonl => {
            let octets = |selector: &Option<Selector>| selector.as_ref().map(|it| hex(it.octets()));
            let mut line = json!({
                "address": address.to_string(),
                "confirmed": true,
                "tpdu_size_octets": info.tpdu_size.octets(),
                "local_tsel": octets(&info.local_selector),
                "remote_tsel": octets(&info.remote_selector),
                "reference": info.remote_reference,
                "notes": diagnostics,
            });
            if let Some(tap) = tap {
                (line["cr"], line["cc"]) = (json!(hex(&tap.written())), json!(hex(&tap.read())));
            }
            output::print(&line.to_string())?;
        }
    }
    connection.close().await;
    Ok(())
}

/// The octets of both directions, for people.
fn octets_of(peer: &PeerArgs, tap: &Capture) -> Result<()> {
    if peer.format == CotpFormat::Jsonl {
        return Ok(());
    }
    output::print(&format!("CR  {}", hex(&tap.written())))?;
    let read = tap.read();
    output::print(&format!(
        "{}  {}",
        if read.get(5).is_some_and(|code| code >> 4 == 0xd) { "CC" } else { "came" },
        hex(&read)
    ))
}

/// A connection whose octets are noted.
async fn tapped<R: Runtime>(
    peer: &PeerArgs,
    config: Config,
    tap: &Capture,
) -> Result<Connection, ConnectError> {
    let address = peer.address.clone();
    let io = |error: io::Error| {
        ConnectError::Connect(NoConnection::Connect {
            address: address.clone(),
            error: error.into(),
        })
    };
    let stream = stream::<R>(&address).await.map_err(io)?;
    let options = ConnectOptions { config, ..ConnectOptions::default() };
    let connected = connect_on::<R>(Tap::new(stream, tap.clone()), &options).await;
    connected.map_err(|error| match error {
        OnError::Config(error) => ConnectError::Config(error),
        OnError::Ended(error) => ConnectError::Ended(error),
        OnError::Stream(error) => io(io::Error::new(error.kind(), error.to_string())),
        _ => io(io::Error::other("the connection could not be used")),
    })
}

/// The bare stream to `address`: the first of its host that takes it.
async fn stream<R: Runtime>(address: &Address) -> io::Result<Box<dyn Stream>> {
    if let Some(path) = address.unix_path() {
        return connect_unix::<R>(path).await;
    }
    let socket = SocketOptions::default();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for target in R::resolve(address.host(), address.port()).await? {
        match R::connect(target, &socket).await {
            Ok(stream) => return Ok(Box::new(stream)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sends one message, and prints those that come.
async fn send<R: Runtime>(args: SendArgs) -> Result<()> {
    let SendArgs { peer, message, remote_tsel, answers, tls } = args;
    let message = match message {
        Some(message) => message.0,
        None => {
            let mut data = Vec::new();
            let read = io::stdin().read_to_end(&mut data);
            read.map_err(|error| Failure::Input(format!("cannot read standard input: {error}")))?;
            data
        }
    };
    let tls = tls.connector(&peer.address, peer.timeout)?;
    let config = peer.config(remote_tsel);
    let connection = peer.connected::<R>(config, tls).await?;
    let (address, time) = (peer.address.clone(), peer.timeout);
    match connection.send(message).await {
        Ok(()) => {}
        Err(error) if error.fault.is_closed() => {
            return Err(Failure::of_end(address, &connection.ended().await).into());
        }
        Err(error) => return Err(Failure::Input(error.to_string()).into()),
    }
    // it waits in the queue: without an answer, nothing else says that it is lost. A peer that is
    // slow has more time for it while the connection closes
    if answers == 0
        && let Some(Err(error)) = within::<R, _>(time, connection.drain()).await
    {
        return Err(Failure::of_end(address, &error).into());
    }
    for _ in 0..answers {
        let answer = match within::<R, _>(time, connection.receive()).await {
            None => return Err(Failure::Silent { address, time }.into()),
            Some(Err(error)) => {
                return Err(Failure::of_end(address, &error).into());
            }
            Some(Ok(answer)) => answer,
        };
        let line = match peer.format {
            CotpFormat::Text => hex(&answer),
            CotpFormat::Jsonl => {
                json!({"octets": hex(&answer), "length_octets": answer.len()}).to_string()
            }
        };
        output::print(&line)?;
    }
    let end = connection.close().await;
    if answers == 0 && !matches!(end.protocol(), Some(Error::Closed)) {
        return Err(Failure::of_end(address, &end).into());
    }
    Ok(())
}

/// One selector after the other.
async fn scan<R: Runtime>(args: ScanArgs) -> Result<()> {
    let ScanArgs { peer, selectors, pause } = args;
    let usual = || {
        let plain = (1..=4).map(|number| Selector::new(vec![0, number]));
        let slots = (0..2).flat_map(|rack| (0..=5).map(move |slot| vec![1, rack << 5 | slot]));
        plain.chain(slots.map(Selector::new)).collect()
    };
    let selectors: Vec<_> = if selectors.is_empty() { usual() } else { selectors };
    let (mut confirmed, mut refused) = (0, 0);
    for (index, selector) in selectors.into_iter().enumerate() {
        if index > 0 {
            sleep::<R>(pause).await;
        }
        let config = peer.config(Some(selector.clone()));
        let result = match peer.connected::<R>(config, None).await {
            Ok(connection) => {
                let octets = connection.info().tpdu_size.octets();
                connection.close().await;
                confirmed += 1;
                Ok(octets)
            }
            // nobody is there, whatever the selector; one that has answered may have no place free
            Err(error @ (Failure::NoConnection(_) | Failure::Tls { .. }))
                if confirmed + refused == 0 =>
            {
                return Err(error.into());
            }
            Err(error) => {
                refused += 1;
                Err(error)
            }
        };
        output::print(&scanned(&peer, &selector, result))?;
    }
    say(&format!("{confirmed} selectors confirmed, {refused} not confirmed"));
    match confirmed {
        0 => {
            let reason = "none of these selectors was confirmed".to_owned();
            Err(Failure::Rejected { address: peer.address, reason }.into())
        }
        _ => Ok(()),
    }
}

fn scanned(peer: &PeerArgs, selector: &Selector, result: Result<usize, Failure>) -> String {
    let octets = hex(selector.octets());
    match peer.format {
        CotpFormat::Text => {
            let place = match selector.octets()[..] {
                [1, place] => format!("rack {}, slot {}", place >> 5, place & 0x1f),
                _ => String::new(),
            };
            let text = match result {
                Ok(size) => format!("confirmed, TPDU size {size} octets"),
                Err(error) => shown(&error.to_string()),
            };
            format!("{octets:<8} {place:<16} {text}")
        }
        CotpFormat::Jsonl => {
            let (size, error) = match result {
                Ok(size) => (Some(size), None),
                Err(error) => (None, Some(error.to_string())),
            };
            json!({"remote_tsel": octets, "confirmed": size.is_some(), "tpdu_size_octets": size, "error": error})
                .to_string()
        }
    }
}

/// Sends every message back, until Ctrl-C.
async fn echo<R: Runtime>(args: EchoArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let tls = args.tls.acceptor(&args.listen)?;
    let config = Config { local_selector: args.local_tsel, ..Config::default() };
    let options = ListenOptions { config, tls, ..ListenOptions::default() };
    let at = args.listen.clone();
    let server = listen::<R>(args.listen, options).await;
    let server = server.map_err(|error| match error {
        ListenError::Config(error) => Failure::Input(error.to_string()),
        error => Failure::CannotListen(error.to_string()),
    })?;
    listening::say(&at, server.addresses());
    let serve = async {
        while let Some(connection) = server.accept().await {
            R::spawn(send_back(connection));
        }
        None::<()>
    };
    interrupt.or(serve).await;
    server.close().await;
    Ok(())
}

async fn send_back(connection: Connection) {
    let info = connection.info();
    let caller: SocketAddr = info.remote_address;
    let selector =
        |selector: &Option<Selector>| selector.as_ref().map_or("none".into(), ToString::to_string);
    say(&format!(
        "{caller} connected: remote TSEL {}, local TSEL {}, TPDU size {} octets",
        selector(&info.remote_selector),
        selector(&info.local_selector),
        info.tpdu_size.octets()
    ));
    let (mut messages, mut octets) = (0_u64, 0_u64);
    let reason = loop {
        match connection.receive().await {
            Ok(message) => {
                messages += 1;
                octets += message.len() as u64;
                if connection.send(message).await.is_err() {
                    break connection.ended().await;
                }
            }
            Err(error) => break error,
        }
    };
    connection.close().await;
    say(&format!(
        "{caller} disconnected after {messages} messages of {octets} octets were sent back: {reason}"
    ));
}

/// Pairs of hexadecimal digits, as they are read.
fn hex(octets: &Bytes) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Failure {
    /// Why a probe came to nothing.
    fn of_probe(address: Address, error: ConnectError, time: Duration) -> Self {
        if let ConnectError::Ended(error) = &error {
            match error.protocol() {
                // in TLS 1.3 a peer refuses our certificate when we think all is done
                None if error.tls().is_some() => return Self::of_end(address, error),
                Some(Error::HandshakeTimeout) => return Self::Silent { address, time },
                Some(Error::ClosedDuringHandshake) => return Self::CutAtRequest { address },
                // a reset
                None => return Self::CutAtRequest { address },
                _ => {}
            }
        }
        Self::of_setup(address, error)
    }

    /// Why a COTP connection could not be established.
    fn of_setup(address: Address, error: ConnectError) -> Self {
        match error {
            ConnectError::Connect(error) => Self::of_connect(error),
            ConnectError::Config(error) => Self::Input(error.to_string()),
            ConnectError::Ended(error) => match error.protocol() {
                Some(Error::Refused { .. } | Error::Rejected { .. }) => {
                    Self::Rejected { address, reason: error.to_string() }
                }
                _ => Self::NotCotp { address, error: Box::new(error) },
            },
            error => Self::Input(error.to_string()),
        }
    }
}
