//! The state that an owner changes and connections follow.
//!
//! ```text
//! owner         set /a/b   set /c   set /a/b          remove /d
//!                  │          │        │                  │
//! value     v0 ────┴──────────┴────────┴───── v1 ─────────┴──── v2
//! flush                                        │ patch v0→v1     │ patch v1→v2
//!                                              ▼                 ▼
//! connections at v0 ───────────────────────> at v1 ──────────> at v2
//! newcomer                          whole ──> at v1 ──────────> at v2
//! ```
//!
//! The state remembers where it was changed, not how. At a flush, it compares each such place in
//! what was flushed before and in what is there now: so changes of the same place are merged, one
//! that was undone is none, and the patch is made and written once for everybody.

use alloc::string::ToString;

use bytestring::ByteString;

use super::changes::Changes;
use crate::json::{Limits, Patch, Pointer, SetError, Value};

/// A JSON value whose changes are sent as patches.
///
/// Versions count the flushes that changed something: 0 is `null`, with which every peer starts. A
/// connection remembers the version that its peer has. Whoever is at [`Flush::from`] takes
/// [`Flush::patch`] to be at [`Flush::to`]; whoever is at another version than
/// [`version`](Self::version) takes [`whole`](Self::whole).
///
/// ```
/// use hat_core::juggler::State;
///
/// let mut state = State::default();
/// state.set(&"/boiler/temperature".parse()?, 20.5)?;
/// state.set(&"/boiler/on".parse()?, true)?;
/// let flushed = state.flush().expect("changes");
/// let value = r#"{"boiler":{"on":true,"temperature":20.5}}"#;
/// assert_eq!(flushed.patch, format!(r#"[{{"op":"replace","path":"","value":{value}}}]"#));
///
/// state.set(&"/boiler/temperature".parse()?, 21)?;
/// let flushed = state.flush().expect("a change");
/// assert_eq!(flushed.patch, r#"[{"op":"replace","path":"/boiler/temperature","value":21}]"#);
/// assert_eq!((flushed.from, flushed.to), (1, 2));
///
/// let (version, patch) = state.whole(); // for a newcomer
/// assert_eq!(version, 2);
/// let value = r#"{"boiler":{"on":true,"temperature":21}}"#;
/// assert_eq!(patch, format!(r#"[{{"op":"replace","path":"","value":{value}}}]"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct State {
    limits: Limits,
    value: Value,
    /// The value of `version`.
    flushed: Value,
    version: u64,
    changes: Changes,
    /// The patch with all of `flushed`, once somebody needed it.
    whole: Option<ByteString>,
}

/// What a flush has to tell, for all connections alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flush {
    /// The version that the patch is for.
    pub from: u64,
    /// The version that it leads to.
    pub to: u64,
    /// The text of a JSON Patch.
    pub patch: ByteString,
}

impl State {
    /// The state `null`, which may grow up to `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// What it is now, changes that were not flushed included. A clone is a reference and stays
    /// what it is.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// How many flushes have changed something: what a connection is at after the last one.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The value of [`version`](Self::version): what connections in step have.
    #[must_use]
    pub fn flushed(&self) -> &Value {
        &self.flushed
    }

    /// True if there may be something to flush.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Sets the part at `path`, as [`Value::set`] does.
    ///
    /// It costs what the path costs. The lists and objects on it are copied when they are set for
    /// the first time after a flush, or after somebody cloned [`value`](Self::value), but of wide
    /// ones, with more than 256 entries, a part only: of 100 000 entries about 1 000.
    ///
    /// # Errors
    ///
    /// [`SetError`]: the state would be beyond its limits; nothing has changed.
    pub fn set(&mut self, path: &Pointer, value: impl Into<Value>) -> Result<(), SetError> {
        self.value.set(path, value, &self.limits)?;
        self.changes.mark(&self.value, path.tokens());
        Ok(())
    }

    /// Takes the part at `path` out and returns it; nothing is done if it is not there. The whole,
    /// at the root, leaves `null`.
    pub fn remove(&mut self, path: &Pointer) -> Option<Value> {
        let removed = self.value.remove(path)?;
        let tokens = path.tokens();
        // what follows in a list has moved
        let mark = match tokens.split_last() {
            Some((_, list)) if self.value.at(list).is_some_and(|at| at.as_array().is_some()) => {
                list
            }
            _ => tokens,
        };
        self.changes.mark(&self.value, mark);
        Some(removed)
    }

    /// Lets `change` make what it likes of the part at `path`, `null` if it is not there, and sets
    /// it. A flush compares the part with what it was, which costs little where it was changed in
    /// place, as [`Array`](crate::json::Array) and [`Object`](crate::json::Object) do.
    ///
    /// # Errors
    ///
    /// [`SetError`]: the state would be beyond its limits; nothing has changed.
    pub fn update<R>(
        &mut self,
        path: &Pointer,
        change: impl FnOnce(&mut Value) -> R,
    ) -> Result<R, SetError> {
        let mut part = self.value.get(path).cloned().unwrap_or_default();
        let result = change(&mut part);
        self.set(path, part)?;
        Ok(result)
    }

    /// Replaces the whole. A flush compares both, except for the parts that they share.
    ///
    /// # Errors
    ///
    /// [`SetError`]: the value is beyond the limits; nothing has changed.
    pub fn replace(&mut self, value: impl Into<Value>) -> Result<(), SetError> {
        self.set(&Pointer::root(), value)
    }

    /// Makes the changes since the last flush a new version, if they come to anything.
    pub fn flush(&mut self) -> Option<Flush> {
        if self.changes.is_empty() {
            return None;
        }
        let operations = self.changes.operations(&self.flushed, &self.value);
        self.changes.clear();
        // also when nothing differs: what both share need not be compared next time
        self.flushed = self.value.clone();
        if operations.is_empty() {
            return None;
        }
        self.whole = None;
        self.version += 1;
        let patch = Patch(operations).to_string().into();
        Some(Flush { from: self.version - 1, to: self.version, patch })
    }

    /// The version of the last flush, and the text of a patch that leads to it from any other: for
    /// a newcomer, or one who has missed a flush. It is written once, as long as the version stays.
    pub fn whole(&mut self) -> (u64, ByteString) {
        let flushed = &self.flushed;
        let whole = || Patch::whole(flushed.clone()).to_string().into();
        (self.version, self.whole.get_or_insert_with(whole).clone())
    }
}
