//! What the grammar's rules are made of: words, single characters, white space; and what is there
//! instead.

use alloc::format;
use alloc::string::String;

use super::parser::Parser;
use super::{Position, SchemaError};

impl<'a> Parser<'a> {
    pub(super) fn rest(&self) -> &'a str {
        // only ASCII is ever passed over, a comment's end included: a boundary of characters
        &self.text[self.at..]
    }

    pub(super) fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let len = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let word = &rest[..len.count()];
        self.at += word.len();
        Some(word)
    }

    pub(super) fn identifier(&mut self, expected: &'static str) -> Result<&'a str, SchemaError> {
        self.word().ok_or_else(|| self.unexpected(expected))
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.rest().as_bytes().first() == Some(&byte);
        self.at += usize::from(eaten);
        eaten
    }

    /// Takes white space and `byte`, or neither: the space may have to stand before something else.
    pub(super) fn eat_after_space(&mut self, byte: u8) -> bool {
        let start = self.at;
        self.space();
        let eaten = self.eat(byte);
        if !eaten {
            self.at = start;
        }
        eaten
    }

    pub(super) fn is_at_end_after_space(&mut self) -> bool {
        let start = self.at;
        self.space();
        let end = self.rest().is_empty();
        if !end {
            self.at = start;
        }
        end
    }

    pub(super) fn space(&mut self) {
        loop {
            let rest = self.rest();
            let len = match rest.as_bytes().first() {
                Some(b' ' | b'\t' | b'\r' | b'\n' | b',') => 1,
                Some(b'#') => rest.find(['\r', '\n']).unwrap_or(rest.len()),
                _ => return,
            };
            self.at += len;
        }
    }

    pub(super) fn must_space(&mut self, expected: &'static str) -> Result<(), SchemaError> {
        let start = self.at;
        self.space();
        match self.at == start {
            true => Err(self.unexpected(expected)),
            false => Ok(()),
        }
    }

    #[cold]
    pub(super) fn unexpected(&self, expected: &'static str) -> SchemaError {
        SchemaError::Unexpected { at: self.position(), expected, found: self.found() }
    }

    pub(super) fn found(&self) -> String {
        let mut ahead = Parser { text: self.text, at: self.at };
        match (ahead.word(), self.rest().chars().next()) {
            (Some(word), _) => format!("`{}`", &word[..word.len().min(40)]),
            (None, Some('\r' | '\n')) => "the end of the line".into(),
            (None, Some(c @ ('!'..='~'))) => format!("`{c}`"),
            (None, Some(c)) => format!("the character {c:?}"),
            (None, None) => "the end of the text".into(),
        }
    }

    pub(super) fn position(&self) -> Position {
        let before = self.text[..self.at].replace("\r\n", "\n");
        let line = before.matches(['\n', '\r']).count() + 1;
        let start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        Position { line, column: before[start..].chars().count() + 1 }
    }
}
