use bytes::{Bytes, BytesMut};

use super::{Kind, Parameters, TooLong, fixed, packet};
use crate::cotp::Violation;

/// Where the variable part of a CR or CC starts, counted from the LI.
const VARIABLE: usize = 7;

/// The parts of a CR or a CC (RFC 905 clauses 13.3 and 13.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// CDT, the initial credit, 0 to 15: zero in class 0.
    pub credit: u8,
    /// DST-REF: zero in a CR, in a CC the source reference of the CR.
    pub destination_reference: u16,
    /// SRC-REF: the sender's own, not zero.
    pub source_reference: u16,
    /// Preferred class of a CR, selected class of a CC: 0 to 4.
    pub class: u8,
    /// The option bits beside the class, 0 to 15: zero in class 0.
    pub options: u8,
    /// The variable part as it stands on the wire. See [`parameters`](Self::parameters); RDP has
    /// other things in it.
    pub variable: Bytes,
    /// User data behind the header.
    pub data: Bytes,
}

impl Connect {
    pub(super) fn parse(kind: Kind, header: &Bytes, data: Bytes) -> Result<Self, Violation> {
        let &[a, b, c, d, class] = fixed::<5>(kind, header)?;
        Ok(Self {
            credit: header[1] & 0x0f,
            destination_reference: u16::from_be_bytes([a, b]),
            source_reference: u16::from_be_bytes([c, d]),
            class: class >> 4,
            options: class & 0x0f,
            variable: header.slice(VARIABLE..),
            data,
        })
    }

    pub(super) fn packet(&self, kind: Kind) -> Result<BytesMut, TooLong> {
        let [a, b] = self.destination_reference.to_be_bytes();
        let [c, d] = self.source_reference.to_be_bytes();
        let class = self.class << 4 | self.options & 0x0f;
        packet(kind.code() | self.credit & 0x0f, &[a, b, c, d, class], &self.variable, &self.data)
    }

    /// The parameters of the variable part.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        Parameters::new(self.variable.clone(), VARIABLE)
    }
}
