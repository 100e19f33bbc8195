//! What the core's hot paths cost in instructions, which are the same on a busy machine and on an
//! idle one.
//!
//! ```text
//! hat-guard ──runs itself under──> valgrind --tool=callgrind ──> hat-guard --counted
//!     │                                                           │ a case: set up, warm up, count
//!     │ <───────── names, and a profile for each ─────────────────┘
//!     └─> held against counts.txt, with a margin of 5 %, and against the targets
//! ```
//!
//! `cargo run --profile guard -p hat-guard` checks, with `-- --bless` it stores what it counted.
//! What moved by more than the margin fails on every processor: none is excused. Under valgrind all
//! have the same features, and copies without `rep movsb` count alike (two kinds of Xeon gave the
//! very same numbers for code that was the same). `tests/allocations.rs` counts allocations of the
//! same work.

pub mod cases;
pub mod meter;
pub mod table;
pub mod targets;
pub mod valgrind;
