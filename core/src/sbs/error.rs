/// Why bytes are no value of the type asked for. `at` is the offset in bytes, from the start of
/// what was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("the data ends too early: {missing} more bytes are needed at byte {at}")]
    UnexpectedEnd {
        /// Where the value that is cut starts.
        at: usize,
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// An Integer that the Rust type cannot hold, one below zero where it has no sign.
    /// [`Integer`](super::Integer) holds any.
    #[error("the integer at byte {at} does not fit in {bits} bits")]
    IntegerOverflow {
        /// Where the integer starts.
        at: usize,
        /// What it had to fit in.
        bits: u32,
    },
    /// An Integer of more bytes than [`MAX_INTEGER_LEN`](super::MAX_INTEGER_LEN).
    #[error("the integer at byte {at} takes more than {limit} bytes")]
    IntegerTooLong {
        /// Where the integer starts.
        at: usize,
        /// The limit.
        limit: usize,
    },
    /// A negative count of an Array, a String or Bytes.
    #[error("the count at byte {at} is negative")]
    NegativeCount {
        /// Where the count starts.
        at: usize,
    },
    /// A count of bytes or elements that what follows cannot hold.
    #[error("the count at byte {at} is {count}, but the data after it holds at most {most}")]
    CountTooLarge {
        /// Where the count starts.
        at: usize,
        /// The count read.
        count: u64,
        /// The most that could be there.
        most: u64,
    },
    /// More values that take no bytes, in a message as a whole, than its length pays for:
    /// `Array(Array(None))`.
    #[error("there are more than {limit} values without any bytes up to byte {at}")]
    TooManyEmpty {
        /// Where the value that is too much would be.
        at: usize,
        /// The most for bytes of this length.
        limit: usize,
    },
    /// A negative index of a Choice.
    #[error("the index of the choice at byte {at} is negative")]
    NegativeIndex {
        /// Where the index starts.
        at: usize,
    },
    /// An index past the last entry of a Choice.
    #[error("the choice at byte {at} has entry {index}, but the type has {entries} entries")]
    NoSuchEntry {
        /// Where the index starts.
        at: usize,
        /// The index read, from 0.
        index: u64,
        /// How many entries the type has.
        entries: usize,
    },
    /// A String that is not UTF-8.
    #[error("the string at byte {at} is not UTF-8")]
    NotUtf8 {
        /// Where the text starts.
        at: usize,
    },
    /// Values nested deeper than the limit.
    #[error("the value at byte {at} is nested deeper than {limit} levels")]
    TooDeep {
        /// Where the level that is too much starts.
        at: usize,
        /// The limit.
        limit: u32,
    },
    /// Arrays whose elements would take more memory, decoded, than is allowed for the whole.
    #[error(
        "the array at byte {at} would take more memory than is left of {limit} bytes for the whole message"
    )]
    TooHeavy {
        /// Where the elements start.
        at: usize,
        /// The limit for all arrays together.
        limit: usize,
    },
    /// Bytes left over after the value.
    #[error("{left} bytes are left over after the value, which ends at byte {at}")]
    TrailingBytes {
        /// Where the value ends.
        at: usize,
        /// How many bytes follow.
        left: usize,
    },
    /// Well-formed SBS whose value the protocol does not allow.
    #[error("the value at byte {at} is not allowed: {reason}")]
    NotAllowed {
        /// Where the value starts.
        at: usize,
        /// Which rule it breaks.
        reason: &'static str,
    },
}
