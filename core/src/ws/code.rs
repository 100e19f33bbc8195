//! Close codes: what a Close says about the reason for it (RFC 6455 section 7.4 and the IANA
//! registry).

/// The purpose of the connection is fulfilled.
pub const NORMAL: u16 = 1000;
/// The endpoint goes: a server that stops, a page that is left.
pub const GOING_AWAY: u16 = 1001;
/// The other side broke the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// A kind of message that the endpoint does not take, as binary where it wants text.
pub const UNSUPPORTED: u16 = 1003;
/// A message whose content is not what its kind says, as text that is not UTF-8.
pub const INVALID_DATA: u16 = 1007;
/// A message against the endpoint's rules.
pub const POLICY: u16 = 1008;
/// A message over a limit.
pub const TOO_BIG: u16 = 1009;
/// A server that failed inside.
pub const INTERNAL_ERROR: u16 = 1011;

/// Whether a Close may carry `code`: 1000 to 1014 as far as they are registered for the wire, and
/// 3000 to 4999 for libraries and applications. 1005, 1006 and 1015 are for programs to tell each
/// other that there was no code.
#[must_use]
pub const fn is_valid(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
