//! SBS, simple binary serialization: the encoding of every Hat message.
//!
//! ```text
//! None     nothing                          Bytes   count, then the bytes
//! Boolean  00 | 01                          String  as Bytes, UTF-8
//! Integer  7-bit groups, most significant   Array   count, then the elements
//!          first, top bit set on the last   Record  its entries in schema order
//! Float    IEEE 754 binary64, big-endian    Choice  index of the entry, then the entry
//! ```
//!
//! Two ways in and out:
//!
//! - **Typed**: [`Encode`] and [`Decode`], with [`record!`] and [`choice!`] for the types of a
//!   schema. Strings and bytes are slices of the buffer they were decoded from.
//! - **Dynamic**: a [`Repository`] of schemas read at run time, and a [`Value`] of any of its
//!   types.
//!
//! The source of the rules is the `hat-sbs` documentation and its deployed serializers.

mod big;
mod decode;
mod encode;
mod error;
mod integer;
mod macros;
mod repository;
pub mod schema;
mod value;

pub use bytestring::ByteString;
/// What an [`Integer`] is made of and turned into, where an `i64` is too small.
pub use num_bigint::BigInt;

pub use crate::buffer::Writer;
pub use crate::sbs_choice as choice;
pub use crate::sbs_record as record;
pub use big::{Integer, MAX_INTEGER_LEN};
use decode::MAX_DEPTH;
pub use decode::{Decode, Reader, decode};
pub use encode::{Encode, TooDeep, encode, try_encode};
pub use error::DecodeError;
pub(crate) use integer::{EncodedInteger, encoded_len as integer_len, take as take_integer};
#[cfg(feature = "std")]
pub use repository::LoadError;
pub use repository::{PreparedType, Repository, TypeError};
pub use value::{Choice, EncodeError, MAX_VALUE_DEPTH, Path, Record, Value, ValueDecodeError};
