//! What is stored at all: conditions on payloads.

use hat_core::eventer::{Event, Payload, Subscription};
use serde_json::Value;

/// Events of these types are stored only where the test holds. They are answered and told all the
/// same.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The types that it is for.
    pub types: Subscription,
    /// What must hold.
    pub test: Test,
}

/// What is asked of a payload, as in the deployed server's `conditions`.
#[derive(Clone, Debug)]
pub enum Test {
    /// Each of them holds.
    All(Vec<Test>),
    /// One of them holds.
    Any(Vec<Test>),
    /// The payload is JSON, and what is at `path` in it, null where there is nothing, is of the
    /// type and has the value.
    Json {
        /// Where to look.
        path: Vec<Step>,
        /// The type, where it matters.
        data_type: Option<JsonType>,
        /// The value, where it matters. Numbers are equal where their values are.
        value: Option<Value>,
    },
}

/// One step into a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into an array; negative ones count from its end.
    Index(i64),
    /// Some more.
    Path(Vec<Step>),
}

/// A type of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum JsonType {
    Null,
    Boolean,
    String,
    Number,
    Array,
    Object,
}

/// Whether every condition that is for this event's type holds.
pub(super) fn all_hold(conditions: &[Condition], event: &Event) -> bool {
    let concerned = |condition: &&Condition| condition.types.matches(&event.event_type);
    let mut concerned = conditions.iter().filter(concerned).peekable();
    if concerned.peek().is_none() {
        return true;
    }
    let value = match &event.payload {
        Some(Payload::Json(json)) => json.parse::<Value>().ok(),
        _ => None,
    };
    concerned.all(|condition| condition.test.holds(value.as_ref()))
}

impl Test {
    fn holds(&self, payload: Option<&Value>) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.holds(payload)),
            Self::Any(tests) => tests.iter().any(|test| test.holds(payload)),
            Self::Json { path, data_type, value } => {
                let Some(payload) = payload else { return false };
                let found = walk(payload, path).unwrap_or(&Value::Null);
                data_type.is_none_or(|data_type| data_type == type_of(found))
                    && value.as_ref().is_none_or(|value| equal(value, found))
            }
        }
    }
}

fn walk<'a>(mut value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    for step in path {
        value = match step {
            Step::Key(key) => value.as_object()?.get(key)?,
            Step::Index(index) => {
                let array = value.as_array()?;
                let from_end = usize::try_from(index.unsigned_abs()).ok()?;
                match *index < 0 {
                    true => array.get(array.len().checked_sub(from_end)?)?,
                    false => array.get(from_end)?,
                }
            }
            Step::Path(path) => walk(value, path)?,
        };
    }
    Some(value)
}

fn type_of(value: &Value) -> JsonType {
    match value {
        Value::Null => JsonType::Null,
        Value::Bool(_) => JsonType::Boolean,
        Value::String(_) => JsonType::String,
        Value::Number(_) => JsonType::Number,
        Value::Array(_) => JsonType::Array,
        Value::Object(_) => JsonType::Object,
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.as_f64() == other.as_f64() && (one.is_f64() || other.is_f64()))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, a)| other.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}
