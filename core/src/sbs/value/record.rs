use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytestring::ByteString;

use super::Value;

/// Values by name, in an order: that of the schema where the record was decoded.
///
/// Records are equal if they have the same entries in the same order. All records of one array
/// share their names.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// As many as there are values.
    names: Arc<[ByteString]>,
    values: Box<[Value]>,
}

impl Record {
    /// `values` must be as many as `names`.
    pub(super) fn with_names(names: Arc<[ByteString]>, values: Vec<Value>) -> Self {
        debug_assert_eq!(names.len(), values.len());
        Self { names, values: values.into() }
    }

    /// The value of the entry `name`. Where a schema has a name twice, the later entry is meant, as
    /// at the deployed peer.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let index = self.names.iter().rposition(|other| other == name)?;
        self.values.get(index)
    }

    /// The entries, in order.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&ByteString, &Value)> + ExactSizeIterator {
        self.names.iter().zip(&self.values)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none; no SBS Record is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values, if the names are just these.
    pub(super) fn values_if_named(&self, names: &Arc<[ByteString]>) -> Option<&[Value]> {
        let same = Arc::ptr_eq(&self.names, names) || self.names == *names;
        same.then_some(&self.values)
    }
}

impl<N: Into<ByteString>> FromIterator<(N, Value)> for Record {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(entries: I) -> Self {
        let (names, values): (Vec<_>, Vec<_>) =
            entries.into_iter().map(|(name, value)| (name.into(), value)).unzip();
        Self { names: names.into(), values: values.into() }
    }
}

/// The values, in order.
impl IntoIterator for Record {
    type Item = Value;
    type IntoIter = alloc::vec::IntoIter<Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.into_vec().into_iter()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
