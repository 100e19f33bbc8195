//! Reading text, by RFC 8259.
//!
//! ```text
//! text ──Scanner──> white space, words, numbers, strings ──Reader──> a value, within the limits
//!                                                        └─Checker─> nothing: whether it is JSON
//! ```

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::object::{MEMBER_WEIGHT, Member};
use super::scan::{Scanner, Stop};
use super::{Array, CONTAINER_WEIGHT, Limits, Object, STRING_WEIGHT, VALUE_WEIGHT, Value};

/// Why a text is not a value. Lines and columns count from 1, columns in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is not JSON. Python's encoder writes `NaN` and `Infinity`, which are none.
    #[error("invalid JSON at line {line} column {column}: {reason}")]
    Syntax {
        /// What is wrong.
        reason: &'static str,
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// Lists and objects inside each other beyond [`Limits::depth`].
    #[error("at line {line} column {column}, the value is nested deeper than {limit} levels")]
    TooDeep {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
        /// The limit.
        limit: usize,
    },
    /// More than [`Limits::size`].
    #[error("up to line {line} column {column}, the value takes more than {limit} bytes of memory")]
    TooLarge {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
        /// The limit.
        limit: usize,
    },
}

impl Value {
    /// The value that `text` is, white space around it allowed. Of members with one name the last
    /// counts. Strings may hold halves of surrogate pairs that stand alone: see [`Value::String`].
    ///
    /// # Errors
    ///
    /// [`ParseError`]: what is wrong and where, or which limit it is beyond. No more memory is
    /// taken than the limit says, give or take the room that growing lists keep in advance.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader { scanner: Scanner::new(text), left: limits.size, limits };
        let read = reader.value(0).and_then(|value| reader.scanner.end().map(|()| value));
        read.map_err(|stop| error(&reader.scanner, stop, limits))
    }
}

/// Whether `text` is JSON nested no deeper than `depth` levels, without making anything of it: for
/// texts that are passed on as they are.
///
/// # Errors
///
/// [`ParseError`]: what is wrong and where.
pub fn check(text: &str, depth: usize) -> Result<(), ParseError> {
    let limits = Limits { depth, ..Limits::default() };
    let mut scanner = Scanner::new(text);
    let checked = check_value(&mut scanner, depth).and_then(|()| scanner.end());
    checked.map_err(|stop| error(&scanner, stop, &limits))
}

fn error(scanner: &Scanner<'_>, stop: Stop, limits: &Limits) -> ParseError {
    let (line, column) = scanner.position();
    match stop {
        Stop::Syntax(reason) => ParseError::Syntax { reason, line, column },
        Stop::Depth => ParseError::TooDeep { line, column, limit: limits.depth },
        Stop::Size => ParseError::TooLarge { line, column, limit: limits.size },
    }
}

struct Reader<'a> {
    scanner: Scanner<'a>,
    /// What the limit of the size leaves.
    left: usize,
    limits: &'a Limits,
}

impl Reader<'_> {
    /// A value at `depth` levels of lists and objects.
    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        Ok(match self.scanner.first()? {
            b'{' => return self.object(depth),
            b'[' => return self.array(depth),
            b'"' => return self.string(),
            b'n' => self.plain("null", Value::Null)?,
            b't' => self.plain("true", Value::Bool(true))?,
            b'f' => self.plain("false", Value::Bool(false))?,
            _ => {
                self.take(VALUE_WEIGHT)?;
                Value::Number(self.scanner.number()?)
            }
        })
    }

    fn plain(&mut self, word: &'static str, value: Value) -> Result<Value, Stop> {
        self.take(VALUE_WEIGHT)?;
        self.scanner.word(word)?;
        Ok(value)
    }

    fn string(&mut self) -> Result<Value, Stop> {
        self.text(VALUE_WEIGHT + STRING_WEIGHT).map(Value::String)
    }

    fn array(&mut self, depth: usize) -> Result<Value, Stop> {
        self.enter(depth)?;
        let mut values = Vec::new();
        if !self.scanner.opened(b']')? {
            loop {
                values.push(self.value(depth + 1)?);
                if !self.scanner.goes_on(b']')? {
                    break;
                }
            }
        }
        Ok(Value::Array(Array::from(values)))
    }

    fn object(&mut self, depth: usize) -> Result<Value, Stop> {
        self.enter(depth)?;
        let mut members = Vec::new();
        if !self.scanner.opened(b'}')? {
            loop {
                self.scanner.name()?;
                let name = self.text(MEMBER_WEIGHT)?;
                self.scanner.colon()?;
                members.push(Member { name, value: self.value(depth + 1)? });
                if !self.scanner.goes_on(b'}')? {
                    break;
                }
            }
        }
        Ok(Value::Object(Object::of(members)))
    }

    fn text(&mut self, weight: usize) -> Result<Arc<str>, Stop> {
        // what has escapes is put together here: at most so long as it is written, or a third
        // longer
        let mut together = String::new();
        let text = self.scanner.string(&mut together)?;
        match self.left.checked_sub(weight + text.len()) {
            Some(left) => {
                self.left = left;
                Ok(text.into())
            }
            None => Err(Stop::Size),
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), Stop> {
        if depth == self.limits.depth {
            return Err(Stop::Depth);
        }
        self.take(VALUE_WEIGHT + CONTAINER_WEIGHT)
    }

    fn take(&mut self, weight: usize) -> Result<(), Stop> {
        self.left = self.left.checked_sub(weight).ok_or(Stop::Size)?;
        Ok(())
    }
}

fn check_value(scanner: &mut Scanner<'_>, left: usize) -> Result<(), Stop> {
    match scanner.first()? {
        b'{' => {
            let left = left.checked_sub(1).ok_or(Stop::Depth)?;
            if scanner.opened(b'}')? {
                return Ok(());
            }
            loop {
                scanner.name()?;
                scanner.skip_string()?;
                scanner.colon()?;
                check_value(scanner, left)?;
                if !scanner.goes_on(b'}')? {
                    return Ok(());
                }
            }
        }
        b'[' => {
            let left = left.checked_sub(1).ok_or(Stop::Depth)?;
            if scanner.opened(b']')? {
                return Ok(());
            }
            loop {
                check_value(scanner, left)?;
                if !scanner.goes_on(b']')? {
                    return Ok(());
                }
            }
        }
        b'"' => scanner.skip_string(),
        b'n' => scanner.word("null"),
        b't' => scanner.word("true"),
        b'f' => scanner.word("false"),
        _ => scanner.number().map(drop),
    }
}
