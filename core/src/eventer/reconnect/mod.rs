//! What a client decides that comes back after every outage: when to try again, and how to miss
//! nothing.
//!
//! ```text
//! connecting ──taken──> catching up ──every answer here──> live
//!     ^ │                 asks for what came after the        │
//!     │ failed            last event seen; what is told       │ lost
//!     │ v                 meanwhile waits                     │
//!   waiting <─────────────────────────────────────────────────┘
//!     longer each time, with jitter
//! ```
//!
//! [`Retry`] says how long to wait, [`CatchUp`] what to ask and what to hand on. Neither has a
//! clock or a socket: `aio` drives them, and so can any other loop. The model is
//! `hat.event.component`, which waits 0.5 s each time and asks for nothing, and the synchronization
//! of `hat-event`'s servers among each other, which asks as it is done here.

mod catch_up;
#[cfg(test)]
mod tests;

pub use crate::retry::{Failure, OnRejection, Retry, RetryConfig};
pub use catch_up::{CatchUp, CatchUpConfig, Gap, Interest, Position};
