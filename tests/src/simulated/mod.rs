//! A runtime that is simulated: one thread, virtual time, a scheduler and a network whose every
//! choice comes from a seed.
//!
//! ```text
//!   seed ──> Random ──┬── which ready task is polled next, how long that takes
//!                     └── the network: latency, splits, windows, refused and lost connections
//!
//!   scenario ──> handles ──> the real driver ──> SimulatedStream ──> Pipe ──> the peer's
//!                                 └── SimulatedTimer ──> agenda of virtual time
//! ```
//!
//! [`Simulated`] implements the `Runtime` that applications use, so what runs under it is what they
//! run: handles, servers, the driver. [`run`] gives what the scenario gave and a [`Report`], and
//! fails where
//!
//! - nothing is ready and nothing is planned, while the scenario still waits: somebody waits for
//!   ever;
//! - tasks only wake each other, and time stands still;
//! - something is left at the end: a task, a socket, a listener, a timer;
//! - a caller of a stream does not keep its side of the contract: see [`stream`].

mod habits;
mod net;
mod runtime;
pub mod stream;
mod timer;
mod world;

pub use habits::Habits;
pub use net::Fault;
pub use runtime::Simulated;
pub use stream::SimulatedStream;
pub use timer::SimulatedTimer;
pub use world::{Report, World, run};
