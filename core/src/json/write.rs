//! Writing text, without white space. What is not ASCII stands as it is, but for halves of
//! surrogate pairs.

use core::fmt::{self, Write};

use super::Value;
use super::surrogate::{self, MarkedUnit, marked};

impl Value {
    /// Appends the value's text to `out`.
    ///
    /// # Errors
    ///
    /// Those of `out`; a `String` has none.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(true) => out.write_str("true"),
            Self::Bool(false) => out.write_str("false"),
            Self::Number(number) => write!(out, "{number}"),
            Self::String(text) => write_text(text, out),
            Self::Array(array) => {
                out.write_char('[')?;
                for (index, value) in array.iter().enumerate() {
                    if index > 0 {
                        out.write_char(',')?;
                    }
                    value.write(out)?;
                }
                out.write_char(']')
            }
            Self::Object(object) => {
                out.write_char('{')?;
                for (index, (name, value)) in object.iter().enumerate() {
                    if index > 0 {
                        out.write_char(',')?;
                    }
                    write_text(name, out)?;
                    out.write_char(':')?;
                    value.write(out)?;
                }
                out.write_char('}')
            }
        }
    }
}

/// The value's text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// Appends a string in its quotes.
fn write_text(text: &str, out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    EscapingWriter(out).write_str(text)?;
    out.write_char('"')
}

/// Appends what is formatted, as the inside of a string.
pub(super) struct EscapingWriter<'a, W>(pub(super) &'a mut W);

impl<W: Write> Write for EscapingWriter<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' && byte != surrogate::FIRST_BYTE {
                continue;
            }
            if at < plain {
                // the second of two marks
                continue;
            }
            if byte == surrogate::FIRST_BYTE {
                let Some(behind) = text[at..].strip_prefix(surrogate::MARK) else { continue };
                let next = behind.chars().next();
                let Some(marked) = marked(next) else { continue };
                self.0.write_str(&text[plain..at])?;
                plain = text.len() - behind.len() + next.map_or(0, char::len_utf8);
                match marked {
                    MarkedUnit::Half(half) => write!(self.0, "\\u{half:04x}")?,
                    MarkedUnit::Mark => self.0.write_char(surrogate::MARK)?,
                }
                continue;
            }
            self.0.write_str(&text[plain..at])?;
            plain = at + 1;
            match byte {
                b'"' => self.0.write_str("\\\"")?,
                b'\\' => self.0.write_str("\\\\")?,
                b'\n' => self.0.write_str("\\n")?,
                b'\r' => self.0.write_str("\\r")?,
                b'\t' => self.0.write_str("\\t")?,
                _ => write!(self.0, "\\u{byte:04x}")?,
            }
        }
        self.0.write_str(&text[plain..])
    }
}
