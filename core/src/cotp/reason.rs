use core::fmt;

/// Why a DR ended or refused a connection (RFC 905 clause 13.5.3). In class 0 only the first four
/// are defined, but peers send any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// 0: not specified. What a class 0 peer says when it leaves.
    #[default]
    NotSpecified,
    /// 1: congestion at the TSAP. Try later.
    Congestion,
    /// 2: no session entity is attached to the TSAP. Will not change by itself.
    SessionNotAttached,
    /// 3: the address, which is the called selector, is not known. Will not change by itself.
    AddressUnknown,
    /// 128: normal end, initiated by the session entity.
    Normal,
    /// 129: congestion at the remote transport entity while connecting.
    RemoteCongestion,
    /// 130: negotiation failed: the proposed classes are not supported. Will not change by itself.
    NegotiationFailed,
    /// 131: the source reference is used twice for the same pair of addresses.
    DuplicateReference,
    /// 132: references do not match.
    MismatchedReferences,
    /// 133: protocol error.
    ProtocolError,
    /// 135: out of references.
    ReferenceOverflow,
    /// 136: the request was refused on this network connection.
    RefusedOnNetworkConnection,
    /// 138: the length of a header or a parameter is invalid.
    InvalidLength,
    /// Any other code.
    Other(u8),
}

impl Reason {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::NotSpecified => 0,
            Self::Congestion => 1,
            Self::SessionNotAttached => 2,
            Self::AddressUnknown => 3,
            Self::Normal => 128,
            Self::RemoteCongestion => 129,
            Self::NegotiationFailed => 130,
            Self::DuplicateReference => 131,
            Self::MismatchedReferences => 132,
            Self::ProtocolError => 133,
            Self::ReferenceOverflow => 135,
            Self::RefusedOnNetworkConnection => 136,
            Self::InvalidLength => 138,
            Self::Other(code) => code,
        }
    }

    /// Whether trying again is of no use until someone changes a configuration.
    #[must_use]
    pub fn is_persistent(self) -> bool {
        matches!(self, Self::SessionNotAttached | Self::AddressUnknown | Self::NegotiationFailed)
    }

    /// Whether the reason is defined for class 0.
    #[must_use]
    pub fn is_of_class_0(self) -> bool {
        self.code() <= 3
    }
}

impl From<u8> for Reason {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::NotSpecified,
            1 => Self::Congestion,
            2 => Self::SessionNotAttached,
            3 => Self::AddressUnknown,
            128 => Self::Normal,
            129 => Self::RemoteCongestion,
            130 => Self::NegotiationFailed,
            131 => Self::DuplicateReference,
            132 => Self::MismatchedReferences,
            133 => Self::ProtocolError,
            135 => Self::ReferenceOverflow,
            136 => Self::RefusedOnNetworkConnection,
            138 => Self::InvalidLength,
            code => Self::Other(code),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NotSpecified => "reason not specified",
            Self::Congestion => "congestion at the TSAP",
            Self::SessionNotAttached => "no session entity attached to the TSAP",
            Self::AddressUnknown => "address unknown",
            Self::Normal => "normal end",
            Self::RemoteCongestion => "congestion at the remote transport entity",
            Self::NegotiationFailed => "negotiation failed: class not supported",
            Self::DuplicateReference => "duplicate source reference",
            Self::MismatchedReferences => "mismatched references",
            Self::ProtocolError => "protocol error",
            Self::ReferenceOverflow => "reference overflow",
            Self::RefusedOnNetworkConnection => "refused on this network connection",
            Self::InvalidLength => "invalid length of a header or parameter",
            Self::Other(code) => return write!(f, "reason {code}"),
        };
        write!(f, "{text} ({})", self.code())
    }
}

/// Why an ER rejected a TPDU (RFC 905 clause 13.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// 0: not specified.
    NotSpecified,
    /// 1: invalid parameter code.
    ParameterCode,
    /// 2: invalid TPDU type.
    TpduType,
    /// 3: invalid parameter value.
    ParameterValue,
    /// Any other code.
    Other(u8),
}

impl Cause {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::NotSpecified => 0,
            Self::ParameterCode => 1,
            Self::TpduType => 2,
            Self::ParameterValue => 3,
            Self::Other(code) => code,
        }
    }
}

impl From<u8> for Cause {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::NotSpecified,
            1 => Self::ParameterCode,
            2 => Self::TpduType,
            3 => Self::ParameterValue,
            code => Self::Other(code),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSpecified => f.write_str("cause not specified"),
            Self::ParameterCode => f.write_str("invalid parameter code"),
            Self::TpduType => f.write_str("invalid TPDU type"),
            Self::ParameterValue => f.write_str("invalid parameter value"),
            Self::Other(code) => write!(f, "cause {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_there_and_back() {
        for code in 0..=255 {
            assert_eq!(Reason::from(code).code(), code);
            assert_eq!(Cause::from(code).code(), code);
        }
        assert_eq!(Reason::from(134), Reason::Other(134));
        assert!(Reason::AddressUnknown.is_persistent() && Reason::AddressUnknown.is_of_class_0());
    }
}
