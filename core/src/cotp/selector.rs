use core::fmt;

use bytes::Bytes;

/// A transport selector (TSEL, TSAP-ID): which user of the transport service at an address is
/// meant.
///
/// Arbitrary octets (RFC 905 clause 13.3.4); the standard gives no length, the header has room for
/// 246. `None` where one may be given is an absent parameter, which is not the same as an empty
/// selector.
///
/// ```
/// use hat_core::cotp::Selector;
///
/// assert_eq!(Selector::from(0x0102_u16).octets()[..], [1, 2]);    // the usual form: two octets
/// assert_eq!(Selector::from("SIMATIC-ROOT-HMI").as_text(), Some("SIMATIC-ROOT-HMI"));
/// assert_eq!(Selector::from(&[0, 0, 1][..]).number(), Some(1));
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector(Bytes);

impl Selector {
    /// A selector of these octets.
    #[must_use]
    pub fn new(octets: impl Into<Bytes>) -> Self {
        Self(octets.into())
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &Bytes {
        &self.0
    }

    /// The octets as one big-endian number, as many peers show selectors; an empty one is 0. `None`
    /// where it does not fit 64 bits.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let zeros = self.0.iter().take_while(|&&octet| octet == 0).count();
        let digits = &self.0[zeros..];
        (digits.len() <= 8).then(|| digits.iter().fold(0, |number, &d| number << 8 | u64::from(d)))
    }

    /// The text, if it is printable ASCII and not empty.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        let printable = self.0.iter().all(|octet| (b' '..=b'~').contains(octet));
        core::str::from_utf8(&self.0).ok().filter(|text| printable && !text.is_empty())
    }
}

/// Two octets, big-endian.
impl From<u16> for Selector {
    fn from(number: u16) -> Self {
        Self(Bytes::copy_from_slice(&number.to_be_bytes()))
    }
}

impl From<&str> for Selector {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<&[u8]> for Selector {
    fn from(octets: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(octets))
    }
}

impl From<Bytes> for Selector {
    fn from(octets: Bytes) -> Self {
        Self(octets)
    }
}

/// Printable ASCII of three and more octets in quotes, anything else as hexadecimal digits.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) if text.len() > 2 => write!(f, "{text:?}"),
            _ if self.0.is_empty() => f.write_str("(empty)"),
            _ => self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}")),
        }
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn numbers_and_text() {
        assert_eq!(Selector::from(0x4142).as_text(), Some("AB"));
        assert_eq!(Selector::from(0x4142).to_string(), "4142");
        assert_eq!(Selector::default().to_string(), "(empty)");
        assert_eq!((Selector::default().number(), Selector::default().as_text()), (Some(0), None));
        assert_eq!(Selector::from(&[1; 9][..]).number(), None);
        assert_eq!(Selector::from("SIMATIC-ROOT-HMI").to_string(), "\"SIMATIC-ROOT-HMI\"");
    }
}
