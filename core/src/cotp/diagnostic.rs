use super::{Selector, TpduSize};

/// Something that a peer did and that the standard does not have, or something worth knowing about
/// a peer.
///
/// Under [`Policy::Interop`](super::Policy::Interop) it is let pass and reported; under
/// [`Policy::Strict`](super::Policy::Strict) most of them are errors, see
/// [`Violation::Strict`](super::Violation::Strict). What can happen at every TPDU of a connection
/// is reported the first time only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Diagnostic {
    /// A credit in a CR or CC of class 0 (RFC 905 clause 13.3.3 a).
    #[error("a credit of {0} in a CR or CC, which is 0 in class 0")]
    Credit(u8),
    /// A DST-REF that is not what it must be: zero in a CR, ours in a CC or DR. Servers of RDP
    /// answer 0.
    #[error("destination reference {got} instead of {expected}")]
    DestinationReference {
        /// What came.
        got: u16,
        /// What is right.
        expected: u16,
    },
    /// A SRC-REF in a DR that is not the peer's.
    #[error("source reference {got} in a DR instead of {expected}")]
    SourceReference {
        /// What came.
        got: u16,
        /// What is right.
        expected: u16,
    },
    /// A SRC-REF of zero in a CR or CC (RFC 905 clause 6.5.4 a). RDP always sends it.
    #[error("source reference 0 in a CR or CC")]
    ZeroReference,
    /// Option bits beside class 0, where they mean nothing.
    #[error("option bits {0:#x} beside the class, which are 0 in class 0")]
    OptionBits(u8),
    /// A CR of more than 128 octets (RFC 905 clause 13.3).
    #[error("a CR of {octets} octets; the limit is 128")]
    LongRequest {
        /// Its length.
        octets: usize,
    },
    /// A TPDU size in a CR that RFC 905 does not have in class 0, 4096 octets and more. Common over
    /// TCP.
    #[error("a TPDU size of {0} octets, which RFC 905 does not allow in class 0")]
    NonStandardSize(TpduSize),
    /// A parameter that is unknown, or not of class 0: ignored. In a CR that is the rule under both
    /// policies.
    #[error("parameter {code:#04x} is not defined in class 0 and was ignored")]
    ParameterIgnored {
        /// Its code.
        code: u8,
    },
    /// A parameter with an invalid value was taken as absent.
    #[error("parameter {code:#04x} has an invalid value and was treated as absent")]
    ParameterInvalid {
        /// Its code.
        code: u8,
    },
    /// A parameter stood in a TPDU twice; the later one counts, which is the rule under both
    /// policies.
    #[error("parameter {code:#04x} occurs twice: the later one counts")]
    ParameterRepeated {
        /// Its code.
        code: u8,
    },
    /// A CC with a larger TPDU size than was offered, or an undefined one: the offer counts (RFC
    /// 905 clause 6.5.4 j).
    #[error("the peer confirmed TPDU size code {code:#04x}, but {offered} octets were offered")]
    SizeNotOffered {
        /// What it said, as the value of C0; the preferred maximum size has none of its own and
        /// shows as `0xf0`.
        code: u8,
        /// What counts.
        offered: TpduSize,
    },
    /// A CC without a TPDU size (RFC 2126 clause 6.4 strongly recommends one). Under both policies.
    #[error("the peer confirmed no TPDU size: {assumed} octets are assumed")]
    SizeNotConfirmed {
        /// What counts.
        assumed: TpduSize,
    },
    /// A CC with another calling or called selector than the CR. Under both policies.
    #[error("the peer confirmed selector {got} instead of {expected}")]
    SelectorDiffers {
        /// What the CC said.
        got: Selector,
        /// What the CR said.
        expected: Selector,
    },
    /// More than 32 octets of user data in a CR or CC (RFC 905 clause 13.3.5): ignored.
    #[error("{octets} octets of connect data exceed the limit of 32")]
    ConnectDataIgnored {
        /// How many.
        octets: usize,
    },
    /// Parameters C6 and C7 as Siemens uses them for routing: see
    /// [`Config::s7_routing`](super::Config::s7_routing).
    #[error("parameter {code:#04x} holds S7 routing")]
    S7Routing {
        /// Its code.
        code: u8,
    },
    /// A TPDU number in a DT or ED, which is 0 in class 0 (RFC 2126 clause 6.5) and ignored on
    /// input (RFC 1006 clause 6). Old PLC4X counts it up.
    #[error("TPDU number {0} in a DT or ED, which is 0 in class 0")]
    TpduNumber(u8),
    /// Four bits beside the code of a DT or ED, which are 0 and ignored on input (RFC 1006 clause
    /// 6).
    #[error("a credit of {0} in a DT or ED, which has none")]
    DataCredit(u8),
    /// An ED that does not say that it ends, which is ignored (RFC 2126 clause 6.5 has it always
    /// end).
    #[error("an ED without an end of message")]
    ExpeditedEnd,
    /// A DT without data that does not end a message (RFC 905 clause 6.3.3): the "fast ACK" of some
    /// S7.
    #[error("a DT without data that does not end a message")]
    EmptyData,
    /// A DT larger than was negotiated.
    #[error("a TPDU of {octets} octets, but {negotiated} were negotiated")]
    TpduTooLarge {
        /// Its size, octets.
        octets: usize,
        /// The agreed size.
        negotiated: TpduSize,
    },
    /// A DC, which class 0 does not have: taken as the end.
    #[error("a DC, which class 0 does not have")]
    DisconnectConfirm,
    /// User data in a DR (RFC 905 clause 13.5.5).
    #[error("{octets} octets of user data in a DR, which has none in class 0")]
    DisconnectData {
        /// How many.
        octets: usize,
    },
}

impl Diagnostic {
    /// The bit of one that can happen at every TPDU.
    pub(super) fn recurring(&self) -> Option<u8> {
        match self {
            Self::TpduNumber(_) => Some(1),
            Self::EmptyData => Some(2),
            Self::TpduTooLarge { .. } => Some(4),
            Self::DataCredit(_) => Some(8),
            Self::ExpeditedEnd => Some(16),
            _ => None,
        }
    }
}
