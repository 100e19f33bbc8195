/// A text that names nothing of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid {kind}; write one of: {expected}")]
pub struct UnknownName {
    /// What was asked for, for example `status`.
    pub kind: &'static str,
    /// The names there are, separated by commas.
    pub expected: &'static str,
}

/// A Choice without data whose entries have names for people: `as_str`, `Display` and `FromStr`.
macro_rules! named {
    ($type:ident, $kind:literal, { $first:ident: $first_name:literal $(, $entry:ident: $name:literal)* $(,)? }) => {
        impl $type {
            /// The name of the entry in the schema.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_name,
                    $(Self::$entry => $name,)*
                }
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl core::str::FromStr for $type {
            type Err = $crate::eventer::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $first_name => Ok(Self::$first),
                    $($name => Ok(Self::$entry),)*
                    _ => Err($crate::eventer::UnknownName {
                        kind: $kind,
                        expected: concat!($first_name $(, ", ", $name)*),
                    }),
                }
            }
        }
    };
}
pub(super) use named;
