//! The page in a real browser, and pages of others with our server.
//!
//! Needs Chromium and Node; without them these tests are skipped and say how to install them.
//! Screenshots are left in `target/browser/`.

mod hmi;
mod many;
mod page;
mod published;
