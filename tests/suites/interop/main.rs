//! The library against the deployed peers: connections of Chatter in both dialects and both directions on every
//! runtime, and SBS value by value.
#![allow(missing_docs, reason = "tests")]

mod conversations;
mod ends;
mod link;
mod pings;
mod sbs;
mod timeouts;
