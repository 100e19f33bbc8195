//! Machines in a simulated network: random faults, hours of virtual time, models that know what
//! must come of it.
//!
//! Each scenario runs 500 seeds. Many more, on all cores: `HAT_SIMULATION_SEEDS=100000 cargo test
//! --release -p hat-tests --test simulation -- --nocapture`.

mod chatter;
mod cotp;
mod eventer;
mod handles;
mod juggler;
