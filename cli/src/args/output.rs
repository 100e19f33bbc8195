//! How events are printed.

use std::str::FromStr;

use clap::Args;
use hat_core::json::Pointer;

use crate::output::Template;

/// How to print events.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// How to print: jsonl, table, csv, payload, or a template such as '{timestamp} {type}
    /// {/celsius}'.
    ///
    /// `jsonl` prints a JSON object a line, as `register` and `import` read them. `csv` has a line
    /// of names first. `payload` prints payloads alone: JSON as its text in a line, binary data as
    /// the bytes that they are, without an end of line. In a template stand {type}, {id}, {server},
    /// {session}, {instance}, {timestamp}, {source_timestamp}, {payload}, and JSON pointers into
    /// the payload, {/a/0}; texts are printed without quotes, what is not there as nothing; {{ and
    /// }} are braces, \t and \n what they always are.
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    pub(crate) format: Format,
    /// Print only this part of JSON payloads, in place of the whole: a JSON pointer, /a/0. Where
    /// there is none, no payload is printed.
    #[arg(long, value_name = "POINTER", value_parser = pointer)]
    pub(crate) path: Option<Pointer>,
}

/// See [`OutputArgs`].
#[derive(Clone, Debug)]
pub(crate) enum Format {
    Jsonl,
    Table,
    Csv,
    Payload,
    Template(Template),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "jsonl" | "json" => Ok(Self::Jsonl),
            "table" => Ok(Self::Table),
            "csv" => Ok(Self::Csv),
            "payload" => Ok(Self::Payload),
            text if text.contains(['{', '}']) => Template::new(text).map(Self::Template),
            _ => {
                Err("write jsonl, table, csv, payload, or a template such as '{type} {payload}'"
                    .into())
            }
        }
    }
}

pub(super) fn pointer(text: &str) -> Result<Pointer, String> {
    text.parse::<Pointer>().map_err(|error| error.to_string())
}
