//! How events are printed.

use std::str::FromStr;

use clap::Args;
use hat_core::json::Pointer;

use crate::output::Template;

/// How to print events.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// The output format: jsonl, table, csv, payload, or a template such as '{timestamp} {type}
    /// {/celsius}'.
    ///
    /// `jsonl` prints one JSON object per line, which `register` and `import` can read. `csv`
    /// begins with a line of names. `payload` prints only payloads: JSON as one line of text,
    /// binary data unchanged and without a line break. A template can contain {type}, {id},
    /// {server}, {session}, {instance}, {timestamp}, {source_timestamp}, {payload}, and JSON
    /// pointers into the payload, such as {/a/0}. Strings are printed without quotes, and missing
    /// values as nothing; {{ and }} print braces, \t a tab, and \n a line break. On a terminal,
    /// control characters of events are escaped in every format.
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    pub(crate) format: Format,
    /// Print only this part of JSON payloads, a JSON pointer such as /a/0. If a payload does not
    /// have it, no payload is printed.
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
