//! All that a program names, out of the one crate that it depends on. `use hat_tokio as hat` is the
//! one line in which this differs from the same for smol.

use hat_tokio as hat;

include!("../../names.rs");
