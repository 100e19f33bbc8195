//! Numbers: integers of 64 bits, or doubles.
//!
//! They are our own and not `serde_json`'s, whose form depends on a feature that any crate of a
//! program can switch on.

use core::fmt;
use core::hash::{Hash, Hasher};

/// A number of JSON: an `i64`, a `u64`, or a finite `f64`. Two are equal if they are the same
/// number, `1` and `1.0` too.
#[derive(Clone, Copy)]
pub struct Number(Form);

/// An integer has one form only.
#[derive(Clone, Copy)]
enum Form {
    Natural(u64),
    /// Below zero.
    Negative(i64),
    /// Finite; it may be a whole number.
    Double(f64),
}

impl Number {
    /// The double, unless it is NaN or infinite: JSON has neither.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(Form::Double(value)))
    }

    /// The integer, if it was made of one, or written without fraction and exponent, and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Form::Natural(value) => value.try_into().ok(),
            Form::Negative(value) => Some(value),
            Form::Double(_) => None,
        }
    }

    /// The integer, if it was made of one, or written without fraction and exponent, and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self.0 {
            Form::Natural(value) => Some(value),
            Form::Negative(_) | Form::Double(_) => None,
        }
    }

    /// The number as a double; integers beyond 2⁵³ become the nearest.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self.0 {
            Form::Natural(value) => value as f64,
            Form::Negative(value) => value as f64,
            Form::Double(value) => value,
        }
    }

    /// The number as an integer, if it is one. Doubles beyond 128 bits are none here: nothing else
    /// that a number can be equals them.
    fn integer(self) -> Option<i128> {
        match self.0 {
            Form::Natural(value) => Some(value.into()),
            Form::Negative(value) => Some(value.into()),
            Form::Double(double) => {
                // `as` cuts what is too large or has a fraction, so the way back tells
                let integer = double as i128;
                (integer as f64 == double && integer != i128::MAX).then_some(integer)
            }
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Form::Natural(one), Form::Natural(other)) => one == other,
            (Form::Negative(one), Form::Negative(other)) => one == other,
            // 0.0 and -0.0 too
            (Form::Double(one), Form::Double(other)) => one == other,
            _ => match (self.integer(), other.integer()) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            },
        }
    }
}

// every double is finite
impl Eq for Number {}

/// Equal numbers have equal hashes: each goes in as the double nearest to it.
impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // -0.0 + 0.0 is 0.0
        (self.as_f64() + 0.0).to_bits().hash(state);
    }
}

/// As JSON: the shortest digits that are this number and no other.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Natural(value) => fmt::Display::fmt(&value, f),
            Form::Negative(value) => fmt::Display::fmt(&value, f),
            // `1.0` and `1e300`, where `Display` writes `1` and three hundred zeros
            Form::Double(value) => fmt::Debug::fmt(&value, f),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(Form::Natural(value))
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value.try_into().map_or(Form::Negative(value), Form::Natural))
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        u64::from(value).into()
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        i64::from(value).into()
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        (value as u64).into()
    }
}
