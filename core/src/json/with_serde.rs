//! Values for serde, with the feature `serde`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Array, Number, Object, Value, lossy_text};

/// Halves of surrogate pairs that stand alone become U+FFFD, which serde's texts can hold.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(&lossy_text(text)),
            Self::Array(array) => array.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.as_u64(), self.as_i64()) {
            (Some(natural), _) => serializer.serialize_u64(natural),
            (None, Some(integer)) => serializer.serialize_i64(integer),
            (None, None) => serializer.serialize_f64(self.as_f64()),
        }
    }
}

impl Serialize for Array {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, value)| (lossy_text(name), value)))
    }
}

/// Without [`Limits`](super::Limits): what bounds depth and size is the deserializer.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // which knows the forms that its numbers have by its features
        serde_json::Value::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Limits;

    #[test]
    fn both_ways() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,0.5,"\u00e9"],"b":{}}"#;
        let value = Value::parse(text, &Limits::default()).expect("JSON");
        let written = serde_json::to_string(&value).expect("JSON");
        assert_eq!(written, text.replace("\\u00e9", "\u{e9}"));
        assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), value);
    }

    #[test]
    fn halves_of_pairs_are_replaced() {
        let value = Value::parse(r#"["\ud83d"]"#, &Limits::default()).expect("JSON");
        assert_eq!(serde_json::to_string(&value).expect("JSON"), "[\"\u{fffd}\"]");
    }
}
