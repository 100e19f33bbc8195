//! The size of TPDUs: what it can be, and how two ends agree on one (RFC 905 clause 6.5.4 j, RFC
//! 1006 clause 5).
//!
//! ```text
//! C0, TPDU size                     07   08   09   0A    0B    0C    0D    0E     0F     10
//!                                  128  256  512  1024  2048  4096  8192  16384  32768  65531
//!                                  └── class 0 of RFC 905 ──┘  └── the installed base, RFC 1006 ─┘
//! F0, preferred maximum TPDU size   1..511 units of 128 octets: 128..65408 (X.224 of 1995)
//! ```

use core::fmt;

use crate::tpkt;

/// A size of TPDUs in octets, header included: 128 to 65531.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TpduSize(u16);

/// Octets of the header of a DT: a TPDU of `n` octets carries `n - 3` of a message (RFC 905 clause
/// 13.7.5).
pub(super) const DT_HEADER: usize = 3;

/// What one unit of the preferred maximum size stands for, in octets.
const UNIT: u16 = 128;

impl TpduSize {
    /// 128 octets, the least: what every peer takes.
    pub const MIN: Self = Self(128);
    /// 2048 octets, the largest that RFC 905 has in class 0.
    pub const CLASS_0: Self = Self(2048);
    /// 65531 octets, the largest that fits a TPKT packet.
    pub const MAX: Self = Self(tpkt::MAX_TPDU as u16);

    /// A size of `octets`; `None` outside 128..=65531.
    #[must_use]
    pub const fn new(octets: u16) -> Option<Self> {
        if octets >= Self::MIN.0 && octets <= Self::MAX.0 { Some(Self(octets)) } else { None }
    }

    /// What a code of parameter C0 stands for; `None` outside 07..=10 (hexadecimal).
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x07..=0x0f => Some(Self(1 << code)),
            0x10 => Some(Self::MAX),
            _ => None,
        }
    }

    /// What `units` of parameter F0 stand for, the largest multiple that fits where they are too
    /// many; `None` for zero.
    #[must_use]
    pub fn from_units(units: u32) -> Option<Self> {
        let most = Self::MAX.units();
        let units = u16::try_from(units).unwrap_or(most).min(most);
        (units > 0).then_some(Self(units * UNIT))
    }

    /// Octets, header included.
    #[must_use]
    pub const fn octets(self) -> usize {
        self.0 as usize
    }

    /// Octets of a message that one DT of this size carries.
    #[must_use]
    pub const fn payload(self) -> usize {
        self.octets() - DT_HEADER
    }

    /// The code of the largest C0 that is not larger.
    #[must_use]
    pub const fn code(self) -> u8 {
        if self.0 == Self::MAX.0 { 0x10 } else { self.0.ilog2() as u8 }
    }

    /// How many whole units of F0.
    #[must_use]
    pub const fn units(self) -> u16 {
        self.0 / UNIT
    }

    /// The largest size with a C0 code that is not larger.
    #[must_use]
    pub(super) fn rounded_to_code(self) -> Self {
        Self::from_code(self.code()).expect("every size has a code")
    }

    /// The largest multiple of a unit that is not larger.
    #[must_use]
    pub(super) fn rounded_to_units(self) -> Self {
        Self(self.units() * UNIT)
    }
}

/// What every peer takes.
impl Default for TpduSize {
    fn default() -> Self {
        Self::MIN
    }
}

impl fmt::Display for TpduSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TpduSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TpduSize({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        let sizes = (0x07..=0x10).map(|code| TpduSize::from_code(code).expect("a code"));
        assert!(sizes.clone().map(TpduSize::code).eq(0x07..=0x10));
        assert!(
            sizes
                .clone()
                .map(TpduSize::octets)
                .eq([128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65531])
        );
        for code in (0..=0x06).chain(0x11..=0xff) {
            assert_eq!(TpduSize::from_code(code), None);
        }
        assert_eq!(TpduSize::new(3000).map(TpduSize::code), Some(0x0b));
        assert_eq!(TpduSize::new(65530).map(TpduSize::code), Some(0x0f));
    }

    #[test]
    fn units() {
        assert_eq!(TpduSize::from_units(0), None);
        assert_eq!(TpduSize::from_units(1), Some(TpduSize::MIN));
        assert_eq!(TpduSize::from_units(511).map(TpduSize::octets), Some(65408));
        assert_eq!(TpduSize::from_units(u32::MAX).map(TpduSize::octets), Some(65408));
    }
}
