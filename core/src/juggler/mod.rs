//! Juggler: JSON state that follows its owner's changes by patches.

mod changes;
mod state;

pub use state::{Flushed, State};
