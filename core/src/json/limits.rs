use crate::options::More;

/// How large a value may be that comes from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of lists and objects inside each other; 128 by default, as `serde_json` has it and
    /// far more than people nest. Reading, writing, comparing and dropping a value go that deep on
    /// the stack, with at most some hundred bytes a level.
    pub depth: usize,
    /// Bytes of memory as [`Value::size`](super::Value::size) counts them; 256 MiB by default. A
    /// text takes from 2 to 10 times its length, by how short its names and values are; lists of
    /// nothing but `[]` take 30 times. So a state of 25 MB of the usual text is within it.
    pub size: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Limits {
    /// Up to `depth` levels, and `size` bytes of memory.
    #[must_use]
    pub const fn new(depth: usize, size: usize) -> Self {
        Self { depth, size, more: More::NONE }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(128, 256 << 20)
    }
}
