//! What an event carries.

use alloc::string::ToString;

use bytes::Bytes;
use bytestring::ByteString;

use crate::sbs;

mod check;

pub use check::JsonError;

sbs::choice! {
    /// The data of an event, by `HatEventer.EventPayload`. Decoded data is a slice of its frame;
    /// see [`Payload::detached`].
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub enum Payload {
        /// Bytes, and a name for what is in them.
        Binary(Binary),
        /// A JSON value.
        Json(Json),
    }
}

sbs::record! {
    /// Bytes with a name for what is in them, by `HatEventer.EventPayloadBinary`.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Binary {
        /// What `data` is, in words that both applications know. The schema calls it `type`.
        pub data_type: ByteString,
        /// Any bytes.
        pub data: Bytes,
    }
}

sbs::record! {
    /// A JSON value as its text, by `HatEventer.EventPayloadJson`.
    ///
    /// The text is kept as it was received and parsed on demand: most events are stored or passed
    /// on, and a text that another program wrote should leave as it came. So a `Json` that was
    /// received can hold what is not JSON: [`parse`](Self::parse) says so. Python's encoder, for
    /// one, writes `NaN` and lone surrogates.
    ///
    /// Two of them are equal when their texts are. To compare meanings, compare what
    /// [`parse`](Self::parse) returns.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Json {
        text: ByteString,
    }
}

impl Payload {
    /// A JSON payload of `value`.
    #[must_use]
    pub fn json(value: &serde_json::Value) -> Self {
        Self::Json(Json::from_value(value))
    }

    /// A binary payload.
    #[must_use]
    pub fn binary(data_type: impl Into<ByteString>, data: impl Into<Bytes>) -> Self {
        Self::Binary(Binary { data_type: data_type.into(), data: data.into() })
    }

    /// A copy with memory of its own. What was decoded keeps the whole frame that it came in alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        match self {
            Self::Binary(Binary { data_type, data }) => Self::Binary(Binary {
                data_type: ByteString::from(&**data_type),
                data: Bytes::copy_from_slice(data),
            }),
            Self::Json(json) => Self::Json(Json { text: ByteString::from(json.text()) }),
        }
    }
}

impl Json {
    /// The text of `value`, without white space.
    #[must_use]
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self { text: value.to_string().into() }
    }

    /// `text` as it stands, once it was found to be JSON that every peer can take.
    ///
    /// # Errors
    ///
    /// [`check`](Self::check) says what is wrong.
    pub fn from_text(text: impl Into<ByteString>) -> Result<Self, JsonError> {
        let json = Self { text: text.into() };
        json.check()?;
        Ok(json)
    }

    /// Whether the text is JSON that every peer can take. Takes one pass, and no memory of note.
    ///
    /// A peer that cannot parse a payload ends its connection: so whoever sends such a text on
    /// disconnects everybody that it is told to. A lone surrogate (`"\ud83d"`) is legal (RFC 8259
    /// section 8.2), and Python takes it.
    ///
    /// # Errors
    ///
    /// [`JsonError`]: the text is no JSON (`NaN` and `Infinity` are none), a number is infinite as
    /// a double, or it is nested too deeply.
    pub fn check(&self) -> Result<(), JsonError> {
        check::check(&self.text)
    }

    /// `text` as it stands, for text that is known to be JSON, or that is to leave as it came.
    #[must_use]
    pub fn from_text_as_is(text: impl Into<ByteString>) -> Self {
        Self { text: text.into() }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value. Integers that fit in neither `i64` nor `u64` become doubles.
    ///
    /// # Errors
    ///
    /// What is wrong with the text and where: it is not JSON, nested deeper than 128 levels, or a
    /// text in it holds half a surrogate pair.
    pub fn parse(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_str(&self.text)
    }
}

impl From<Json> for Payload {
    fn from(json: Json) -> Self {
        Self::Json(json)
    }
}

impl From<Binary> for Payload {
    fn from(binary: Binary) -> Self {
        Self::Binary(binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_bytes_of_both_kinds() {
        let binary = Payload::binary("t", &b"\x00\xff"[..]);
        assert_eq!(sbs::encode(&binary)[..], *b"\x80\x81t\x82\x00\xff");
        let number = Payload::json(&json!(1));
        assert_eq!(sbs::encode(&number)[..], *b"\x81\x811");
    }

    #[test]
    fn a_text_stays_as_it_came() {
        let text = "{\"b\": 1,  \"a\": 1e2}";
        let json = Json::from_text(text).expect("JSON");
        assert_eq!(json.text(), text);
        assert_eq!(json.parse().expect("JSON"), json!({"a": 100.0, "b": 1}));
    }

    #[test]
    fn what_is_not_json_can_arrive_but_not_be_made() {
        assert!(Json::from_text("NaN").is_err());
        let bytes = sbs::encode(&Payload::Json(Json { text: "NaN".into() }));
        match sbs::decode(&bytes) {
            Ok(Payload::Json(json)) => assert!(json.parse().is_err()),
            other => panic!("decoded as {other:?}"),
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        // Miri is slow
        let deep = "[".repeat(if cfg!(miri) { 1000 } else { 100_000 });
        assert!(Json::from_text(deep).is_err());
    }

    #[test]
    fn detaching_copies() {
        let bytes = sbs::encode(&Payload::binary("t", vec_of(100)));
        let payload: Payload = sbs::decode(&bytes).expect("valid");
        let kept = payload.detached();
        assert_eq!(kept, payload);
        let (Payload::Binary(kept), Payload::Binary(payload)) = (kept, payload) else {
            panic!("both are binary")
        };
        assert_ne!(kept.data.as_ptr(), payload.data.as_ptr());
    }

    fn vec_of(len: usize) -> alloc::vec::Vec<u8> {
        alloc::vec![7; len]
    }
}
