//! ```text
//! /devices/7/a~1b      ["devices", "7", "a/b"]        ~1 is a slash, ~0 a tilde
//!                      []                             the empty text: the whole value
//! /                    [""]                           the member without a name
//! ```

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

/// A path into a value, by RFC 6901.
///
/// In its text, indexes and names look alike; it depends on the value what a number means.
/// [`Value::set`](super::Value::set) needs to know where nothing is yet: there a token that was
/// made of a number stands for an index, and one that was made of a text, or parsed, for a name.
///
/// ```
/// use hat_core::json::Pointer;
///
/// let path: Pointer = "/devices/7/a~1b".parse()?;
/// assert_eq!(path, Pointer::root().child("devices").child(7).child("a/b"));
/// assert_eq!(path.to_string(), "/devices/7/a~1b");
/// # Ok::<(), hat_core::json::PointerError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pointer {
    tokens: Vec<Token>,
}

/// One step of a path. Two are equal when their texts are.
#[derive(Clone, Debug, Eq)]
pub enum Token {
    /// The name of a member, or an index as it is written: digits without leading zeros, or `-`.
    Name(Arc<str>),
    /// The index of an element, from 0.
    Index(usize),
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// It is not empty and does not start with a slash.
    #[error("the path `{text}` does not start with `/`")]
    NoSlash {
        /// The text.
        text: String,
    },
    /// A tilde without `0` or `1` after it.
    #[error(
        "in the path `{text}`, the `~` at byte {at} is not followed by `0` or `1`; a tilde is written `~0`"
    )]
    Escape {
        /// The text.
        text: String,
        /// Where, in bytes from 0.
        at: usize,
    },
}

impl Pointer {
    /// The path to the whole value.
    #[must_use]
    pub const fn root() -> Self {
        Self { tokens: Vec::new() }
    }

    /// The path of these steps.
    #[must_use]
    pub fn new<T: Into<Token>>(tokens: impl IntoIterator<Item = T>) -> Self {
        Self { tokens: tokens.into_iter().map(Into::into).collect() }
    }

    /// The path one step further.
    #[must_use]
    pub fn child(mut self, token: impl Into<Token>) -> Self {
        self.tokens.push(token.into());
        self
    }

    /// Its steps.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// True if `other` leads to something inside what this leads to.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        other.tokens.len() > self.tokens.len() && other.tokens.starts_with(&self.tokens)
    }

    pub(crate) fn push(&mut self, token: Token) {
        self.tokens.push(token);
    }

    pub(crate) fn pop(&mut self) {
        self.tokens.pop();
    }
}

impl Token {
    /// The name that it is of a member.
    #[must_use]
    pub fn as_name(&self) -> Cow<'_, str> {
        match self {
            Self::Name(name) => Cow::Borrowed(name),
            Self::Index(index) => Cow::Owned(index.to_string()),
        }
    }

    /// The index that it is of an element. RFC 6901 allows no sign and no leading zeros.
    #[must_use]
    pub fn as_index(&self) -> Option<usize> {
        match self {
            Self::Index(index) => Some(*index),
            Self::Name(name) => {
                let digits = name.bytes().all(|byte| byte.is_ascii_digit());
                let leading = name.len() > 1 && name.starts_with('0');
                if digits && !leading { name.parse().ok() } else { None }
            }
        }
    }

    /// True for `-`: the place after the last element.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Name(name) if &**name == "-")
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Index(one), Self::Index(other)) => one == other,
            _ => self.as_name() == other.as_name(),
        }
    }
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_name().hash(state);
    }
}

impl From<usize> for Token {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl From<&str> for Token {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<String> for Token {
    fn from(name: String) -> Self {
        Self::Name(name.into())
    }
}

impl From<Arc<str>> for Token {
    fn from(name: Arc<str>) -> Self {
        Self::Name(name)
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let mut tokens = text.split('/');
        if tokens.next() != Some("") {
            return Err(PointerError::NoSlash { text: text.into() });
        }
        let token = |token: &str| unescape(token).ok_or_else(|| bad_escape(text));
        Ok(Self { tokens: tokens.map(token).collect::<Result<_, _>>()? })
    }
}

fn unescape(token: &str) -> Option<Token> {
    if !token.contains('~') {
        return Some(token.into());
    }
    let mut name = String::with_capacity(token.len());
    let mut parts = token.split('~');
    name.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (escaped, rest) = match part.as_bytes().first()? {
            b'0' => ('~', &part[1..]),
            b'1' => ('/', &part[1..]),
            _ => return None,
        };
        name.push(escaped);
        name.push_str(rest);
    }
    Some(name.into())
}

#[cold]
fn bad_escape(text: &str) -> PointerError {
    let bytes = text.as_bytes();
    let bad = |at: &usize| bytes[*at] == b'~' && !matches!(bytes.get(at + 1), Some(b'0' | b'1'));
    let at = (0..bytes.len()).find(bad).unwrap_or_default();
    PointerError::Escape { text: text.into(), at }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.tokens {
            write!(f, "/{token}")?;
        }
        Ok(())
    }
}

/// With its escapes.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Index(index) => return index.fmt(f),
            Self::Name(name) => name,
        };
        for part in name.split_inclusive(['~', '/']) {
            let (plain, escape) = match part.as_bytes().last() {
                Some(b'~') => (&part[..part.len() - 1], "~0"),
                Some(b'/') => (&part[..part.len() - 1], "~1"),
                _ => (part, ""),
            };
            f.write_str(plain)?;
            f.write_str(escape)?;
        }
        Ok(())
    }
}
