use alloc::string::String;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// What the key is hashed with, so that only who knows WebSocket gives the answer (RFC 6455 section
/// 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`, for HTTP servers that do the
/// handshake themselves. `None`: `key` is not 16 octets in base64, and the request is to be refused
/// with 400.
///
/// ```
/// let accept = hat_core::ws::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept.as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
/// ```
#[must_use]
pub fn accept_key(key: &str) -> Option<String> {
    let mut octets = [0; 18];
    let valid =
        key.len() == 24 && STANDARD.decode_slice(key, &mut octets).is_ok_and(|len| len == 16);
    valid.then(|| accept_of(key))
}

/// The same for a key that is known to be one.
pub(in crate::ws) fn accept_of(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// The key of 16 octets.
pub(in crate::ws) fn new_key(octets: [u8; 16]) -> String {
    STANDARD.encode(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sixteen_octets() {
        assert_eq!(new_key(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
        for wrong in [
            "",
            "dGhl",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "!GhlIHNhbXBsZSBub25jZQ==",
        ] {
            assert_eq!(accept_key(wrong), None, "{wrong}");
        }
    }
}
