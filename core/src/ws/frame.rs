//! The header of a frame (RFC 6455 section 5.2), read as soon as its bytes are here: what is wrong
//! with it is known by the first byte that says so.

use super::mask::Mask;
use super::{Role, Violation};

/// The most bytes of a control frame's payload (RFC 6455 section 5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// The most bytes of a header.
pub(super) const MAX_HEADER: usize = 14;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
/// RSV1: of the first frame of a compressed message (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
const MASKED: u8 = 0x80;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn parse(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A header that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) fin: bool,
    /// RSV1.
    pub(super) compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: Option<Mask>,
    /// Bytes of the payload. Not held against any limit yet.
    pub(super) payload: u64,
}

/// Where reading a header came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// This many bytes in all are needed to know more.
    Needs(usize),
    /// The header, and the bytes it takes.
    Known(Head, usize),
}

/// Reads a header that `from` sent; `deflate` says that its messages may be compressed. A length
/// written longer than needed is taken: it does no harm, and other libraries take it too.
pub(super) fn parse(bytes: &[u8], from: Role, deflate: bool) -> Result<Front, Violation> {
    let Some(&first) = bytes.first() else { return Ok(Front::Needs(2)) };
    let opens = matches!(first & 0x0f, 1 | 2);
    let reserved = first & if deflate && opens { RESERVED & !COMPRESSED } else { RESERVED };
    if reserved != 0 {
        return Err(Violation::ReservedBits(reserved >> 4));
    }
    let compressed = first & COMPRESSED != 0;
    let fin = first & FIN != 0;
    let opcode = Opcode::parse(first & 0x0f).ok_or(Violation::Opcode(first & 0x0f))?;
    if opcode.is_control() && !fin {
        return Err(Violation::FragmentedControl);
    }
    let Some(&second) = bytes.get(1) else { return Ok(Front::Needs(2)) };
    let masked = second & MASKED != 0;
    match from {
        Role::Client if !masked => return Err(Violation::Unmasked),
        Role::Server if masked => return Err(Violation::Masked),
        _ => {}
    }
    let length = second & !MASKED;
    if opcode.is_control() && usize::from(length) > MAX_CONTROL {
        return Err(Violation::ControlTooLong);
    }
    let length_end = match length {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let end = length_end + if masked { 4 } else { 0 };
    let Some(header) = bytes.get(..end) else { return Ok(Front::Needs(end)) };
    let payload = match &header[2..length_end] {
        [] => u64::from(length),
        more => more.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
    };
    if payload >> 63 != 0 {
        return Err(Violation::Length);
    }
    let mask = header[length_end..].first_chunk().copied();
    Ok(Front::Known(Head { fin, compressed, opcode, mask, payload }, end))
}

/// A header to be sent in front of a whole message or control frame of `payload` bytes, and the
/// bytes it takes.
pub(super) fn header(
    opcode: Opcode,
    compressed: bool,
    payload: usize,
    mask: Option<Mask>,
) -> ([u8; MAX_HEADER], usize) {
    let mut bytes = [0; MAX_HEADER];
    bytes[0] = FIN | if compressed { COMPRESSED } else { 0 } | opcode as u8;
    let mut len = match (u8::try_from(payload), u16::try_from(payload)) {
        (Ok(short @ ..126), _) => {
            bytes[1] = short;
            2
        }
        (_, Ok(middle)) => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&middle.to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
            10
        }
    };
    if let Some(mask) = mask {
        bytes[1] |= MASKED;
        bytes[len..len + 4].copy_from_slice(&mask);
        len += 4;
    }
    (bytes, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn both_ways(opcode: Opcode, payload: usize, mask: Option<Mask>, bytes: &[u8]) {
        let (array, len) = header(opcode, false, payload, mask);
        assert_eq!(&array[..len], bytes);
        let from = if mask.is_some() { Role::Client } else { Role::Server };
        let head = Head { fin: true, compressed: false, opcode, mask, payload: payload as u64 };
        assert_eq!(parse(bytes, from, false), Ok(Front::Known(head, len)));
        for cut in 0..len {
            let Ok(Front::Needs(need)) = parse(&bytes[..cut], from, false) else {
                panic!("at {cut}")
            };
            assert!(need > cut && need <= len, "{need} at {cut}");
        }
    }

    #[test]
    fn the_shortest_length_is_written() {
        both_ways(Opcode::Text, 0, None, &[0x81, 0]);
        both_ways(Opcode::Ping, 125, None, &[0x89, 125]);
        both_ways(Opcode::Binary, 126, None, &[0x82, 126, 0, 126]);
        both_ways(Opcode::Binary, 65535, None, &[0x82, 126, 0xff, 0xff]);
        both_ways(Opcode::Binary, 65536, None, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        both_ways(Opcode::Text, 5, Some([1, 2, 3, 4]), &[0x81, 0x85, 1, 2, 3, 4]);
        both_ways(Opcode::Close, 2, Some([0; 4]), &[0x88, 0x82, 0, 0, 0, 0]);
    }

    #[test]
    fn faults_are_known_by_the_first_byte_that_shows_them() {
        let fault = |bytes: &[u8]| parse(bytes, Role::Server, false).expect_err("a fault");
        assert_eq!(fault(&[0xc1]), Violation::ReservedBits(0b100));
        assert_eq!(fault(&[0x91]), Violation::ReservedBits(0b001));
        assert_eq!(fault(&[0x83]), Violation::Opcode(3));
        assert_eq!(fault(&[0x8f]), Violation::Opcode(15));
        assert_eq!(fault(&[0x09]), Violation::FragmentedControl);
        assert_eq!(fault(&[0x89, 126]), Violation::ControlTooLong);
        assert_eq!(fault(&[0x81, 0x80]), Violation::Masked);
        assert_eq!(parse(&[0x81, 0], Role::Client, false), Err(Violation::Unmasked));
        assert_eq!(fault(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Violation::Length);
    }

    #[test]
    fn a_length_longer_than_needed_is_taken() {
        let head =
            Head { fin: true, compressed: false, opcode: Opcode::Binary, mask: None, payload: 5 };
        let bytes = [0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5];
        assert_eq!(parse(&bytes, Role::Server, false), Ok(Front::Known(head, 10)));
    }

    #[test]
    fn only_the_first_frame_of_a_message_says_that_it_is_compressed() {
        let (bytes, len) = header(Opcode::Text, true, 7, None);
        assert_eq!(&bytes[..len], [0xc1, 7]);
        let parse = |bytes: &[u8]| parse(bytes, Role::Server, true);
        let Ok(Front::Known(head, 2)) = parse(&[0xc1, 7]) else { panic!("a header") };
        assert!(head.compressed);
        for wrong in [0xc0, 0xc8, 0xc9, 0xd1] {
            assert!(matches!(parse(&[wrong, 0]), Err(Violation::ReservedBits(_))), "{wrong:#x}");
        }
    }
}
