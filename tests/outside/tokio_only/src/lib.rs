//! All that a program names, out of the one crate that it depends on. The lines with `use` are
//! those in which this differs from the same for smol.

use hat_tokio as hat;
use hat_tokio::TokioStream as Stream;

include!("../../names.rs");
