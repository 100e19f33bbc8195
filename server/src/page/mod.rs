//! The page of `hat serve --web`: the state that it shows, and the web server that serves it.
//!
//! ```text
//! clients ──> engine ──> Store           files     server/web/, compiled in, under its CSP
//!              │         │               live      what all pages follow; what changes it at once
//!              │ wake    │ what changed  refresh   the task that brings in the rest, in time
//!              ▼         ▼               rate      events a second, in a ring
//!             Live <── refresh           events    the latest of each type, in step with the store
//!              │                         event     an event as JSON, both ways
//!              ▼                         requests  what pages ask for
//!         Juggler 0.7 ──> pages          history   what has been; types without room in the state
//!                                        stream    all events, for pages that follow them
//! ```
//!
//! `server/web/README.md` says what is in the state. A registration costs an atomic load more than
//! without a page, and while somebody looks a wake-up: the refresh reads from the store what has
//! changed since its last time, so that its cost depends on how many types changed and not on how
//! many events there were.

mod cluster;
mod event;
mod events;
mod fields;
mod files;
mod find;
mod history;
mod latest;
mod live;
mod name;
mod probes;
mod rate;
mod refresh;
mod requests;
mod roles;
mod serve;
mod stream;

pub use live::Live;
pub use roles::{Role, Roles, RolesError};
pub use serve::{Page, PageOptions};
