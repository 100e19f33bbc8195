//! The arguments of `hat cotp`.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use hat_aio::Address;
use hat_aio::cotp::DEFAULT_PORT;
use hat_core::cotp::{Selector, TpduSize};

#[derive(Debug, Subcommand)]
pub(crate) enum CotpCommand {
    /// Connect, print in one line what the peer confirms, and disconnect.
    ///
    /// If the peer refuses, prints its reason and exits with code 4. The exit code is 3 if the peer
    /// does not answer, 5 if it is not an ISO transport peer, and 6 if it closes the connection
    /// without an answer, as some devices, S7 among them, do for an unknown selector.
    Probe(ProbeArgs),
    /// Connect, send octets as one message, print the peer's response, and disconnect.
    Send(SendArgs),
    /// Try selectors of the peer one after another, and print the result of each.
    ///
    /// The exit code is 0 if the peer confirms at least one of them, otherwise 4. If there is no
    /// TCP connection to it for the first of them, the command ends at once with code 3.
    Scan(ScanArgs),
    /// Accept connections and send every message back, until Ctrl-C.
    ///
    /// Prints `listening on HOST:PORT` on standard error, and a line when a caller connects or
    /// disconnects.
    Echo(EchoArgs),
}

/// For `--help`.
const SELECTORS: &str = "\
A selector is written as pairs of hexadecimal digits (0001), as text (text:SERVER), as decimal
octets (1.2), or as the rack and slot of an S7 (0/2, which is 0102).";

/// What is asked of a peer.
#[derive(Clone, Debug, Args)]
pub(crate) struct PeerArgs {
    /// The peer: host or host:port.
    #[arg(value_parser = address)]
    pub(crate) address: Address,
    /// The local transport selector.
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    pub(crate) local_tsel: Option<Selector>,
    /// The TPDU size to offer, in octets: 128 to 8192, a power of two. Default: 2048.
    #[arg(long, value_name = "OCTETS", value_parser = tpdu_size)]
    pub(crate) tpdu_size: Option<TpduSize>,
    /// Require the peer to follow the standards (RFC 905, RFC 2126) exactly: any deviation ends the
    /// connection.
    #[arg(long)]
    pub(crate) strict: bool,
    /// How long connecting and the peer's answer may take.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = super::seconds)]
    pub(crate) timeout: Duration,
    /// The output format.
    #[arg(long, value_enum, default_value_t = CotpFormat::Text)]
    pub(crate) format: CotpFormat,
}

/// How to print what a peer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CotpFormat {
    /// Text for people.
    Text,
    /// JSON lines.
    #[value(alias = "json")]
    Jsonl,
}

#[derive(Debug, Args)]
#[command(after_help = SELECTORS)]
pub(crate) struct ProbeArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    /// The peer's transport selector.
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    pub(crate) remote_tsel: Option<Selector>,
    /// Also print the octets of the request (CR) and the confirmation (CC).
    #[arg(long)]
    pub(crate) hex: bool,
    #[command(flatten)]
    pub(crate) tls: super::ClientTlsArgs,
}

#[derive(Debug, Args)]
#[command(after_help = SELECTORS)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    /// The message as pairs of hexadecimal digits, optionally with spaces or colons between them.
    /// Default: standard input, unchanged.
    #[arg(value_name = "OCTETS", value_parser = octets)]
    pub(crate) message: Option<Message>,
    /// The peer's transport selector.
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    pub(crate) remote_tsel: Option<Selector>,
    /// The number of messages to wait for.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(crate) answers: usize,
    #[command(flatten)]
    pub(crate) tls: super::ClientTlsArgs,
}

/// The octets of a message. A type of its own: `Vec` is many arguments to clap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message(pub(crate) Vec<u8>);

#[derive(Debug, Args)]
#[command(after_help = SELECTORS)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    /// The selectors to try. Default: 0001 to 0004, and racks 0 and 1 with slots 0 to 5.
    #[arg(value_name = "SELECTOR", value_parser = selector)]
    pub(crate) selectors: Vec<Selector>,
    /// The pause before each attempt but the first: some devices accept few connections at a time.
    #[arg(long, value_name = "SECONDS", default_value = "0.1", value_parser = super::seconds)]
    pub(crate) pause: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = SELECTORS)]
