//! The configuration of a deployed `hat-event-server` (hat-event 0.9, `hat-event://server.yaml`):
//! each key is used, or it is said what becomes of it.
//!
//! | key | becomes |
//! |---|---|
//! | `name`, `server_id`, `server_token`, `eventer_server`, `adminer_server` | the same |
//! | `monitor_component` | the same, but losing the monitor does not end the server |
//! | `backend` of LMDB | a store: history, conditions, [rules](super::partitions) |
//! | `log` | levels |
//! | `modules` | named: they are Python and do not run here |

use std::path::PathBuf;

use hat_aio::Address;
use hat_core::eventer::EventType;
use serde_json::{Map, Value};

use super::partitions::{Limit, OrderBy, Partition, rules};
use super::retention::{
    ConditionSettings, JsonSettings, QueryType, StepSettings, TestSettings, TypeSettings,
};
use super::{Read, StoreSettings, log_levels};

const LMDB: &str = "hat.event.backends.lmdb";

/// Whether a file is one of these and none of ours.
pub(super) fn is_deployed(root: &Map<String, Value>) -> bool {
    root.get("type").and_then(Value::as_str) == Some("event")
        || ["eventer_server", "backend", "monitor_component"]
            .iter()
            .any(|it| root.contains_key(*it))
}

/// Reads the whole file. An error says where it is.
pub(super) fn read(root: &Map<String, Value>) -> Result<Read, String> {
    let mut read = Read { is_deployed: true, ..Read::default() };
    let root = Section { path: String::new(), map: root };
    if let Some(kind) = root.get("type")
        && kind != "event"
    {
        return Err(format!("type: {kind} is not the configuration of an event server"));
    }
    read.settings.name = Some(root.text("name")?);
    read.settings.server_id = Some(server_id(&root)?);
    read.settings.token = root.optional_text("server_token")?;
    read.settings.listen = Some(address(&root.section("eventer_server")?)?);
    if let Some(adminer) = root.optional_section("adminer_server")? {
        read.settings.adminer.listen = Some(address(&adminer)?);
        adminer.others(&["host", "port"], &mut read);
    }
    if let Some(monitor) = root.optional_section("monitor_component")? {
        read.settings.monitor.address = Some(address(&monitor)?);
        read.settings.monitor.group = Some(monitor.text("group")?);
        monitor.others(&["host", "port", "group"], &mut read);
    }
    if let Some(log) = root.get("log") {
        let levels = log_levels::read(log).map_err(|error| format!("log: {error}"))?;
        read.settings.log = levels.settings;
        read.log_conf = log.clone();
        read.warnings.extend(levels.unused.into_iter().map(|unused| format!("log.{unused}")));
    }
    for (number, module) in root.array("modules")?.iter().enumerate() {
        let module = Section::of(format!("modules.{number}"), module)?;
        read.modules.push(module.text("module")?);
    }
    root.section("eventer_server")?.others(&["host", "port"], &mut read);
    backend(&root.section("backend")?, &mut read)?;
    let known = [
        "type",
        "version",
        "log",
        "name",
        "server_id",
        "server_token",
        "backend",
        "modules",
        "eventer_server",
        "adminer_server",
        "monitor_component",
    ];
    root.others(&known, &mut read);
    Ok(read)
}

fn server_id(root: &Section<'_>) -> Result<i64, String> {
    let id = root.integer("server_id")?;
    match id {
        0.. => Ok(id),
        _ => Err(root.wrong(
            "server_id",
            "a number of at least 0: other servers cannot store negative ones",
        )),
    }
}

fn address(section: &Section<'_>) -> Result<Address, String> {
    let port = section.integer("port")?;
    let port = u16::try_from(port).map_err(|_| section.wrong("port", "a number up to 65535"))?;
    Ok(Address::new(section.text("host")?, port))
}

fn backend(backend: &Section<'_>, read: &mut Read) -> Result<(), String> {
    let module = backend.text("module")?;
    match &*module {
        LMDB => return lmdb(backend, read),
        "hat.event.backends.dummy" => read.warn(
            "backend.module",
            "the dummy backend stores nothing; here events are kept in memory, up to --max-events",
        ),
        "hat.event.backends.memory" => {}
        _ => read.backend = Some(module),
    }
    backend.others(&["module"], read);
    Ok(())
}

