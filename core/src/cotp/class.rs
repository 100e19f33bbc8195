//! The negotiation of the class by a responder that has class 0 only (RFC 905 table 3).
//!
//! ```text
//! preferred   alternatives (C7)   answer
//! 0           -                   class 0
//! 1           any or none         class 0
//! 2           with 0              class 0
//! 3, 4        with 0 or 1         class 0     (alternative 1 implies 0)
//! else                            DR, reason 130
//! 5 to 15                         not a class: protocol error (clause 13.2.3)
//! ```

/// Whether `class` is one at all.
pub(super) fn exists(class: u8) -> bool {
    class <= 4
}

/// The classes that octets of C7 name, as a set of bits; the octet that is none, counted from the
/// first, otherwise. Each has the class in bits 8 to 5 and zero in bits 4 to 1.
pub(super) fn alternatives(octets: &[u8]) -> Result<u8, usize> {
    if octets.is_empty() {
        return Err(0);
    }
    octets.iter().enumerate().try_fold(0, |set, (at, octet)| {
        let valid = octet & 0x0f == 0 && exists(octet >> 4);
        if valid { Ok(set | 1 << (octet >> 4)) } else { Err(at) }
    })
}

/// Whether a request for `preferred`, with a set of alternatives, may be answered with class 0.
pub(super) fn allows_0(preferred: u8, alternatives: u8) -> bool {
    match preferred {
        0 | 1 => true,
        2 => alternatives & 0b01 != 0,
        3 | 4 => alternatives & 0b11 != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_3() {
        // by alternatives: none, 0, 1, 2, 3, 4
        let rows = [
            (0, [true, true, true, true, true, true]),
            (1, [true, true, true, true, true, true]),
            (2, [false, true, false, false, false, false]),
            (3, [false, true, true, false, false, false]),
            (4, [false, true, true, false, false, false]),
            (5, [false; 6]),
        ];
        let sets = [0, 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4];
        for (preferred, expected) in rows {
            assert_eq!(sets.map(|set| allows_0(preferred, set)), expected, "{preferred}");
        }
    }

    #[test]
    fn octets_of_c7() {
        assert_eq!(alternatives(&[0x10, 0x00]), Ok(0b11));
        assert_eq!(alternatives(&[0x10, 0x01]), Err(1));
        assert_eq!(alternatives(&[0x50]), Err(0));
        assert_eq!(alternatives(&[]), Err(0));
    }
}
