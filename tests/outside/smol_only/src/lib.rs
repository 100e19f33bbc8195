//! All that a program names, out of the one crate that it depends on. `use hat_smol as hat` is the
//! one line in which this differs from the same for Tokio.

use hat_smol as hat;

include!("../../names.rs");
