//! Machines in a network that is simulated: virtual time, one seed for all that is random, hours in
//! milliseconds.
//!
//! ```text
//!   seed ──> Random ──┬── the scenario: who calls whom, says what, and which faults come
//!                     └── the network: times of arrival, sizes of pieces
//!
//!   scenario <──Occurrence── Network::step ──> agenda of virtual time ──> the next plan
//!       └─── calls ───> machine (tx) ──write──> Stream ──read──> (rx) machine of the peer
//! ```
//!
//! A [`Network`] drives any number of machines as `hat_core` says that they are driven, and checks
//! at each poll that they keep their side of that contract. A scenario takes [`Occurrence`] from
//! it, calls its machines, and holds what they give against a model. [`simulate`] runs a scenario
//! with many seeds. A seed that fails is run again, and prints what happened last.

mod agenda;
mod contract;
mod drive;
mod either;
mod end;
mod faults;
mod network;
mod random;
mod seeds;
mod stream;
mod trace;

pub use contract::Limits;
pub use either::{Either, EitherError};
pub use end::{EndId, Ending};
pub use network::{ClockId, Fate, Network, Occurrence, Outcome, PollReport};
pub use random::Random;
pub use seeds::{Seed, Tally, simulate, simulate_by};
pub use stream::Shape;
pub use trace::Trace;
