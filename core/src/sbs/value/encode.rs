use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::error::{EncodeError, Path};
use super::{Choice, MAX_VALUE_DEPTH, Record, Value};
use crate::sbs::encode::count;
use crate::sbs::repository::{Builtin, Entries, Id, Node, Plan};
use crate::sbs::{Encode, PreparedType, Writer};

impl PreparedType {
    /// `value` as bytes of this type.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]: the value is none of this type.
    pub fn encode(&self, value: &Value) -> Result<Bytes, EncodeError> {
        let mut out = Vec::new();
        self.encode_into(value, &mut out)?;
        Ok(out.into())
    }

    /// Appends `value` as bytes of this type. After an error, `out` has what came before the fault.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]: the value is none of this type.
    pub fn encode_into(&self, value: &Value, out: &mut impl Writer) -> Result<(), EncodeError> {
        Encoder { plan: &self.plan, out, depth: 0 }.value(self.plan.root, value)
    }
}

struct Encoder<'a, W> {
    plan: &'a Plan,
    out: &'a mut W,
    depth: u32,
}

impl<W: Writer> Encoder<'_, W> {
    fn value(&mut self, id: Id, value: &Value) -> Result<(), EncodeError> {
        let plan = self.plan;
        match (plan.node(id), value) {
            (Node::Builtin(builtin), value) => self.builtin(*builtin, value),
            (Node::Array { element, .. }, Value::Array(elements)) => {
                self.nested(|encoder| encoder.array(*element, elements))
            }
            (Node::Record(entries), Value::Record(record)) => {
                self.nested(|encoder| encoder.record(entries, record))
            }
            (Node::Choice(entries), Value::Choice(choice)) => {
                self.nested(|encoder| encoder.choice(entries, choice))
            }
            (Node::Array { .. }, other) => Err(kind("Array", other)),
            (Node::Record(_), other) => Err(kind("Record", other)),
            (Node::Choice(_), other) => Err(kind("Choice", other)),
        }
    }

    #[inline]
    fn builtin(&mut self, builtin: Builtin, value: &Value) -> Result<(), EncodeError> {
        match (builtin, value) {
            (Builtin::None, Value::None) => {}
            (Builtin::Boolean, Value::Boolean(value)) => value.encode(self.out),
            (Builtin::Integer, Value::Integer(value)) => value.encode(self.out),
            (Builtin::Float, Value::Float(value)) => value.encode(self.out),
            (Builtin::String, Value::String(value)) => value.encode(self.out),
            (Builtin::Bytes, Value::Bytes(value)) => value.encode(self.out),
            (builtin, other) => return Err(kind(builtin.name(), other)),
        }
        Ok(())
    }

    fn array(&mut self, element: Id, elements: &[Value]) -> Result<(), EncodeError> {
        count(elements.len()).encode(self.out);
        for (index, value) in elements.iter().enumerate() {
            self.value(element, value).map_err(|error| error.within(format_args!("[{index}]")))?;
        }
        Ok(())
    }

    fn record(&mut self, entries: &Entries, record: &Record) -> Result<(), EncodeError> {
        let Some(values) = record.values_if_named(&entries.names) else {
            return self.record_by_name(entries, record);
        };
        for ((name, id), value) in entries.names.iter().zip(&entries.of).zip(values) {
            self.value(*id, value).map_err(|error| error.within(format_args!("{name}")))?;
        }
        Ok(())
    }

    /// A record in another order than its type, or of other entries.
    fn record_by_name(&mut self, entries: &Entries, record: &Record) -> Result<(), EncodeError> {
        if let Some((entry, _)) = record.iter().find(|(name, _)| !entries.names.contains(name)) {
            return Err(EncodeError::UnknownEntry { path: Path::default(), entry: entry.clone() });
        }
        for (name, id) in entries.names.iter().zip(&entries.of) {
            let value = record.get(name).ok_or_else(|| EncodeError::MissingEntry {
                path: Path::default(),
                entry: name.clone(),
            })?;
            self.value(*id, value).map_err(|error| error.within(format_args!("{name}")))?;
        }
        Ok(())
    }

    fn choice(&mut self, entries: &Entries, choice: &Choice) -> Result<(), EncodeError> {
        // of two entries with one name the first is meant, as at the deployed peer
        let Some(index) = entries.names.iter().position(|name| same(name, &choice.name)) else {
            let entry = choice.name.clone();
            return Err(EncodeError::NoSuchChoice { path: Path::default(), entry });
        };
        count(index).encode(self.out);
        self.value(entries.of[index], &choice.value)
            .map_err(|error| error.within(format_args!("{}", choice.name)))
    }

    #[inline]
    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if self.depth == MAX_VALUE_DEPTH {
            return Err(EncodeError::TooDeep { path: Path::default(), limit: MAX_VALUE_DEPTH });
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }
}

/// Names that were decoded are those of the type, in the same memory.
#[inline]
fn same(one: &ByteString, other: &ByteString) -> bool {
    core::ptr::eq(one.as_bytes().as_ptr(), other.as_bytes().as_ptr()) && one.len() == other.len()
        || one == other
}

#[cold]
fn kind(expected: &'static str, got: &Value) -> EncodeError {
    EncodeError::Kind { path: Path::default(), expected, got: got.kind() }
}
