//! Configurations of `hat serve`: files, flags and defaults, laid over each other.
//!
//! ```text
//! event.yaml ── deployed ─┐ partitions: what it keeps, as rules
//! hat.toml ─── settings ──┼─> Settings <── lay over ── flags      log_levels: a dictConfig
//!                         └── warnings, modules          │
//!                                                        ├─> print: as our TOML again
//!                                                        └─> Plan: what is done
//! ```

mod deployed;
pub(crate) mod log_levels;
mod partitions;
mod plan;
pub(crate) mod retention;
pub(crate) mod settings;
mod text;
mod time;

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use crate::exit::Failure;
pub(crate) use plan::{Place, Plan};
pub(crate) use settings::{Settings, StoreSettings};

/// The most bytes that a configuration may have: 16 MiB.
const MAX_SIZE: u64 = 16 << 20;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Read {
    /// It is that of a deployed server.
    pub(crate) is_deployed: bool,
    pub(crate) settings: Settings,
    /// Python modules that the file names, and that do not run here.
    pub(crate) modules: Vec<String>,
    /// A backend that is somebody's own, and does not run here.
    pub(crate) backend: Option<String>,
    /// What is not used, and what that means, a line each.
    pub(crate) warnings: Vec<String>,
    /// The deployed server's configuration of the log, as it is; null where there is none.
    pub(crate) log_conf: Value,
}

/// Reads a file: YAML, TOML or JSON, by its name and else by what is in it; `-` is standard input.
/// It is ours, or that of a deployed event server.
pub(crate) fn read(path: &Path) -> Result<Read, Failure> {
    let wrong = |reason: String| Failure::Input(format!("{}: {reason}", path.display()));
    let text = text_of(path).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    let value = parse(path, &text).map_err(|error| wrong(one_line(&error)))?;
    let root = value.as_object().ok_or_else(|| wrong("it has no keys".into()))?;
    match deployed::is_deployed(root) {
        true => deployed::read(root).map_err(wrong),
        false => own(path, &text, &value).map_err(|error| wrong(one_line(&error))),
    }
}

fn text_of(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let input: Box<dyn std::io::Read> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(path)?),
    };
    input.take(MAX_SIZE + 1).read_to_string(&mut text)?;
    // a part of it might be read as a whole
    if text.len() as u64 > MAX_SIZE {
        return Err(std::io::Error::other("it is longer than 16 MiB"));
    }
    Ok(text)
}

/// The values, whatever the format. JSON is YAML, too, but its errors are better told as JSON's.
fn parse(path: &Path, text: &str) -> Result<Value, String> {
    let yaml = || yaml(text);
    let toml = || toml::from_str::<Value>(text).map_err(|error| error.to_string());
    let json = || serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
    let extension = path.extension().and_then(|it| it.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("yaml" | "yml") => yaml(),
        Some("toml") => toml(),
        Some("json") => json(),
        _ if text.trim_start().starts_with('{') => json(),
        // few texts are both
        _ => toml().or_else(|of_toml| {
            let value = yaml()?;
            match value {
                Value::Object(_) => Ok(value),
                _ => Err(of_toml),
            }
        }),
    }
    .map(|value| match value {
        Value::Null => Value::Object(Map::new()),
        value => value,
    })
}

/// YAML as the deployed packages read it, by PyYAML: `yes`, `no`, `on` and `off` are booleans, and
/// `y` and `n`, which are ones to our parser, are texts.
fn yaml(text: &str) -> Result<Value, String> {
    let parse = |strict_booleans| {
        let options = serde_saphyr::options! { strict_booleans: strict_booleans };
        let value = serde_saphyr::from_str_with_options::<Value>(text, options);
        value.map_err(|error| error.to_string())
    };
    let mut value = parse(false)?;
    restore_letters(&mut value, &parse(true)?);
    Ok(value)
}

/// Makes the letters texts again, which they are in `strict`.
fn restore_letters(value: &mut Value, strict: &Value) {
    match (value, strict) {
        (value @ Value::Bool(_), Value::String(text)) if text.len() == 1 => *value = strict.clone(),
        (Value::Array(values), Value::Array(strict)) => {
            values
                .iter_mut()
                .zip(strict)
                .for_each(|(value, strict)| restore_letters(value, strict));
        }
        (Value::Object(values), Value::Object(strict)) => {
            for (key, value) in values {
                if let Some(strict) = strict.get(key) {
                    restore_letters(value, strict);
                }
            }
        }
        _ => {}
    }
}

/// What a parser says, in a line of its own.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn own(path: &Path, text: &str, value: &Value) -> Result<Read, String> {
    let is_toml = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("toml"));
    // with the line where it is wrong, where the format has one to tell
    let settings = match is_toml {
        true => toml::from_str(text).map_err(|error| error.to_string()),
        false => serde_json::from_value(value.clone()).map_err(|error| error.to_string()),
    };
    Ok(Read { settings: settings?, ..Read::default() })
}

/// The whole configuration, as it can be read again.
pub(crate) fn print(settings: &Settings) -> Result<String, Failure> {
    let text = toml::to_string_pretty(settings);
    text.map_err(|error| Failure::Input(format!("it cannot be written as TOML: {error}")))
}

#[cfg(test)]
mod tests;
