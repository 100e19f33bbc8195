//! An event server as a library: what `hat serve` runs, for programs that embed one.
//!
//! | module | what |
//! |---|---|
//! | [`store`] | where events are kept, and how queries are answered |
//! | [`server`] | the event server over a store, on any runtime |
//! | [`page`] | its page, for browsers |
//! | [`json`] | events as JSON, one line each, both ways |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod json;
pub mod page;
pub mod server;
pub mod store;
