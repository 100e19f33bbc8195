use bytes::{Buf, BufMut, Bytes};

use crate::cotp::Violation;

/// Codes of parameters (RFC 905 clause 13, X.224).
pub mod code {
    /// TPDU size, 1 octet: see [`TpduSize`](crate::cotp::TpduSize).
    pub const TPDU_SIZE: u8 = 0xc0;
    /// Calling selector, in CR and CC.
    pub const CALLING: u8 = 0xc1;
    /// Called selector, in CR and CC.
    pub const CALLED: u8 = 0xc2;
    /// Additional options, 1 octet; bit 1: expedited data (RFC 1006).
    pub const OPTIONS: u8 = 0xc6;
    /// Alternative classes, an octet each.
    pub const ALTERNATIVES: u8 = 0xc7;
    /// Preferred maximum TPDU size, 1 to 4 octets: see [`TpduSize`](crate::cotp::TpduSize).
    pub const PREFERRED_SIZE: u8 = 0xf0;
    /// Rejected octets, in ER.
    pub const REJECTED: u8 = 0xc1;
    /// Additional information, in DR.
    pub const INFORMATION: u8 = 0xe0;
}

/// One parameter of a variable part: code, length, value (RFC 905 clause 13.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it is: see [`code`].
    pub code: u8,
    /// Its value, a slice of the TPDU.
    pub value: Bytes,
    /// Where in the TPDU its code stands, counted from the LI.
    pub at: usize,
}

/// The parameters of a variable part, in their order. Ends after the first that does not fit.
#[derive(Clone, Debug)]
pub struct Parameters {
    rest: Bytes,
    at: usize,
}

impl Parameters {
    /// The parameters in `variable`, which starts at the octet `at` of its TPDU.
    pub(super) fn new(variable: Bytes, at: usize) -> Self {
        Self { rest: variable, at }
    }
}

impl Iterator for Parameters {
    type Item = Result<Parameter, Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        let &code = self.rest.first()?;
        let end = self.rest.get(1).map(|&length| 2 + usize::from(length));
        let Some(end) = end.filter(|&end| end <= self.rest.len()) else {
            // the octet that is wrong is the length, or the code without one
            let at = self.at + usize::from(end.is_some());
            self.rest.clear();
            return Some(Err(Violation::ParameterOverrun { code, at }));
        };
        let mut value = self.rest.split_to(end);
        value.advance(2);
        let at = self.at;
        self.at += end;
        Some(Ok(Parameter { code, value, at }))
    }
}

/// Appends a parameter. Of a value over 255 octets only as many are written: the header has no room
/// for it in any case.
pub fn put(out: &mut impl BufMut, code: u8, value: &[u8]) {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    out.put_slice(&[code, length]);
    out.put_slice(&value[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn read(variable: &'static [u8]) -> Vec<Result<(u8, usize), Violation>> {
        let parameters = Parameters::new(Bytes::from_static(variable), 7);
        parameters.map(|it| it.map(|parameter| (parameter.code, parameter.at))).collect()
    }

    #[test]
    fn in_their_order_and_to_their_end() {
        assert_eq!(read(&[]), []);
        assert_eq!(read(&[0xc1, 2, 1, 2, 0xc0, 0]), [Ok((0xc1, 7)), Ok((0xc0, 11))]);
        let overrun = |at| Err(Violation::ParameterOverrun { code: 0xc0, at });
        assert_eq!(read(&[0xc1, 0, 0xc0, 1]), [Ok((0xc1, 7)), overrun(10)]);
        assert_eq!(read(&[0xc1, 0, 0xc0]), [Ok((0xc1, 7)), overrun(9)]);
    }
}
