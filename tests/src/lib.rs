//! What the suites in `suites/` share.

pub mod peers;
