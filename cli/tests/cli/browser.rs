//! The page in a real browser, and pages of others with our server.
//!
//! Needs Chromium and Node; without them these tests fail and say how to install them. `HAT_TESTS_WITHOUT_BROWSER=1` skips them. Screenshots are
//! left in `target/browser/`.

mod page;
mod published;
