//! An event server as a library: what `hat serve` runs, for programs that embed one.
//!
//! | module | what |
//! |---|---|
//! | [`store`] | where events are kept, and how queries are answered |
//! | [`server`] | the event server over a store, on any runtime |
//! | [`page`] | its page, for browsers |
//! | [`module`] | parts of one's own within it |
//! | [`redundancy`] | several servers, of which one is active |
//! | [`cluster`] | the rules by which several machines have one order of sessions |
//! | [`builtin`] | the events that a server registers of itself |
//! | [`adminer`] | where deployed tools change what is logged |
//! | [`metrics`] | what Prometheus reads |
//! | [`control`] | requests to a running server from its own machine: a backup |
//! | [`check`] | what is refused at the sender |
//! | [`json`] | events as JSON, one line each, both ways |
//!
//! ```
//! use std::sync::Arc;
//!
//! use hat_server::store::{MemoryStore, memory};
//! use hat_server::{EventServer, Options};
//! use hat_tokio::eventer::RegisterEvent;
//! use hat_tokio::{Address, Tokio};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // `DiskStore::open` keeps events on a disk
//! let store = Arc::new(MemoryStore::new(memory::Config::new(1)));
//! let options = Options::new(Address::from(("127.0.0.1", 0)), 1);
//! let server = EventServer::start::<Tokio>(options, store).await?;
//! // clients connect to `server.addresses()`; the program itself needs no connection
//! let event = RegisterEvent::json("plant/boiler/celsius", &81.5)?;
//! let registered = server.handle().register(vec![event]).await?;
//! assert_eq!(registered[0].id.server, 1);
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adminer;
pub mod builtin;
pub mod check;
pub mod cluster;
#[cfg(unix)]
pub mod control;
mod engine;
mod engine_handle;
pub mod json;
mod logs;
pub mod metrics;
pub mod module;
pub mod page;
pub mod redundancy;
pub mod server;
pub mod store;
mod teller;
mod token;

pub use engine::RegisterError;
pub use engine_handle::{EngineHandle, Report};
pub use server::{EndReason, EventServer, Options, StartError};
pub use teller::Notify;
