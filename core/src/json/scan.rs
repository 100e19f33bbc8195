//! The words of JSON's grammar (RFC 8259): white space, signs, literals, numbers, strings.

use alloc::string::String;

use super::Number;
use super::surrogate;

/// Why reading stops. Where is where the scanner is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Syntax(&'static str),
    Depth,
    Size,
}

const ENDS: Stop = Stop::Syntax("the text ends inside the value");

/// A place in a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Line and column, from 1.
    pub(super) fn position(&self) -> (usize, usize) {
        let before = &self.text.as_bytes()[..self.at];
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        (line + 1, self.at - start + 1)
    }

    /// The first byte of a value, which stays where it is.
    pub(super) fn first(&mut self) -> Result<u8, Stop> {
        self.skip_space();
        self.peek().ok_or(ENDS)
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Stop::Syntax("there is more text after the value")),
        }
    }

    /// Passes the bracket that opens a list or an object, and says whether it is closed at once.
    pub(super) fn opened(&mut self, close: u8) -> Result<bool, Stop> {
        self.at += 1;
        let closed = self.first()? == close;
        self.at += usize::from(closed);
        Ok(closed)
    }

    /// Whether one more follows in a list or an object: a comma, and not the end.
    pub(super) fn goes_on(&mut self, close: u8) -> Result<bool, Stop> {
        let sign = self.first()?;
        if sign != b',' && sign != close {
            return Err(Stop::Syntax("a comma or a closing bracket is missing"));
        }
        self.at += 1;
        Ok(sign == b',')
    }

    /// The name of a member begins here.
    pub(super) fn name(&mut self) -> Result<(), Stop> {
        match self.first()? {
            b'"' => Ok(()),
            _ => Err(Stop::Syntax("the name of a member, in quotes, is missing")),
        }
    }

    pub(super) fn colon(&mut self) -> Result<(), Stop> {
        match self.first()? {
            b':' => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Stop::Syntax("the colon after the name of a member is missing")),
        }
    }

    pub(super) fn word(&mut self, word: &'static str) -> Result<(), Stop> {
        for byte in word.bytes() {
            if self.peek() != Some(byte) {
                return Err(Stop::Syntax(
                    "this is not a value: only null, true and false are words",
                ));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// A number; whole ones that fit in 64 bits stay integers.
    pub(super) fn number(&mut self) -> Result<Number, Stop> {
        let start = self.at;
        let negative = self.pass(b'-');
        let mut natural = Some(0_u64);
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    return Err(Stop::Syntax("a number must not begin with a zero"));
                }
            }
            Some(b'1'..=b'9') => {
                while let Some(digit @ b'0'..=b'9') = self.peek() {
                    let tens = natural.and_then(|value| value.checked_mul(10));
                    natural = tens.and_then(|value| value.checked_add(u64::from(digit - b'0')));
                    self.at += 1;
                }
            }
            None => return Err(ENDS),
            Some(_) if negative => return Err(Stop::Syntax("there is no digit after the sign")),
            Some(_) => return Err(Stop::Syntax("this is not a value")),
        }
        let mut whole = true;
        if self.pass(b'.') {
            whole = false;
            self.digits("there is no digit behind the point")?;
        }
        if self.pass(b'e') || self.pass(b'E') {
            whole = false;
            let _ = self.pass(b'+') || self.pass(b'-');
            self.digits("there is no digit in the exponent")?;
        }
        match natural.filter(|_| whole) {
            Some(natural) if !negative => return Ok(natural.into()),
            // -0 is a double
            Some(natural) if natural > 0 => {
                if let Some(value) = 0_i64.checked_sub_unsigned(natural) {
                    return Ok(value.into());
                }
            }
            _ => {}
        }
        let double = self.text[start..self.at].parse().ok().and_then(Number::from_f64);
        double.ok_or_else(|| {
            self.at = start;
            Stop::Syntax("the number is larger than any double")
        })
    }

    fn digits(&mut self, missing: &'static str) -> Result<(), Stop> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Stop::Syntax(missing)) }
    }

    /// A string, from its first quote on. One with escapes is put together in `together`.
    pub(super) fn string<'s>(&mut self, together: &'s mut String) -> Result<&'s str, Stop>
    where
        'a: 's,
    {
        self.at += 1;
        let start = self.at;
        self.skip_plain()?;
        let plain = &self.text[start..self.at];
        if self.pass(b'"') && !plain.as_bytes().contains(&surrogate::FIRST_BYTE) {
            return Ok(plain);
        }
        self.at = start;
        loop {
            let start = self.at;
            self.skip_plain()?;
            surrogate::push_text(&self.text[start..self.at], together);
            if self.pass(b'"') {
                return Ok(together);
            }
            self.escape(|character| match character {
                Ok(character) => surrogate::push_char(character, together),
                Err(half) => surrogate::push(half, together),
            })?;
        }
    }

    /// Passes a string.
    pub(super) fn skip_string(&mut self) -> Result<(), Stop> {
        self.at += 1;
        loop {
            self.skip_plain()?;
            if self.pass(b'"') {
                return Ok(());
            }
            self.escape(|_| {})?;
        }
    }

    /// Reads an escape, from its backslash on, and gives the character, or half of one, that it
    /// stands for.
    fn escape(&mut self, give: impl FnOnce(Result<char, u16>)) -> Result<(), Stop> {
        self.at += 1;
        let character = match self.peek().ok_or(ENDS)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let unit = self.unit()?;
                give(self.whole(unit));
                return Ok(());
            }
            _ => return Err(Stop::Syntax("JSON has no such escape in a string")),
        };
        self.at += 1;
        give(Ok(character));
        Ok(())
    }

    /// The character that begins with `unit`, together with its second half, if that is next.
    fn whole(&mut self, unit: u16) -> Result<char, u16> {
        if let 0xD800..=0xDBFF = unit {
            let start = self.at;
            if self.pass(b'\\')
                && self.pass(b'u')
                && let Ok(second @ 0xDC00..=0xDFFF) = self.unit()
            {
                let pair = char::decode_utf16([unit, second]).next();
                return pair.and_then(Result::ok).ok_or(unit);
            }
            // whatever it is, it is read as what it is
            self.at = start;
        }
        char::from_u32(unit.into()).ok_or(unit)
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, Stop> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().ok_or(ENDS)?;
            let digit = char::from(digit).to_digit(16);
            let digit = digit.ok_or(Stop::Syntax("`\\u` needs four hexadecimal digits"))?;
            unit = unit * 16 + digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Passes what stands for itself in a string, up to a quote or a backslash.
    fn skip_plain(&mut self) -> Result<(), Stop> {
        let bytes = &self.text.as_bytes()[self.at..];
        let (eights, _) = bytes.as_chunks::<8>();
        let plain = eights.iter().take_while(|eight| is_plain(u64::from_ne_bytes(**eight)));
        let skipped = plain.count() * 8;
        let special = |byte: &u8| matches!(byte, ..b' ' | b'"' | b'\\');
        let rest = bytes[skipped..].iter().position(special);
        self.at += skipped + rest.unwrap_or(bytes.len() - skipped);
        match self.peek() {
            Some(b'"' | b'\\') => Ok(()),
            Some(_) => Err(Stop::Syntax("a control character in a string must be escaped")),
            None => Err(ENDS),
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn pass(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Whether none of eight bytes is a quote, a backslash or a control character. (Bit 7 of each byte
/// is set by the subtraction where the byte was smaller; what is borrowed from the next only makes
/// a plain one look special, after one that is.)
fn is_plain(bytes: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES * 0x80;
    let below = |bytes: u64, limit: u64| bytes.wrapping_sub(ONES * limit) & !bytes & TOPS;
    let equal = |byte: u8| below(bytes ^ (ONES * u64::from(byte)), 1);
    below(bytes, 0x20) | equal(b'"') | equal(b'\\') == 0
}
