//! The component's end of a monitor: against bytes recorded from `hat-monitor` 0.8.23, and against
//! any monitor at all.
#![allow(missing_docs, reason = "tests")]

mod plant;
mod recorded;
mod rules;
mod servers;
