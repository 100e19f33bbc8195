//! `--format '{type} {/celsius}'`: a line of one's own for each event.

use std::fmt::Write as _;

use hat_core::eventer::{Event, Payload};
use hat_core::json::Pointer;

use super::part::{part, plain};
use crate::exit::shown;

/// The names that may stand in braces, besides JSON pointers.
const NAMES: &str = "type, id, server, session, instance, timestamp, source_timestamp, payload, or a JSON pointer such as /celsius";

/// A template, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Type,
    Id,
    Server,
    Session,
    Instance,
    Timestamp,
    SourceTimestamp,
    Payload,
    Part(Pointer),
}

impl Template {
    /// Takes a template apart.
    pub(crate) fn new(template: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut chars = template.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '{' | '}' if chars.next_if_eq(&char).is_some() => text.push(char),
                '{' => {
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some(char) => name.push(char),
                            None => {
                                return Err(format!(
                                    "`{{{name}` has no closing `}}` in the template"
                                ));
                            }
                        }
                    }
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::named(&name)?);
                }
                '}' => {
                    return Err("a `}` without a `{` in the template: write }} for a brace".into());
                }
                '\\' => match chars.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('\\') => text.push('\\'),
                    Some(other) => text.extend(['\\', other]),
                    None => text.push('\\'),
                },
                char => text.push(char),
            }
        }
        pieces.push(Piece::Text(text));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self(pieces))
    }

    /// The line of `event`, whose payload is shown as `payload`. Nothing in it controls the
    /// terminal, but for what the template itself holds.
    pub(super) fn line(&self, event: &Event, payload: Option<&Payload>) -> String {
        let mut line = String::new();
        for piece in &self.0 {
            // writing to a text does not fail
            let _ = match piece {
                Piece::Text(text) => line.write_str(text),
                Piece::Type => line.write_str(&shown(&event.event_type.to_string())),
                Piece::Id => {
                    let id = event.id;
                    write!(line, "{},{},{}", id.server, id.session, id.instance)
                }
                Piece::Server => write!(line, "{}", event.id.server),
                Piece::Session => write!(line, "{}", event.id.session),
                Piece::Instance => write!(line, "{}", event.id.instance),
                Piece::Timestamp => write!(line, "{}", event.timestamp),
                Piece::SourceTimestamp => match event.source_timestamp {
                    Some(timestamp) => write!(line, "{timestamp}"),
                    None => Ok(()),
                },
                Piece::Payload => line.write_str(&plain(payload)),
                Piece::Part(pointer) => line.write_str(&plain(part(payload, pointer).as_ref())),
            };
        }
        line
    }
}

impl Piece {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "type" => Self::Type,
            "id" => Self::Id,
            "server" => Self::Server,
            "session" => Self::Session,
            "instance" => Self::Instance,
            "timestamp" => Self::Timestamp,
            "source_timestamp" => Self::SourceTimestamp,
            "payload" => Self::Payload,
            pointer if pointer.starts_with('/') => {
                Self::Part(pointer.parse().map_err(|error| format!("{{{pointer}}}: {error}"))?)
            }
            _ => return Err(format!("unknown name {{{name}}} in the template: write {NAMES}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::eventer::{EventId, Json, Timestamp};

    #[track_caller]
    fn line(template: &str) -> String {
        let event = Event {
            id: EventId::new(1, 2, 3),
            event_type: "a/\u{1b}b".parse().expect("any text is a type"),
            timestamp: Timestamp::from_secs(0),
            source_timestamp: None,
            payload: Some(
                Json::from_text(r#"{"x":[1.50,"čx\n"],"~/":{"y":null}}"#).expect("JSON").into(),
            ),
        };
        Template::new(template).expect(template).line(&event, event.payload.as_ref())
    }

    #[test]
    fn lines() {
        assert_eq!(line("{type} {id}"), "a/\\u{1b}b 1,2,3");
        assert_eq!(line("{server}/{session}/{instance}{{}}"), "1/2/3{}");
        assert_eq!(line("{timestamp}|{source_timestamp}|"), "1970-01-01T00:00:00.000000Z||");
        assert_eq!(line(r"{/x/0}\t{/x/1}\n{/x/2}"), "1.50\tčx\\n\n");
        assert_eq!(line("{/~0~1/y}{/~0~1}"), r#"null{"y":null}"#);
        assert_eq!(line("{/x}"), r#"[1.50,"čx\n"]"#);
    }

    #[test]
    fn what_is_no_template() {
        for (template, part) in [
            ("{", "has no closing `}`"),
            ("{type", "`{type` has no closing `}`"),
            ("}", "without a `{`"),
            ("{typ}", "unknown name {typ} in the template"),
            ("{}", "unknown name {}"),
        ] {
            let error = Template::new(template).expect_err(template);
            assert!(error.contains(part), "{template}: {error}");
        }
    }
}
