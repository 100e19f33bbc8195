//! How long events are kept, and which are stored at all, as our configuration says it.

use std::time::Duration;

use hat_core::eventer::{EventType, Subscription, SubscriptionError};
use hat_server::store::disk::{Condition, JsonType, Rule, SourceLimits, Step, Test};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time;

/// A rule of retention: see [`Rule`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSettings {
    pub(crate) types: Vec<QueryType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_entries: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_entries: Option<u64>,
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<Duration>,
    /// Ages are counted from source timestamps, where events have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) age_by_source: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keep_latest: Option<bool>,
    /// Events with a source timestamp are kept within these, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by_source: Option<SourceSettings>,
}

/// Limits by source timestamps: see [`SourceLimits`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_entries: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_entries: Option<u64>,
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_bytes: Option<u64>,
}

/// A condition: see [`Condition`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionSettings {
    pub(crate) types: Vec<QueryType>,
    pub(crate) test: TestSettings,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TestSettings {
    All(Vec<TestSettings>),
    Any(Vec<TestSettings>),
    Json(JsonSettings),
}

/// What is asked of a payload in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonSettings {
    /// Keys and indexes; lists of them are taken for their parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) path: Vec<StepSettings>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(crate) data_type: Option<TypeSettings>,
    /// JSON, as text: TOML has no null.
    #[serde(default, with = "json_text", skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum StepSettings {
    Index(i64),
    Key(String),
    Path(Vec<StepSettings>),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TypeSettings {
    Null,
    Boolean,
    String,
    Number,
    Array,
    Object,
}

/// A query type: `a/?/*`, or a list of segments where one of them has a slash in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "QueryTypeText", into = "QueryTypeText")]
pub(crate) struct QueryType(pub(crate) EventType);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum QueryTypeText {
    Text(String),
    Segments(Vec<String>),
}

impl From<QueryTypeText> for QueryType {
    fn from(written: QueryTypeText) -> Self {
        Self(match written {
            QueryTypeText::Text(text) => text.parse().unwrap_or_else(|never| match never {}),
            QueryTypeText::Segments(segments) => EventType::from_segments(segments),
        })
    }
}

impl From<QueryType> for QueryTypeText {
    fn from(QueryType(query_type): QueryType) -> Self {
        let text = query_type.to_string();
        let read: EventType = text.parse().unwrap_or_else(|never| match never {});
        match read == query_type {
            true => Self::Text(text),
            false => Self::Segments(query_type.segments().map(ToString::to_string).collect()),
        }
    }
}

mod json_text {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Value>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&value.to_string()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Value>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let wrong = |error| {
            de::Error::custom(format!("a value must be a string of JSON, such as '1.5': {error}"))
        };
        text.map(|text| serde_json::from_str(&text).map_err(wrong)).transpose()
    }
}

/// The types of a rule or a condition.
pub(crate) fn subscription(types: &[QueryType]) -> Result<Subscription, SubscriptionError> {
    Subscription::new(types.iter().map(|QueryType(query_type)| query_type))
}

/// Why a rule or a condition says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuleError {
    #[error(transparent)]
    Types(#[from] SubscriptionError),
    #[error("age_by_source and by_source exclude each other: remove age_by_source")]
    TwoOrders,
}

impl RuleSettings {
    pub(crate) fn rule(&self) -> Result<Rule, RuleError> {
        if self.by_source.is_some() && self.age_by_source == Some(true) {
            return Err(RuleError::TwoOrders);
        }
        Ok(Rule {
            types: subscription(&self.types)?,
            max_entries: self.max_entries,
            min_entries: self.min_entries.unwrap_or(0),
            max_age: self.max_age,
            age_by_source: self.age_by_source.unwrap_or(false),
            max_bytes: self.max_bytes,
            by_source: self.by_source.as_ref().map(SourceSettings::limits),
            keep_latest: self.keep_latest.unwrap_or(true),
        })
    }
}

impl SourceSettings {
    fn limits(&self) -> SourceLimits {
        SourceLimits {
            max_entries: self.max_entries,
            min_entries: self.min_entries.unwrap_or(0),
            max_age: self.max_age,
            max_bytes: self.max_bytes,
        }
    }
}

impl ConditionSettings {
    pub(crate) fn condition(&self) -> Result<Condition, RuleError> {
        Ok(Condition { types: subscription(&self.types)?, test: self.test.test() })
    }
}

impl TestSettings {
    fn test(&self) -> Test {
        let tests = |tests: &[Self]| tests.iter().map(Self::test).collect();
        match self {
            Self::All(all) => Test::All(tests(all)),
            Self::Any(any) => Test::Any(tests(any)),
            Self::Json(JsonSettings { path, data_type, value }) => Test::Json {
                path: path.iter().map(StepSettings::step).collect(),
                data_type: data_type.map(TypeSettings::json_type),
                value: value.clone(),
            },
        }
    }
}

impl StepSettings {
    fn step(&self) -> Step {
        match self {
            Self::Index(index) => Step::Index(*index),
            Self::Key(key) => Step::Key(key.clone()),
            Self::Path(path) => Step::Path(path.iter().map(Self::step).collect()),
        }
    }
}

impl TypeSettings {
    fn json_type(self) -> JsonType {
        match self {
            Self::Null => JsonType::Null,
            Self::Boolean => JsonType::Boolean,
            Self::String => JsonType::String,
            Self::Number => JsonType::Number,
            Self::Array => JsonType::Array,
            Self::Object => JsonType::Object,
        }
    }
}
