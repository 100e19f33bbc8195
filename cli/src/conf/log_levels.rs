//! Levels of the log, out of the configuration of Python's `logging.config.dictConfig`.
//!
//! Only levels can be used of one: `root.level`, and `loggers.NAME.level`. Loggers of the deployed
//! packages stand for the parts of ours that do their work; other names are taken for targets, with
//! a dot for each `::`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::settings::LogSettings;

/// Loggers of the deployed packages, and the targets of what does their work here.
const LOGGERS: [(&str, &[&str]); 8] = [
    ("hat", &["hat", "hat_server", "hat_aio", "hat_core"]),
    ("hat.event", &["hat_server"]),
    ("hat.event.server", &["hat_server"]),
    ("hat.event.backends", &["hat_server::store"]),
    ("hat.event.eventer", &["hat_aio::eventer"]),
    ("hat.monitor", &["hat_server::redundancy"]),
    ("hat.drivers", &["hat_aio"]),
    ("hat.drivers.chatter", &["hat_aio::chatter"]),
];

/// What is logged where nothing is said.
pub(crate) const UNSAID: &str = "warn,async_nats=off";

/// What there is in one.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Levels {
    pub(crate) settings: LogSettings,
    /// What is not used, and what that means, a line each.
    pub(crate) unused: Vec<String>,
}

/// Reads the levels. An empty object says nothing.
pub(crate) fn read(conf: &Value) -> Result<Levels, String> {
    let conf = conf.as_object().ok_or("it must be an object")?;
    let mut levels = Levels::default();
    if conf.is_empty() {
        return Ok(levels);
    }
    match conf.get("version") {
        Some(version) if version == 1 => {}
        Some(version) => return Err(format!("Unsupported version: {version}")),
        None => return Err("there is no version: it must be 1".into()),
    }
    // as with Python: what is configured has a root, which logs warnings unless it says otherwise
    let root = object(conf, "root")?;
    let level = root.and_then(|root| root.get("level"));
    levels.settings.level = Some(match level {
        Some(level) => self::level(level).map_err(|error| format!("root.level: {error}"))?,
        None => "warn".to_owned(),
    });
    for (name, logger) in object(conf, "loggers")?.into_iter().flatten() {
        let logger = logger.as_object();
        let logger = logger.ok_or_else(|| format!("loggers.{name}: it must be an object"))?;
        let Some(level) = logger.get("level") else { continue };
        let level = self::level(level).map_err(|error| format!("loggers.{name}.level: {error}"))?;
        levels.settings.targets.extend(targets(name).into_iter().map(|it| (it, level.clone())));
    }
    let levels_only = ["version", "root", "loggers", "disable_existing_loggers", "incremental"];
    let unused: Vec<_> =
        conf.keys().filter(|key| !levels_only.contains(&key.as_str())).cloned().collect();
    if !unused.is_empty() {
        levels.unused.push(format!(
            "{{{}}} is not used: only levels are used, and everything is logged to standard error",
            unused.join(", ")
        ));
    }
    Ok(levels)
}

fn object<'a>(
    conf: &'a Map<String, Value>,
    key: &str,
) -> Result<Option<&'a Map<String, Value>>, String> {
    match conf.get(key) {
        None => Ok(None),
        Some(value) => match value.as_object() {
            Some(object) => Ok(Some(object)),
            None => Err(format!("{key}: it must be an object")),
        },
    }
}

/// A level by its name or number in Python. Between two of them, it is the less severe one's.
fn level(level: &Value) -> Result<String, String> {
    let of_number = |number: i64| match number {
        ..=0 => "trace",
        1..=10 => "debug",
        11..=20 => "info",
        21..=30 => "warn",
        _ => "error",
    };
    let name = match level {
        Value::Number(number) => number.as_i64().map(of_number),
        Value::String(name) => match &**name {
            "NOTSET" => Some("trace"),
            "DEBUG" => Some("debug"),
            "INFO" => Some("info"),
            "WARNING" | "WARN" => Some("warn"),
            "ERROR" | "CRITICAL" | "FATAL" => Some("error"),
            _ => None,
        },
        _ => None,
    };
    name.map(ToOwned::to_owned).ok_or_else(|| format!("Unknown level: {level}"))
}

fn targets(name: &str) -> Vec<String> {
    match LOGGERS.iter().find(|(logger, _)| *logger == name) {
        Some((_, targets)) => targets.iter().map(ToString::to_string).collect(),
        None => vec![name.replace('.', "::")],
    }
}

/// The filter that these settings stand for, as it is written for `tracing`.
pub(crate) fn directives(settings: &LogSettings) -> String {
    let level = settings.level.clone().unwrap_or_else(|| UNSAID.into());
    let targets: &BTreeMap<_, _> = &settings.targets;
    let targets = targets.iter().map(|(target, level)| format!("{target}={level}"));
    [level].into_iter().chain(targets).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(conf: &Value) -> Result<String, String> {
        read(conf).map(|levels| directives(&levels.settings))
    }

    #[test]
    fn levels_are_those_of_the_targets_that_do_the_work() {
        let conf = json!({"version": 1, "root": {"level": "INFO", "handlers": ["console"]}, "loggers": {
            "hat.event": {"level": "DEBUG"}, "hat.drivers": {"level": 40}, "hat_aio.web": {"level": "ERROR"},
            "asyncio": {}}});
        let expected = "info,hat_aio=error,hat_aio::web=error,hat_server=debug";
        assert_eq!(shown(&conf), Ok(expected.into()));
        assert_eq!(shown(&json!({"version": 1})), Ok("warn".into()));
        assert_eq!(shown(&json!({})), Ok(UNSAID.into()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |conf| shown(&conf).expect_err("it is wrong");
        assert_eq!(error(json!({"version": 7})), "Unsupported version: 7");
        assert!(error(json!({"root": {}})).contains("no version"));
        assert_eq!(
            error(json!({"version": 1, "root": {"level": "LOUD"}})),
            "root.level: Unknown level: \"LOUD\""
        );
        assert!(error(json!([])).contains("object"));
        assert!(error(json!({"version": 1, "loggers": {"a": 1}})).contains("loggers.a"));
    }

    #[test]
    fn what_is_not_used_is_named() {
        let conf = json!({"version": 1, "handlers": {}, "formatters": {}});
        let unused = read(&conf).expect("levels").unused;
        assert_eq!(unused.len(), 1);
        assert!(unused[0].starts_with("{formatters, handlers} is not used"), "{unused:?}");
    }
}