fn lmdb(backend: &Section<'_>, read: &mut Read) -> Result<(), String> {
    let file = PathBuf::from(backend.text("db_path")?);
    let mut dir = file.clone().into_os_string();
    dir.push(".hat");
    if !matches!(backend.get("identifier"), None | Some(Value::Null)) {
        read.warn(
            "backend.identifier",
            "a store is identified by its folder, and locked while it is open",
        );
    }
    backend.number("flush_period")?;
    read.warn(
        "backend.flush_period",
        "events are on the disk before the response; --durability flush:TIME responds earlier",
    );
    backend.number("cleanup_period")?;
    read.warn(
        "backend.cleanup_period",
        "events over the limits are removed continuously, in small steps",
    );
    let conditions = backend.array("conditions")?.iter().enumerate();
    let conditions = conditions.map(|(number, value)| {
        let condition = Section::of(format!("backend.conditions.{number}"), value)?;
        let types = condition.types("subscriptions")?;
        Ok(ConditionSettings { types, test: test(&condition.section("condition")?)? })
    });
    let conditions = conditions.collect::<Result<Vec<_>, String>>()?;
    let latest = backend.section("latest")?;
    let partitions = backend.array("timeseries")?.iter().enumerate();
    let partitions = partitions.map(|(number, value)| {
        partition(&Section::of(format!("backend.timeseries.{number}"), value)?, read)
    });
    let partitions = partitions.collect::<Result<Vec<_>, String>>()?;
    let rules = rules(&latest.types("subscriptions")?, &partitions)
        .map_err(|error| format!("backend.timeseries: {error}"))?;
    latest.others(&["subscriptions"], read);
    if rules.iter().any(|rule| rule.keep_latest == Some(false)) {
        read.warnings.push(
            "backend.latest.subscriptions selects the types whose latest events are kept beyond \
             the limits; a latest query also finds those of all other types while they are kept"
                .into(),
        );
    }
    if let Some(most) = backend.get("timeseries_max_results") {
        let most = most.as_u64().and_then(|most| usize::try_from(most).ok());
        let most = most.filter(|most| *most > 0);
        let wrong = || backend.wrong("timeseries_max_results", "a number of at least 1");
        read.settings.max_results = Some(most.ok_or_else(wrong)?);
    }
    if backend.get("timeseries_event_type_cache_size").is_some() {
        read.warn("backend.timeseries_event_type_cache_size", "this server has no such cache");
    }
    let known = [
        "module",
        "db_path",
        "identifier",
        "flush_period",
        "cleanup_period",
        "conditions",
        "latest",
        "timeseries",
        "timeseries_max_results",
        "timeseries_event_type_cache_size",
    ];
    backend.others(&known, read);
    read.settings.store = StoreSettings {
        dir: Some(dir.into()),
        import_lmdb: Some(file),
        rules,
        conditions,
        ..StoreSettings::default()
    };
    Ok(())
}

fn partition(section: &Section<'_>, read: &mut Read) -> Result<Partition, String> {
    let order_by = match &*section.text("order_by")? {
        "TIMESTAMP" => OrderBy::Timestamp,
        "SOURCE_TIMESTAMP" => OrderBy::Source,
        _ => return Err(section.wrong("order_by", "TIMESTAMP or SOURCE_TIMESTAMP")),
    };
    let types = section.types("subscriptions")?;
    let limit = match section.optional_section("limit")? {
        None => Limit::default(),
        Some(limit) => {
            limit.others(&["min_entries", "max_entries", "duration", "size"], read);
            Limit {
                min_entries: limit.optional_count("min_entries", f64::ceil)?.unwrap_or(0),
                max_entries: limit.optional_count("max_entries", f64::floor)?,
                max_age: limit.optional_seconds("duration")?,
                max_bytes: limit.optional_count("size", f64::floor)?,
            }
        }
    };
    section.others(&["order_by", "subscriptions", "limit"], read);
    Ok(Partition { order_by, types, limit })
}

fn test(section: &Section<'_>) -> Result<TestSettings, String> {
    let tests = || {
        let tests = section.array("conditions")?.iter().enumerate();
        let tests = tests.map(|(number, value)| {
            test(&Section::of(format!("{}.conditions.{number}", section.path), value)?)
        });
        tests.collect::<Result<Vec<_>, String>>()
    };
    match &*section.text("type")? {
        "all" => Ok(TestSettings::All(tests()?)),
        "any" => Ok(TestSettings::Any(tests()?)),
        "json" => {
            let path = match section.get("data_path") {
                None => Vec::new(),
                Some(path) => vec![step(path).ok_or_else(|| {
                    section.wrong("data_path", "a key, an index, or a list of these")
                })?],
            };
            let data_type = match section.optional_text("data_type")?.as_deref() {
                None => None,
                Some("null") => Some(TypeSettings::Null),
                Some("boolean") => Some(TypeSettings::Boolean),
                Some("string") => Some(TypeSettings::String),
                Some("number") => Some(TypeSettings::Number),
                Some("array") => Some(TypeSettings::Array),
                Some("object") => Some(TypeSettings::Object),
                Some(_) => return Err(section.wrong("data_type", "a type of JSON")),
            };
            let value = section.get("data_value").cloned();
            Ok(TestSettings::Json(JsonSettings { path, data_type, value }))
        }
        _ => Err(section.wrong("type", "all, any or json")),
    }
}

