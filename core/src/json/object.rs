use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::Value;
use super::chunks::{Chunks, Item, Measure};

/// Memory of a member beside its value and the bytes of its name: the reference, and the counts
/// before the name.
pub(super) const MEMBER_WEIGHT: usize = 32;

/// Values by name, in the order of the names' bytes: the same object is written as the same text on
/// every machine.
///
/// A clone shares the memory; a change copies the part that it is in, unless nobody else holds it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Object {
    pub(super) members: Chunks<Member>,
}

/// A value with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Arc<str>,
    pub(super) value: Value,
}

impl Object {
    /// How many members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// True if it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let member = self.members.get(self.search(name).ok()?)?;
        Some(&member.value)
    }

    /// All members in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Value)> + Clone {
        self.members.iter().map(|member| (&member.name, &member.value))
    }

    /// Sets the value of that name and returns the one that it had.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        match self.search(&name) {
            Ok(at) => {
                Some(self.members.modify(at, |old| core::mem::replace(&mut old.value, value)))
            }
            Err(at) => {
                self.members.insert(at, Member { name, value });
                None
            }
        }
    }

    /// Takes the member of that name out, if there is one.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.search(name).ok()?;
        Some(self.members.remove(at).value)
    }

    /// Changes the value of that name, if there is one.
    pub fn modify<R>(&mut self, name: &str, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        let at = self.search(name).ok()?;
        Some(self.members.modify(at, |member| change(&mut member.value)))
    }

    /// Of two members with one name the later one stays.
    pub(super) fn of(mut members: Vec<Member>) -> Self {
        let ascending = |pair: &[Member]| pair[0].name < pair[1].name;
        if !members.windows(2).all(ascending) {
            members.sort_by(|one, other| one.name.cmp(&other.name));
            members.dedup_by(|later, kept| {
                let same = later.name == kept.name;
                if same {
                    core::mem::swap(later, kept);
                }
                same
            });
        }
        Self { members: members.into() }
    }

    fn search(&self, name: &str) -> Result<usize, usize> {
        self.members.search(|member| (*member.name).cmp(name))
    }
}

impl Item for Member {
    fn measure(&self) -> Measure {
        let Measure { weight, height } = self.value.measure();
        Measure { weight: weight.saturating_add(MEMBER_WEIGHT + self.name.len()), height }
    }
}

/// Of two members with one name the later one stays.
impl<N: Into<Arc<str>>, V: Into<Value>> FromIterator<(N, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(members: I) -> Self {
        let member = |(name, value): (N, V)| Member { name: name.into(), value: value.into() };
        Self::of(members.into_iter().map(member).collect())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
