//! The library against the deployed peers: connections of Chatter in both dialects and both
//! directions on every runtime, Eventer clients and servers, and SBS value by value.
#![allow(missing_docs, reason = "tests")]

mod conversations;
mod ends;
mod eventer_client;
mod eventer_server;
mod link;
mod pings;
mod sbs;
mod timeouts;
