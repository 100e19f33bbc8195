//! Which instructions are counted, and for what.
//!
//! ```text
//! set up, warm up │ counted(work) │ carry bytes │ counted(work) │ done("name", operations)
//!   not counted   │    counted    │ not counted │    counted    │ the count starts over
//! ```
//!
//! Callgrind is told the names of [`counted`] and of `dump` here, so this works without calls into
//! it, which need unsafe code.

use std::hint::black_box;

/// For callgrind: it collects while a function of such a name runs. Closures have names of other
/// beginnings.
pub const COUNTED: &str = "hat_guard::meter::counted*";

/// For callgrind: it writes a profile out after a function of such a name.
pub const DUMP: &str = "hat_guard::meter::dump*";

/// Runs `work` counted. What it gives is dropped by the caller: count a drop by dropping inside.
#[inline(never)]
pub fn counted<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

/// Ends a case: `operations` of it were counted since the last one ended. Says so on standard
/// output, as a line for [`valgrind::count`](crate::valgrind::count).
#[allow(clippy::print_stdout, reason = "the other process reads it")]
pub fn done(name: &str, operations: usize) {
    dump();
    println!("{name} {operations}");
}

#[inline(never)]
fn dump() {
    black_box(());
}
