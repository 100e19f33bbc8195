//! The conventions for all options and configurations.
//!
//! They are structs with public fields, a default for each, and one more field that is hidden: so a
//! literal of one ends with `..Default::default()`, and a release that adds a field breaks no
//! program.
//!
//! ```
//! use hat_core::tpkt::Config;
//!
//! let config = Config { max_queued: 64 * 1024, ..Config::default() };
//! # let _ = config;
//! ```

/// The field that makes a literal end with `..Default::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct More(());

impl More {
    #[doc(hidden)]
    pub const NONE: Self = Self(());
}