fn step(value: &Value) -> Option<StepSettings> {
    match value {
        Value::String(key) => Some(StepSettings::Key(key.clone())),
        Value::Array(parts) => {
            Some(StepSettings::Path(parts.iter().map(step).collect::<Option<_>>()?))
        }
        value => value.as_i64().map(StepSettings::Index),
    }
}

/// An object of the file, and where it is.
struct Section<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Section<'a> {
    fn of(path: String, value: &'a Value) -> Result<Self, String> {
        match value.as_object() {
            Some(map) => Ok(Self { path, map }),
            None => Err(format!("{path}: it must be an object")),
        }
    }

    fn at(&self, key: &str) -> String {
        match self.path.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.path),
        }
    }

    fn wrong(&self, key: &str, needs: &str) -> String {
        match self.map.contains_key(key) {
            true => format!("{}: it must be {needs}", self.at(key)),
            false => format!("{} is missing: it must be {needs}", self.at(key)),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    fn section(&self, key: &str) -> Result<Self, String> {
        self.optional_section(key)?.ok_or_else(|| self.wrong(key, "an object"))
    }

    fn optional_section(&self, key: &str) -> Result<Option<Self>, String> {
        self.get(key).map(|value| Self::of(self.at(key), value)).transpose()
    }

    fn text(&self, key: &str) -> Result<String, String> {
        let text = self.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        text.ok_or_else(|| self.wrong(key, "a text"))
    }

    fn optional_text(&self, key: &str) -> Result<Option<String>, String> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.text(key).map(Some),
        }
    }

    fn integer(&self, key: &str) -> Result<i64, String> {
        self.get(key).and_then(Value::as_i64).ok_or_else(|| self.wrong(key, "a whole number"))
    }

    fn number(&self, key: &str) -> Result<f64, String> {
        self.get(key).and_then(Value::as_f64).ok_or_else(|| self.wrong(key, "a number"))
    }

    /// A count, of which the deployed server takes any number.
    fn optional_count(&self, key: &str, round: fn(f64) -> f64) -> Result<Option<u64>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        if let Some(count) = value.as_u64() {
            return Ok(Some(count));
        }
        // what is below 0 keeps nothing, and what is too large everything: as the conversion does
        Ok(Some(round(self.number(key)?) as u64))
    }

    fn optional_seconds(&self, key: &str) -> Result<Option<std::time::Duration>, String> {
        if self.get(key).is_none() {
            return Ok(None);
        }
        let millis = (self.number(key)? * 1_000.0).ceil() as u64;
        Ok(Some(std::time::Duration::from_millis(millis)))
    }

    fn array(&self, key: &str) -> Result<&'a [Value], String> {
        let array = self.get(key).and_then(Value::as_array);
        array.map(Vec::as_slice).ok_or_else(|| self.wrong(key, "a list"))
    }

    fn types(&self, key: &str) -> Result<Vec<QueryType>, String> {
        let wrong = || self.wrong(key, "a list of event types, which are lists of texts");
        let query_type = |value: &Value| {
            let segments = value.as_array().ok_or_else(wrong)?.iter();
            let segments = segments.map(|segment| segment.as_str().ok_or_else(wrong));
            let segments = segments.collect::<Result<Vec<_>, _>>()?;
            Ok(QueryType(EventType::from_segments(segments)))
        };
        self.array(key)?.iter().map(query_type).collect()
    }

    /// Names the keys that are none of these.
    fn others(&self, known: &[&str], read: &mut Read) {
        for key in self.map.keys().filter(|key| !known.contains(&key.as_str())) {
            read.warn(&self.at(key), "neither this server nor hat-event 0.9 knows it");
        }
    }
}

impl Read {
    fn warn(&mut self, key: &str, meaning: &str) {
        self.warnings.push(format!("{key} is not used: {meaning}"));
    }
}

#[cfg(test)]
mod tests;
