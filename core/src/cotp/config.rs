use core::time::Duration;

use bytes::Bytes;

use super::{ConfigError, Selector, TpduSize};
use crate::options::More;

/// What to do where a peer departs from the standards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Let pass what deployed peers do and what does no harm, and report it: see
    /// [`Diagnostic`](super::Diagnostic).
    #[default]
    Interop,
    /// The letter of RFC 905 and RFC 2126: each tolerance is an error, and a CR of ours keeps to
    /// its 128 octets. It is for conformance tests, not for plants: it refuses peers that offer or
    /// send TPDUs over 2048 octets, which RFC 905 does not allow in class 0 (libiec61850 offers
    /// 8192 and iec61850bean 65531), those of Siemens that send DTs without data, and clients of
    /// RDP.
    Strict,
}

/// In which pieces messages are given to the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Receive {
    /// Whole. A message that was read at once is a slice of that; longer ones are copied together
    /// once.
    #[default]
    Whole,
    /// As the TPDUs come: those of a message that are here together are one part, a slice of what
    /// was read; the last part of a message has its `end` set. There is no limit to a message then,
    /// because nothing gathers.
    Parts,
}

/// Who answers a request on the accepting side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The machine: what fits the [`Config`] is confirmed, anything else refused.
    #[default]
    Automatic,
    /// The application, with [`confirm`](super::Connection::confirm) or
    /// [`refuse`](super::Connection::refuse), once it has the
    /// [`ConnectRequest`](super::ConnectRequest). What does not fit the [`Config`] is refused
    /// before it sees it.
    Manual,
}

/// What a connection asks for or accepts, and its limits. None of them is unlimited.
#[derive(Clone, Debug)]
pub struct Config {
    /// How strict. Default: `Interop`.
    pub policy: Policy,
    /// Messages whole or in parts. Default: `Whole`.
    pub receive: Receive,
    /// Accepting: who answers. Default: `Automatic`.
    pub answer: Answer,

    /// Our selector. Connecting: sent as the calling one (C1). Accepting: the called one of a
    /// request must be this, present and equal, or it is refused with `AddressUnknown`; `None`
    /// takes any. Default: `None`.
    pub local_selector: Option<Selector>,
    /// The peer's selector. Connecting: sent as the called one (C2). Accepting: the calling one of
    /// a request must be this; `None` takes any. Default: `None`.
    pub remote_selector: Option<Selector>,
    /// Connecting: end the connection where the peer confirms other selectors than were sent.
    /// Default: off, because S7 and others do; it is reported.
    pub selectors_must_match: bool,
    /// Connecting: the TPDU size to offer. Default: 2048 octets, the largest that RFC 905 has in
    /// class 0 and every known peer takes. `None` sends no size, for peers that ignore requests
    /// with one they do not know: what the peer confirms counts then, and 128 octets where it
    /// confirms none.
    pub offered_size: Option<TpduSize>,
    /// Accepting: the largest TPDU size to confirm. Default: 65531 octets, all that a packet holds.
    pub accepted_size: TpduSize,
    /// Use the preferred maximum TPDU size too (F0, X.224 of 1995): offer it, or confirm it where
    /// it is offered. Default: off, because several deployed peers stop at parameters unknown to
    /// them.
    pub preferred_size: bool,
    /// Negotiate expedited data (RFC 1006 clause 5). Default: off.
    pub expedited: bool,
    /// Connecting: user data of the request, at most 32 octets. Default: none; few peers look at
    /// it.
    pub connect_data: Bytes,
    /// Do not read or write parameters: the variable part is these octets, in the request or in an
    /// automatic confirmation, and the peer's is given as it is. What RDP needs; references may be
    /// zero then, and TPDUs are sent as large as a packet holds. Only COTP goes over a connection's
    /// handle: for what RDP does next, TLS or packets of its own, `connect_raw` and `listen_raw` of
    /// `hat-aio` give the stream back behind the CC; a machine of one's own loop can be left there,
    /// and what its receive buffer holds is the rest. Default: `None`.
    pub raw_variable_part: Option<Bytes>,
    /// Our reference (SRC-REF), not 0 except in raw mode. Default: 1. A server counts it up from
    /// connection to connection.
    pub source_reference: u16,
    /// Accepting: let parameters C6 and C7 pass in the form that Siemens uses for routing between
    /// subnets, which is against RFC 905. Default: off. See
    /// [`Diagnostic::S7Routing`](super::Diagnostic::S7Routing).
    pub s7_routing: bool,

    /// Send a DR before the connection is closed. Default: off: class 0 has none (RFC 905 clause
    /// 6.7.4), though S7 peers do it.
    pub disconnect_on_close: bool,
    /// After the peer's end of stream the application may still send, until it closes. Default:
    /// off: the connection is over then with [`Error::Closed`](super::Error::Closed), so a side
    /// that only publishes learns of it; what is queued is still written.
    pub half_close: bool,
    /// Give messages of no octets to the application. Default: on. Off, they are dropped: some S7
    /// keep connections alive with them.
    pub deliver_empty: bool,

    /// The largest message accepted in one piece, in octets. Default 64 MiB: hundreds of times the
    /// largest MMS file block or S7 job in practice.
    pub max_tsdu: usize,
    /// How long a message that is given in one piece may take to arrive, from its first TPDU to its
    /// last, 10 minutes: what one of 64 MiB takes on a line of 1 Mbit/s. A peer that sends a TPDU
    /// now and then, and never the last, would otherwise keep what it has sent in memory for as
    /// long as it likes. There is no such limit with [`Receive::Parts`], where nothing is kept.
    pub message_timeout: Duration,
    /// Octets that may wait to be written, headers included, 16 MiB. A send over it is refused and
    /// hands its data back; one on an empty queue is always taken.
    pub max_queued: usize,
    /// DTs without data that do not end a message, in a row, 16: the S7 that send them send one
    /// before an answer. A peer that sends more ends the connection.
    pub max_empty: u32,
    /// How long a handshake may take. Default: 10 s. While the application decides about a request
    /// there is no limit.
    pub handshake_timeout: Duration,
    #[doc(hidden)]
    pub more: More,
}

/// The most octets of connect data (RFC 905 clause 13.3.5).
pub(super) const MAX_CONNECT_DATA: usize = 32;

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.source_reference == 0 && self.raw_variable_part.is_none() {
            return Err(ConfigError::ZeroReference);
        }
        check_connect_data(&self.connect_data)
    }
}

pub(super) fn check_connect_data(data: &Bytes) -> Result<(), ConfigError> {
    match data.len() {
        0..=MAX_CONNECT_DATA => Ok(()),
        octets => Err(ConfigError::ConnectData { octets }),
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::Interop,
            receive: Receive::Whole,
            answer: Answer::Automatic,
            local_selector: None,
            remote_selector: None,
            selectors_must_match: false,
            offered_size: Some(TpduSize::CLASS_0),
            accepted_size: TpduSize::MAX,
            preferred_size: false,
            expedited: false,
            connect_data: Bytes::new(),
            raw_variable_part: None,
            source_reference: 1,
            s7_routing: false,
            disconnect_on_close: false,
            half_close: false,
            deliver_empty: true,
            max_tsdu: 64 * 1024 * 1024,
            message_timeout: Duration::from_secs(600),
            max_queued: 16 * 1024 * 1024,
            max_empty: 16,
            handshake_timeout: Duration::from_secs(10),
            more: More::default(),
        }
    }
}
