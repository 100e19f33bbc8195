//! The arguments of `hat cotp`.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, Subcommand};
use hat_aio::Address;
use hat_aio::cotp::DEFAULT_PORT;
use hat_core::cotp::Selector;

#[derive(Debug, Subcommand)]
pub(crate) enum CotpCommand {
    /// Connect, print in one line what the peer confirms, and close.
    ///
    /// Where the peer refuses, its reason is told and the exit code is 4; where it is silent, 3;
    /// where it answers as no ISO transport peer does, 5; where it closes without an answer, 6:
    /// some devices do so for a selector that they do not know, S7 among them.
    Probe(ProbeArgs),
    /// Send every message back, until Ctrl-C. Prints `listening on HOST:PORT` on standard error.
    Echo(EchoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// The peer: host or host:port.
    #[arg(value_parser = address)]
    pub(crate) address: Address,
    /// Our transport selector, hexadecimal: 0001.
    #[arg(long, value_name = "HEX", value_parser = selector)]
    pub(crate) local_tsel: Option<Selector>,
    /// The peer's transport selector, hexadecimal: 0001.
    #[arg(long, value_name = "HEX", value_parser = selector)]
    pub(crate) remote_tsel: Option<Selector>,
    /// How long the peer may take to answer, the connection included.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = super::seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) tls: super::ClientTlsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EchoArgs {
    /// Where to listen: host or host:port. The usual port, 102, is for privileged programs on most
    /// systems.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:102", value_parser = address)]
    pub(crate) listen: Address,
    /// The selector that peers must call, hexadecimal. Default: any.
    #[arg(long, value_name = "HEX", value_parser = selector)]
    pub(crate) local_tsel: Option<Selector>,
    #[command(flatten)]
    pub(crate) tls: super::TlsArgs,
}

/// A host with a port, or without one for the usual port.
fn address(text: &str) -> Result<Address, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Address::new(ip.to_string(), DEFAULT_PORT));
    }
    match text.parse() {
        Err(hat_aio::address::AddressError::NoPort(_)) if !text.is_empty() => {
            let host = text.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            Ok(Address::new(host.unwrap_or(text), DEFAULT_PORT))
        }
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

fn selector(text: &str) -> Result<Selector, String> {
    let wrong = || format!("`{text}` is no selector: write pairs of hexadecimal digits, as 0001");
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let octet = |at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong());
    let octets: Vec<u8> = (0..text.len()).step_by(2).map(octet).collect::<Result<_, _>>()?;
    Ok(Selector::new(octets))
}
