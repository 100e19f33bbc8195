//! The grammar, one method a rule. `_` is white space or comments, `+` at least one of them.
//!
//! ```text
//! module      _ 'module' + Identifier (+ definition)* _ end
//! definition  Identifier _ ['(' _ [Identifier (+ Identifier)*] _ ')'] _ '=' _ type
//! type        ('Record' | 'Choice') _ '{' _ entry (+ entry)* _ '}'
//!             Identifier ['.' Identifier] [_ '(' _ [type (+ type)*] _ ')']
//! entry       Identifier _ ':' _ type
//! Identifier  [A-Za-z][A-Za-z0-9_]*
//! ```

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Entry, MAX_NESTING, MAX_SCHEMA_LEN, Module, Reference, SchemaError, Type, TypeDef};
use crate::sbs::repository::Builtin;

/// Reads one schema text.
///
/// # Errors
///
/// [`SchemaError`], which says where, what was expected and what was found.
///
/// ```
/// use hat_core::sbs::schema;
///
/// let module = schema::parse("module M T = Record { x: Integer }").unwrap();
/// assert_eq!(module.name, "M");
///
/// let error = schema::parse("module M\nT = Record { x Integer }").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 2, column 16: expected `:` between the name of an entry and its type, found `Integer`"
/// );
/// ```
pub fn parse(text: &str) -> Result<Module, SchemaError> {
    if text.len() > MAX_SCHEMA_LEN {
        return Err(SchemaError::TooLong { len: text.len(), limit: MAX_SCHEMA_LEN });
    }
    Parser { text, at: 0 }.module()
}

/// A place in a text; `scan` has what the rules below are made of.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    /// The offset of what comes next, in bytes; always between characters.
    pub(super) at: usize,
}

impl<'a> Parser<'a> {
    fn module(&mut self) -> Result<Module, SchemaError> {
        self.space();
        let start = self.at;
        if self.word() != Some("module") {
            self.at = start;
            return Err(SchemaError::NoModule { at: self.position(), found: self.found() });
        }
        self.must_space("white space and the name of the module")?;
        let name =
            self.identifier("the name of the module: a letter, then letters, digits and `_`")?;

        let mut types = BTreeMap::new();
        while !self.is_at_end_after_space() {
            self.must_space("white space, then the next definition")?;
            let (name, definition) = self.definition()?;
            types.insert(name, definition);
        }
        Ok(Module { name: name.into(), types })
    }

    fn definition(&mut self) -> Result<(String, TypeDef), SchemaError> {
        let name = self.identifier("a definition, `Name = Type`")?;
        self.space();
        let mut parameters = Vec::new();
        if self.eat(b'(') {
            self.list(b')', "white space and the next parameter, or `)`", |parser| {
                let name = parser.identifier("the name of a parameter, or `)`")?;
                parameters.push(name.into());
                Ok(())
            })?;
            self.space();
        }
        if !self.eat(b'=') {
            return Err(self.unexpected("`=` between the name of a definition and its type"));
        }
        self.space();
        let body = self.type_(1)?;
        Ok((name.into(), TypeDef { parameters, body }))
    }

    fn type_(&mut self, level: usize) -> Result<Type, SchemaError> {
        if level > MAX_NESTING {
            return Err(SchemaError::TooDeep { at: self.position(), limit: MAX_NESTING });
        }
        let first = self.identifier("a type")?;
        let keyword = self.eat_after_space(b'{').then_some(first);
        match keyword {
            Some("Record" | "Tuple") => Ok(Type::Record(self.entries(first, level)?)),
            Some("Choice" | "Union") => Ok(Type::Choice(self.entries(first, level)?)),
            Some(_) => {
                self.at -= 1;
                Err(self.unexpected("`Record` or `Choice` before entries"))
            }
            None => Ok(Type::Reference(self.reference(first, level)?)),
        }
    }

    fn entries(&mut self, keyword: &str, level: usize) -> Result<Vec<Entry>, SchemaError> {
        let mut entries = Vec::new();
        self.list(b'}', "white space and the next entry, or `}`", |parser| {
            let name = parser.identifier("an entry, `name: Type`, or `}`")?;
            parser.space();
            if !parser.eat(b':') {
                return Err(parser.unexpected("`:` between the name of an entry and its type"));
            }
            parser.space();
            entries.push(Entry { name: name.into(), of: parser.type_(level + 1)? });
            Ok(())
        })?;
        if entries.is_empty() {
            self.at -= 1;
            return Err(SchemaError::NoEntries { at: self.position(), keyword: keyword.into() });
        }
        Ok(entries)
    }