pub(crate) struct EchoArgs {
    /// The address to listen on: host or host:port. The standard port, 102, requires privileges on
    /// most systems.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:102", value_parser = address)]
    pub(crate) listen: Address,
    /// The transport selector that callers must use. Default: any.
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    pub(crate) local_tsel: Option<Selector>,
    #[command(flatten)]
    pub(crate) tls: super::TlsArgs,
}

/// A host with a port, or without one for the usual port.
fn address(text: &str) -> Result<Address, String> {
    address_at(text, DEFAULT_PORT)
}

fn selector(text: &str) -> Result<Selector, String> {
    let wrong = || {
        format!(
            "`{text}` is not a selector: write pairs of hexadecimal digits such as 0001, \
             text:NAME, octets such as 1.2, or rack/slot such as 0/2"
        )
    };
    if let Some(name) = text.strip_prefix("text:") {
        return Ok(Selector::new(name.as_bytes().to_vec()));
    }
    if let Some((rack, slot)) = text.split_once('/') {
        return match (rack.parse::<u8>(), slot.parse::<u8>()) {
            // the resource of a programming device, and where the module is
            (Ok(rack @ 0..=7), Ok(slot @ 0..=31)) => Ok(Selector::new(vec![1, rack << 5 | slot])),
            _ => Err(wrong()),
        };
    }
    if text.contains('.') {
        let octets: Result<Vec<u8>, _> = text.split('.').map(str::parse).collect();
        return octets.map(Selector::new).map_err(|_| wrong());
    }
    hexadecimal(text).map(Selector::new).ok_or_else(wrong)
}

fn octets(text: &str) -> Result<Message, String> {
    let text: String = text.chars().filter(|char| !matches!(char, ' ' | ':')).collect();
    let octets = hexadecimal(&text).filter(|octets| !octets.is_empty());
    let octets = octets.map(Message);
    octets.ok_or_else(|| "write pairs of hexadecimal digits: 32 01 00 00, or 32010000".into())
}

/// Pairs of hexadecimal digits.
pub(super) fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn tpdu_size(text: &str) -> Result<TpduSize, String> {
    let size = text.parse().ok().and_then(TpduSize::new);
    // what C0 has codes for
    let size = size.filter(|size| size.octets().is_power_of_two() && size.octets() <= 8192);
    size.ok_or_else(|| "write 128, 256, 512, 1024, 2048, 4096 or 8192".into())
}

/// `text` as a host with a port, or without one for `port`.
pub(super) fn address_at(text: &str, port: u16) -> Result<Address, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Address::new(ip.to_string(), port));
    }
    match text.parse() {
        Err(hat_aio::address::AddressError::NoPort(_)) if !text.is_empty() => {
            let host = text.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            Ok(Address::new(host.unwrap_or(text), port))
        }
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        for (text, octets) in [
            ("0001", &[0, 1][..]),
            ("text:SERVER", b"SERVER"),
            ("1.2.255", &[1, 2, 255]),
            ("0/2", &[1, 2]),
            ("1/3", &[1, 0x23]),
            ("", &[]),
        ] {
            assert_eq!(selector(text).expect(text).octets()[..], *octets, "{text}");
        }
        for text in ["1", "zz", "8/0", "0/32", "1.256", "1.", "+1+f", "0/2/1"] {
            assert!(selector(text).expect_err(text).contains("is not a selector"), "{text}");
        }
    }

    #[test]
    fn messages() {
        assert_eq!(octets("32 01:00ff"), Ok(Message(vec![0x32, 1, 0, 0xff])));
        assert!(octets("3").is_err() && octets("").is_err() && octets("zz").is_err());
        assert_eq!(tpdu_size("1024").map(TpduSize::octets), Ok(1024));
        assert!(["127", "1000", "65531"].iter().all(|text| tpdu_size(text).is_err()));
    }
}
