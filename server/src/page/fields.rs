//! The members of what pages send: each is checked, and what is wrong is said in words for a user.

use hat_core::eventer::{EventId, Timestamp};
use hat_core::json::{Object, Value};

/// The members of `value`, which has none but these.
pub(super) fn object<'a>(
    value: &'a Value,
    what: &str,
    names: &[&str],
) -> Result<&'a Object, String> {
    let object = value.as_object();
    let object = object.ok_or_else(|| format!("{what} must be an object, not {}", value.kind()))?;
    match object.iter().find(|(name, _)| !names.contains(&&***name)) {
        Some((name, _)) => Err(format!("{what} has no field `{name}`: write {}", names.join(", "))),
        None => Ok(object),
    }
}

pub(super) fn text<'a>(fields: &'a Object, name: &str, what: &str) -> Result<&'a str, String> {
    let value = fields.get(name).ok_or_else(|| format!("{what} needs a field `{name}`"))?;
    value.as_str().ok_or_else(|| format!("`{name}` must be a string, not {}", value.kind()))
}

/// A timestamp, if one is given: `[seconds, microseconds]`.
pub(super) fn timestamp(fields: &Object, name: &str) -> Result<Option<Timestamp>, String> {
    let what = name.replace('_', " ");
    let Some(value) = given(fields, name) else { return Ok(None) };
    let wrong = || format!("the {what}: write [seconds, microseconds] or null");
    let parts = value.as_array().filter(|parts| parts.len() == 2).ok_or_else(wrong)?;
    let s = parts.get(0).and_then(Value::as_i64).ok_or_else(wrong)?;
    let us = parts.get(1).and_then(Value::as_u64).and_then(|us| us.try_into().ok());
    let timestamp = Timestamp::new(s, us.ok_or_else(wrong)?);
    timestamp.map(Some).map_err(|error| format!("the {what}: {error}"))
}

/// The id of an event, if one is given: `[server, session, instance]`.
pub(super) fn event_id(fields: &Object, name: &str) -> Result<Option<EventId>, String> {
    let Some(value) = given(fields, name) else { return Ok(None) };
    let parts = value.as_array().filter(|parts| parts.len() == 3);
    let parts: Option<Vec<i64>> = parts.and_then(|parts| parts.iter().map(Value::as_i64).collect());
    match parts.as_deref() {
        Some(&[server, session, instance]) => Ok(Some(EventId::new(server, session, instance))),
        _ => Err(format!("`{name}`: write [server, session, instance] or null")),
    }
}

/// How many are asked for: at least 1, at most `most`; `default` where nothing is said.
pub(super) fn count(
    fields: &Object,
    name: &str,
    default: usize,
    most: usize,
) -> Result<usize, String> {
    let Some(value) = given(fields, name) else { return Ok(default) };
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| format!("`{name}`: write a number from 1 to {most}"))
}

/// Some texts, at most `most`; none where nothing is said.
pub(super) fn texts<'a>(
    fields: &'a Object,
    name: &str,
    most: usize,
) -> Result<Vec<&'a str>, String> {
    let Some(value) = given(fields, name) else { return Ok(Vec::new()) };
    let texts: Option<Vec<&str>> =
        value.as_array().and_then(|texts| texts.iter().map(Value::as_str).collect());
    texts
        .filter(|texts| texts.len() <= most)
        .ok_or_else(|| format!("`{name}`: write a list of at most {most} strings"))
}

/// A member that is there and not null.
pub(super) fn given<'a>(fields: &'a Object, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}
