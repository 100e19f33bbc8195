//! All that a program names, out of the one crate that it depends on. The lines with `use` are
//! those in which this differs from the same for Tokio.

use hat_smol as hat;
use hat_smol::SmolStream as Stream;

include!("../../names.rs");
