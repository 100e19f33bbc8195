//! Whether a text is JSON, told in one pass over what most texts are.

use super::check::{ALWAYS_FINITE, MAX_DEPTH};

/// Whether `text` is JSON that every peer can take, by the grammar of RFC 8259. `false` where that
/// takes a closer look, which also says what is wrong: at numbers with an exponent or of many
/// digits, and at all that is not JSON.
pub(super) fn is_sound(text: &str) -> bool {
    Cursor { rest: text.as_bytes() }.document().is_some()
}

/// What opened last is the lowest bit: 1 for objects. There is one for each level.
type OpenLevels = u128;

const _: () = assert!(MAX_DEPTH == OpenLevels::BITS as usize);

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    /// One value, and nothing behind it. Needs no recursion.
    fn document(&mut self) -> Option<()> {
        let (mut open, mut depth): (OpenLevels, usize) = (0, 0);
        loop {
            self.skip_space();
            let first = self.next()?;
            if let b'{' | b'[' = first {
                if depth == MAX_DEPTH {
                    return None;
                }
                depth += 1;
                open = open << 1 | OpenLevels::from(first == b'{');
                self.skip_space();
                // the signs that close stand two places behind those that open
                if self.rest.first() != Some(&(first + 2)) {
                    if first == b'{' {
                        self.name()?;
                    }
                    continue;
                }
            } else {
                self.scalar(first)?;
            }
            // behind a value: what ends here ends, until another value comes
            loop {
                self.skip_space();
                if depth == 0 {
                    return self.rest.is_empty().then_some(());
                }
                let in_object = open & 1 == 1;
                match self.next()? {
                    b',' if in_object => {
                        self.skip_space();
                        self.name()?;
                        break;
                    }
                    b',' => break,
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ => return None,
                }
                depth -= 1;
                open >>= 1;
            }
        }
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    #[inline]
    fn skip(&mut self, is_passed: impl Fn(u8) -> bool) -> usize {
        let all = self.rest.len();
        let passed = self.rest.iter().position(|&byte| !is_passed(byte)).unwrap_or(all);
        self.rest = &self.rest[passed..];
        passed
    }

    #[inline]
    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// The name of a member, and its colon.
    fn name(&mut self) -> Option<()> {
        (self.next()? == b'"').then_some(())?;
        self.string()?;
        self.skip_space();
        (self.next()? == b':').then_some(())
    }

    /// A value that begins with `first` and holds no others.
    fn scalar(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.string(),
            b'n' => self.word(b"ull"),
            b't' => self.word(b"rue"),
            b'f' => self.word(b"alse"),
            b'-' => {
                let first = self.next()?;
                self.number(first)
            }
            first => self.number(first),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// A number without an exponent, which begins with the digit `first`.
    fn number(&mut self, first: u8) -> Option<()> {
        let mut digits = match first {
            b'0' => 1,
            b'1'..=b'9' => 1 + self.skip(|byte| byte.is_ascii_digit()),
            _ => return None,
        };
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            let behind = self.skip(|byte| byte.is_ascii_digit());
            (behind > 0).then_some(())?;
            digits += behind;
        }
        // where one more digit or an exponent follows, what comes next finds no comma
        (digits <= ALWAYS_FINITE).then_some(())
    }

    /// The rest of a string, whose content begins here.
    fn string(&mut self) -> Option<()> {
        loop {
            self.skip(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let (digits, rest) = self.rest.split_first_chunk::<4>()?;
                self.rest = rest;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }
}
