use bytes::{Bytes, BytesMut};

use super::{Kind, Parameters, TooLong, code, fixed, packet, put_parameter};
use crate::cotp::{Cause, Reason, Violation};

/// The parts of a DR (RFC 905 clause 13.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disconnect {
    /// DST-REF.
    pub destination_reference: u16,
    /// SRC-REF: zero in the refusal of a CR.
    pub source_reference: u16,
    /// Why.
    pub reason: Reason,
    /// Additional information (E0), which has no defined form.
    pub information: Option<Bytes>,
    /// User data, which class 0 does not have here.
    pub data: Bytes,
}

impl Disconnect {
    /// A variable part that does not read is left alone: the connection is over in any case.
    pub(super) fn parse(header: &Bytes, data: Bytes) -> Result<Self, Violation> {
        let &[a, b, c, d, reason] = fixed::<5>(Kind::Dr, header)?;
        Ok(Self {
            destination_reference: u16::from_be_bytes([a, b]),
            source_reference: u16::from_be_bytes([c, d]),
            reason: Reason::from(reason),
            information: last(header.slice(7..), code::INFORMATION),
            data,
        })
    }

    pub(super) fn packet(&self) -> Result<BytesMut, TooLong> {
        let [a, b] = self.destination_reference.to_be_bytes();
        let [c, d] = self.source_reference.to_be_bytes();
        let variable = optional(code::INFORMATION, self.information.as_ref());
        packet(Kind::Dr.code(), &[a, b, c, d, self.reason.code()], &variable, &self.data)
    }
}

/// The parts of an ER (RFC 905 clause 13.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// DST-REF.
    pub destination_reference: u16,
    /// Why.
    pub cause: Cause,
    /// The rejected TPDU, up to and with the octet that was wrong (C1). Mandatory in class 0, and
    /// yet not all send it.
    pub rejected: Option<Bytes>,
}

impl Reject {
    /// The most of a rejected TPDU that an ER has room for, in octets.
    pub(in crate::cotp) const ROOM: usize = super::MAX_LI - 4 - 2;

    pub(super) fn parse(header: &Bytes) -> Result<Self, Violation> {
        let &[a, b, cause] = fixed::<3>(Kind::Er, header)?;
        Ok(Self {
            destination_reference: u16::from_be_bytes([a, b]),
            cause: Cause::from(cause),
            rejected: last(header.slice(5..), code::REJECTED),
        })
    }

    pub(super) fn packet(&self) -> Result<BytesMut, TooLong> {
        let [a, b] = self.destination_reference.to_be_bytes();
        let variable = optional(code::REJECTED, self.rejected.as_ref());
        packet(Kind::Er.code(), &[a, b, self.cause.code()], &variable, &[])
    }
}

/// The value of a parameter: the last one counts where there are several (RFC 905 clause 13.2.3).
fn last(variable: Bytes, code: u8) -> Option<Bytes> {
    let found = Parameters::new(variable, 0).flatten().filter(|it| it.code == code).last();
    found.map(|parameter| parameter.value)
}

fn optional(code: u8, value: Option<&Bytes>) -> BytesMut {
    let mut variable = BytesMut::new();
    if let Some(value) = value {
        put_parameter(&mut variable, code, value);
    }
    variable
}
