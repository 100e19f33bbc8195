//! Changes of one part of a value, by its path.

use alloc::string::{String, ToString};
use core::mem;

use super::object::MEMBER_WEIGHT;
use super::{Array, CONTAINER_WEIGHT, Limits, Object, Pointer, Token, VALUE_WEIGHT, Value};

/// Elements `null` that one [`Value::set`] past the end of a list may add before its own. A wrong
/// index should be an error and not a gigabyte of `null`; more can be set at the list itself.
pub const MAX_PADDING: usize = 65_536;

/// Why a part was not set. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// With it, lists and objects would be inside each other beyond [`Limits::depth`].
    #[error("the value set at `{path}` would be nested deeper than {limit} levels")]
    TooDeep {
        /// Where it was to be set.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// With it, the whole would be over [`Limits::size`].
    #[error(
        "with the value set at `{path}`, the whole would take more than {limit} bytes of memory"
    )]
    TooLarge {
        /// Where it was to be set.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// An index further past the end of a list than [`MAX_PADDING`].
    #[error("setting `{path}` would insert more than {limit} `null` elements before it")]
    Padding {
        /// Where it was to be set.
        path: String,
        /// The limit.
        limit: usize,
    },
}

impl Value {
    /// Sets the part at `path`, as `set_` of hat-json does: what is missing on the way there is
    /// made, and what is in the way gives way.
    ///
    /// ```text
    /// on the way is     Token::Name("b")                         Token::Index(2)
    /// an object         the member `b`, new if it is missing     the member `2`
    /// a list            an object in its place, with `b`;        the element 2; up to it, the list
    ///                   but `2` is the element 2, and            is filled with `null`
    ///                   `-` a new one at the end
    /// nothing, or a     a new object with `b`                    a new list [null, null, …]
    /// plain value
    /// ```
    ///
    /// hat-json tells names and indexes apart by their type alone: there, `2` puts a list in the
    /// place of an object and `"2"` an object in the place of a list. Negative indexes, which count
    /// from the end there, are not taken.
    ///
    /// # Errors
    ///
    /// [`SetError`]: the result would be beyond the limits.
    pub fn set(
        &mut self,
        path: &Pointer,
        value: impl Into<Self>,
        limits: &Limits,
    ) -> Result<(), SetError> {
        let value = value.into();
        let tokens = path.tokens();
        if tokens.len().saturating_add(value.depth()) > limits.depth {
            return Err(SetError::TooDeep { path: path.to_string(), limit: limits.depth });
        }
        let Growth { made, replaced } = self
            .growth(tokens)
            .ok_or_else(|| SetError::Padding { path: path.to_string(), limit: MAX_PADDING })?;
        let size = (self.size() - replaced).saturating_add(made).saturating_add(value.size());
        if size > limits.size {
            return Err(SetError::TooLarge { path: path.to_string(), limit: limits.size });
        }
        self.place(tokens, value);
        Ok(())
    }

    /// Takes the part at `path` out and returns it; nothing is done if it is not there. The whole,
    /// at the root, leaves `null`.
    pub fn remove(&mut self, path: &Pointer) -> Option<Self> {
        // a change copies the path, so not in vain
        self.get(path)?;
        self.take(path.tokens())
    }

    /// Changes the part at `tokens`, if it is there.
    pub(super) fn modify<R>(
        &mut self,
        tokens: &[Token],
        change: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        let Some((token, rest)) = tokens.split_first() else { return Some(change(self)) };
        match self {
            Self::Array(array) => {
                array.modify(token.as_index()?, |child| child.modify(rest, change))?
            }
            Self::Object(object) => {
                object.modify(&token.as_name(), |child| child.modify(rest, change))?
            }
            _ => None,
        }
    }

    /// What [`set`](Self::set) does to the size; nothing if it would fill a list with too many.
    fn growth(&self, tokens: &[Token]) -> Option<Growth> {
        let mut growth = Growth { made: 0, replaced: 0 };
        let mut padding = 0_usize;
        let mut here = Some(self);
        for token in tokens {
            if let Some(child) = here.and_then(|value| value.child(token)) {
                here = Some(child);
                continue;
            }
            let list_len = match here.take() {
                Some(Self::Array(array)) if token.is_element() => Some(array.len()),
                Some(Self::Object(_)) => None,
                in_the_way => {
                    growth.replaced += in_the_way.map_or(0, Self::size);
                    growth.made += VALUE_WEIGHT + CONTAINER_WEIGHT;
                    matches!(token, Token::Index(_)).then_some(0)
                }
            };
            if let Some(len) = list_len {
                let missing = token.as_index().unwrap_or(len) - len;
                padding = padding.checked_add(missing).filter(|sum| *sum <= MAX_PADDING)?;
                growth.made += missing * VALUE_WEIGHT;
            } else {
                growth.made += MEMBER_WEIGHT + token.as_name().len();
            }
        }
        growth.replaced += here.map_or(0, Self::size);
        Some(growth)
    }

    fn place(&mut self, tokens: &[Token], value: Self) {
        let Some((token, rest)) = tokens.split_first() else {
            *self = value;
            return;
        };
        match self {
            Self::Array(array) if token.is_element() => {
                let index = token.as_index().unwrap_or(array.len());
                while array.len() <= index {
                    array.push(Self::Null);
                }
                array.modify(index, |child| child.place(rest, value));
            }
            Self::Object(object) => {
                let name = token.as_name();
                if object.get(&name).is_none() {
                    object.insert(&*name, Self::Null);
                }
                object.modify(&name, |child| child.place(rest, value));
            }
            in_the_way => {
                *in_the_way = match token {
                    Token::Index(_) => Self::Array(Array::default()),
                    Token::Name(_) => Self::Object(Object::default()),
                };
                in_the_way.place(tokens, value);
            }
        }
    }

    fn take(&mut self, tokens: &[Token]) -> Option<Self> {
        let Some((last, way)) = tokens.split_last() else { return Some(mem::take(self)) };
        self.modify(way, |parent| match parent {
            Self::Array(array) => array.remove(last.as_index()?),
            Self::Object(object) => object.remove(&last.as_name()),
            _ => None,
        })?
    }
}

/// Bytes of memory, as [`Value::size`] counts them.
struct Growth {
    made: usize,
    replaced: usize,
}

impl Token {
    /// True if it can mean an element of a list, there or not.
    fn is_element(&self) -> bool {
        self.is_end() || self.as_index().is_some()
    }
}
