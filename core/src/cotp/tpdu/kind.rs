use core::fmt;

/// Which TPDU an octet announces (RFC 905 table 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Connection request.
    Cr,
    /// Connection confirm.
    Cc,
    /// Disconnect request.
    Dr,
    /// Disconnect confirm: not in class 0.
    Dc,
    /// Data.
    Dt,
    /// Expedited data: in class 0 only where RFC 1006 negotiated it.
    Ed,
    /// Acknowledgement: not in class 0.
    Ak,
    /// Expedited acknowledgement: not in class 0.
    Ea,
    /// Reject: not in class 0.
    Rj,
    /// Error.
    Er,
    /// A code without a TPDU.
    Unknown(u8),
}

impl Kind {
    /// What the second octet of a TPDU says. The low four bits are a credit in CR, CC, AK and RJ.
    /// In DT and ED they are zero, and to be ignored all the same (RFC 1006 clause 6); in all
    /// others they are part of the code.
    #[must_use]
    pub fn of(code: u8) -> Self {
        match code {
            0xf0..=0xff => Self::Dt,
            0xe0..=0xef => Self::Cr,
            0xd0..=0xdf => Self::Cc,
            0x80 => Self::Dr,
            0xc0 => Self::Dc,
            0x70 => Self::Er,
            0x10..=0x1f => Self::Ed,
            0x60..=0x6f => Self::Ak,
            0x20 => Self::Ea,
            0x50..=0x5f => Self::Rj,
            code => Self::Unknown(code),
        }
    }

    /// The standard's two letters; "TPDU" where it has none.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cr => "CR",
            Self::Cc => "CC",
            Self::Dr => "DR",
            Self::Dc => "DC",
            Self::Dt => "DT",
            Self::Ed => "ED",
            Self::Ak => "AK",
            Self::Ea => "EA",
            Self::Rj => "RJ",
            Self::Er => "ER",
            Self::Unknown(_) => "TPDU",
        }
    }

    /// The code, with a credit of zero.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Dt => 0xf0,
            Self::Cr => 0xe0,
            Self::Cc => 0xd0,
            Self::Dr => 0x80,
            Self::Dc => 0xc0,
            Self::Er => 0x70,
            Self::Ed => 0x10,
            Self::Ak => 0x60,
            Self::Ea => 0x20,
            Self::Rj => 0x50,
            Self::Unknown(code) => code,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(code) => write!(f, "TPDU with code {code:#04x}"),
            known => f.write_str(known.name()),
        }
    }
}
