use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Choice, MAX_VALUE_DEPTH, Record, Value};
use crate::sbs::decode::MAX_EMPTY_ELEMENTS;
use crate::sbs::repository::{Builtin, Entries, Id, Node, Plan};
use crate::sbs::{Decode, DecodeError, Integer, PreparedType, Reader};

/// Entries for which a Record reserves memory before it has read any of them: the recursive ones
/// are all open at once.
const MAX_RESERVED_ENTRIES: usize = 64;

impl PreparedType {
    /// The value of this type that takes all of `bytes`. Strings and bytes in it share their
    /// memory.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: the bytes are no such value, or more than one. The deployed peers take no
    /// offence at bytes that are left over; [`decode_from`](Self::decode_from) leaves them to the
    /// caller.
    pub fn decode(&self, bytes: &Bytes) -> Result<Value, DecodeError> {
        let mut reader = Reader::with_max_depth(bytes, MAX_VALUE_DEPTH);
        let value = self.decode_from(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// Reads one value of this type from where `reader` stands. Records, Choices and Arrays are one
    /// level each.
    ///
    /// Memory is bounded by the bytes that are left: each pays for one value, or some where Records
    /// stand in Records. Values that take no bytes may be as many as there are bytes left, and 65
    /// 536 more.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: the bytes are no such value.
    pub fn decode_from(&self, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        let most_empty = reader.remaining().saturating_add(MAX_EMPTY_ELEMENTS as usize);
        Decoder { plan: &self.plan, most_empty, empty: 0 }.value(self.plan.root, reader)
    }
}

struct Decoder<'a> {
    plan: &'a Plan,
    most_empty: usize,
    /// Values so far that took no bytes.
    empty: usize,
}

impl Decoder<'_> {
    fn value(&mut self, id: Id, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        let plan = self.plan;
        match plan.node(id) {
            Node::Builtin(builtin) => self.builtin(*builtin, reader),
            Node::Array { element, least } => {
                reader.array(*least, |reader| self.value(*element, reader)).map(Value::Array)
            }
            Node::Record(entries) => reader.nested(|reader| self.record(entries, reader)),
            Node::Choice(entries) => reader.nested(|reader| self.choice(entries, reader)),
        }
    }

    #[inline]
    fn builtin(&mut self, builtin: Builtin, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        Ok(match builtin {
            Builtin::None => {
                self.empty += 1;
                if self.empty > self.most_empty {
                    let (at, limit) = (reader.position(), self.most_empty);
                    return Err(DecodeError::TooManyEmpty { at, limit });
                }
                Value::None
            }
            Builtin::Boolean => Value::Boolean(bool::decode(reader)?),
            Builtin::Integer => Value::Integer(Integer::decode(reader)?),
            Builtin::Float => Value::Float(f64::decode(reader)?),
            Builtin::String => Value::String(ByteString::decode(reader)?),
            Builtin::Bytes => Value::Bytes(Bytes::decode(reader)?),
        })
    }

    fn record(&mut self, entries: &Entries, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        let mut values = Vec::with_capacity(entries.of.len().min(MAX_RESERVED_ENTRIES));
        for id in &entries.of {
            values.push(self.value(*id, reader)?);
        }
        Ok(Value::Record(Record::with_names(entries.names.clone(), values)))
    }

    fn choice(&mut self, entries: &Entries, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        let index = reader.index(entries.of.len())?;
        let name = entries.names[index].clone();
        let value = self.value(entries.of[index], reader)?;
        Ok(Value::Choice(Box::new(Choice { name, value })))
    }
}