    fn reference(&mut self, first: &str, level: usize) -> Result<Reference, SchemaError> {
        let (module, name) = match self.eat(b'.') {
            true => {
                (Some(first.into()), self.identifier("the name of a type, directly after the dot")?)
            }
            false => (None, first),
        };
        let mut arguments = Vec::new();
        if self.eat_after_space(b'(') {
            if module.is_none() && Builtin::named(name).is_some() {
                self.at -= 1;
                return Err(SchemaError::ArgumentsForBuiltin {
                    at: self.position(),
                    name: name.into(),
                });
            }
            self.list(b')', "white space and the next argument, or `)`", |parser| {
                arguments.push(parser.type_(level + 1)?);
                Ok(())
            })?;
        }
        Ok(Reference { module, name: name.into(), arguments })
    }

    /// Items with white space between them, past the `end`; the opening bracket was taken.
    fn list(
        &mut self,
        end: u8,
        between: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<(), SchemaError>,
    ) -> Result<(), SchemaError> {
        self.space();
        while !self.eat(end) {
            item(self)?;
            if !self.eat_after_space(end) {
                self.must_space(between)?;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[track_caller]
    fn refused(text: &str, message: &str) {
        assert_eq!(parse(text).map_err(|error| error.to_string()), Err(message.into()), "{text:?}");
    }

    #[test]
    fn messages_say_where_what_and_what_to_do() {
        refused(
            "",
            "line 1, column 1: expected `module Name`, found the end of the text: a schema starts with the name of its module",
        );
        refused(
            "T = None",
            "line 1, column 1: expected `module Name`, found `T`: a schema starts with the name of its module",
        );
        refused(
            "module M\r\nT = Record {}",
            "line 2, column 13: `Record` has no entries: write at least one `name: Type` between the braces",
        );
        refused(
            "module M\rT = Union { , }",
            "line 2, column 15: `Union` has no entries: write at least one `name: Type` between the braces",
        );
        refused(
            "module M T = None(String)",
            "line 1, column 18: `None` takes no arguments: remove the parentheses",
        );
        refused(
            "module M # é\n  T = é",
            "line 2, column 7: expected a type, found the character 'é'",
        );
        refused(
            "module M T = Record { a: Integer; b: String }",
            "line 1, column 33: expected white space and the next entry, or `}`, found `;`",
        );
        refused(
            "module M T = Record { a: Integer",
            "line 1, column 33: expected white space and the next entry, or `}`, found the end of the text",
        );
        refused(
            "module M.N T = None",
            "line 1, column 9: expected white space, then the next definition, found `.`",
        );
        refused(
            "module M T = Set { a: None }",
            "line 1, column 18: expected `Record` or `Choice` before entries, found `{`",
        );
        refused(
            "module M T None",
            "line 1, column 12: expected `=` between the name of a definition and its type, found `None`",
        );
        refused(
            "module M T = A. B",
            "line 1, column 16: expected the name of a type, directly after the dot, found the character ' '",
        );
        refused(
            "module M 1T = None",
            "line 1, column 10: expected a definition, `Name = Type`, found `1`",
        );
    }

    #[test]
    fn white_space_is_needed_between_things() {
        assert!(parse("module M T=Record{a:None}U=None").is_err());
        assert!(parse("module M T=Record{a:Array(None)b:None}").is_err());
        assert!(parse("module M T=Record{a:Array(None),b:None},U(a,b)=P(a#\nb)").is_ok());
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow there")]
    fn a_hostile_text_stops_at_the_limits() {
        let deep = |levels: usize| {
            format!("module M T = {}None{}", "Array(".repeat(levels), ")".repeat(levels))
        };
        assert!(parse(&deep(MAX_NESTING - 1)).is_ok());
        assert!(matches!(parse(&deep(MAX_NESTING)), Err(SchemaError::TooDeep { .. })));
        assert!(matches!(parse(&deep(100_000)), Err(SchemaError::TooDeep { .. })));
        assert!(matches!(parse(&" ".repeat(MAX_SCHEMA_LEN + 1)), Err(SchemaError::TooLong { .. })));
    }
}
