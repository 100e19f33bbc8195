//! Payloads: what an event carries.

use alloc::string::{String, ToString};
use core::fmt;
use core::hash::{Hash, Hasher};

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sbs::{self, Decode, DecodeError, Encode, Reader, Writer};

mod check;
mod sound;

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

/// A JSON value as its text, by `HatEventer.EventPayloadJson`.
///
/// The text is kept as it was received and parsed on demand: most events are stored or passed on,
/// and a text that another program wrote should leave as it came. So a `Json` that was received can
/// hold what is not JSON: [`parse`](Self::parse) says so. Python's encoder, for one, writes `NaN`
/// and lone surrogates.
///
/// Two of them are equal when their texts are. To compare meanings, compare what
/// [`parse`](Self::parse) returns.
#[derive(Clone)]
pub struct Json {
    text: ByteString,
    /// The text was found to be JSON when this was made. Not so where nobody has looked yet.
    checked: bool,
}

impl Payload {
    /// A JSON payload of `value`. Doubles that are infinite or not a number become `null`, for JSON
    /// has no form for them.
    ///
    /// ```
    /// use hat_core::eventer::Payload;
    ///
    /// let payload = Payload::json(&[1, 2])?;
    /// assert_eq!(payload.parse::<Vec<i32>>()?, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`JsonError`]: the value has no form in JSON, or not one that every peer can take.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        let text = serde_json::to_string(value);
        let text = text.map_err(|error| JsonError::Value(error.to_string()))?;
        Ok(Self::Json(Json::from_text(text)?))
    }

    /// The value of a JSON payload, as any type that can be read from JSON. Texts within may be
    /// slices of the payload.
    ///
    /// # Errors
    ///
    /// [`ParseError`]: the payload is binary, or not JSON of that form.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ParseError> {
        match self {
            Self::Json(json) => json.parse(),
            Self::Binary(binary) => Err(ParseError::Binary { data_type: binary.data_type.clone() }),
        }
    }

    /// The JSON, where it is that.
    #[must_use]
    pub fn as_json(&self) -> Option<&Json> {
        match self {
            Self::Json(json) => Some(json),
            Self::Binary(_) => None,
        }
    }

    /// The bytes and their name, where it is that.
    #[must_use]
    pub fn as_binary(&self) -> Option<&Binary> {
        match self {
            Self::Binary(binary) => Some(binary),
            Self::Json(_) => None,
        }
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
            Self::Json(json) => {
                Self::Json(Json { text: ByteString::from(json.text()), checked: json.checked })
            }
        }
    }
}

impl Json {
    /// The text of `value`, without white space.
    #[must_use]
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self::from_text_as_is(value.to_string())
    }

    /// `text` as it stands, once it was found to be JSON that every peer can take.
    ///
    /// # Errors
    ///
    /// [`check`](Self::check) says what is wrong.
    pub fn from_text(text: impl Into<ByteString>) -> Result<Self, JsonError> {
        let text = text.into();
        check::check(&text)?;
        Ok(Self { text, checked: true })
    }

    /// Whether the text is JSON that every peer can take. Takes one pass, and no memory of note;
    /// of one that [`from_text`](Self::from_text) made, it is known.
    ///
    /// A peer that cannot parse a payload ends its connection: so whoever sends such a text on
    /// disconnects everybody that it is told to. A lone surrogate (`"\ud83d"`) is legal (RFC 8259
    /// section 8.2), and Python takes it.
    ///
    /// # Errors
    ///
    /// [`JsonError`]: the text is not JSON (`NaN` and `Infinity` are none), a number is infinite as
    /// a double, or it is nested too deeply.
    pub fn check(&self) -> Result<(), JsonError> {
        if self.checked { Ok(()) } else { check::check(&self.text) }
    }

    /// `text` as it stands, for text that is known to be JSON, or that is to leave as it came.
    #[must_use]
    pub fn from_text_as_is(text: impl Into<ByteString>) -> Self {
        Self { text: text.into(), checked: false }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value, as any type that can be read from JSON. Texts within may be slices of this one.
    ///
    /// As `serde_json::Value`, integers that fit in neither `i64` nor `u64` become doubles.
    ///
    /// # Errors
    ///
    /// [`ParseError::Json`]: the text is not JSON, not of that form, nested deeper than 128 levels,
    /// or a text in it holds half a surrogate pair.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ParseError> {
        serde_json::from_str(&self.text).map_err(|error| ParseError::Json(error.to_string()))
    }

    /// The part of the value that a JSON Pointer (RFC 6901) leads to; `None` where there is none.
    /// Each call reads the whole text: for more than one part, [`parse`](Self::parse) a type that
    /// has them.
    ///
    /// ```
    /// use hat_core::eventer::Json;
    ///
    /// let json = Json::from_text(r#"{"boiler": {"celsius": 81.5}}"#)?;
    /// assert_eq!(json.get::<f64>("/boiler/celsius")?, Some(81.5));
    /// assert_eq!(json.get::<f64>("/turbine")?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ParseError::Json`]: the text is not JSON, or the part not of that form.
    pub fn get<T: DeserializeOwned>(&self, pointer: &str) -> Result<Option<T>, ParseError> {
        let mut value: serde_json::Value = self.parse()?;
        let part = value.pointer_mut(pointer).map(serde_json::Value::take);
        let part = part.map(serde_json::from_value).transpose();
        part.map_err(|error| ParseError::Json(error.to_string()))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json").field("text", &self.text).finish()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Json {}

impl Hash for Json {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Encode for Json {
    #[inline]
    fn encoded_len(&self) -> usize {
        self.text.encoded_len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        self.text.encode(out);
    }
}

impl Decode for Json {
    const MIN_LEN: usize = ByteString::MIN_LEN;

    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_text_as_is(ByteString::decode(reader)?))
    }
}

/// Why a payload is not a value of the type asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is binary.
    #[error("the payload is binary, of type {data_type:?}, not JSON")]
    Binary {
        /// What its data is.
        data_type: ByteString,
    },
    /// It is not JSON, or JSON of another form: what is wrong, and where.
    #[error("the payload does not have the expected form: {0}")]
    Json(String),
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
        let number = Payload::json(&1).expect("JSON");
        assert_eq!(sbs::encode(&number)[..], *b"\x81\x811");
    }

    #[test]
    fn a_text_stays_as_it_came() {
        let text = "{\"b\": 1,  \"a\": 1e2}";
        let json = Json::from_text(text).expect("JSON");
        assert_eq!(json.text(), text);
        assert_eq!(json.parse(), Ok(json!({"a": 100.0, "b": 1})));
    }

    #[test]
    fn what_is_not_json_can_arrive_but_not_be_made() {
        assert!(Json::from_text("NaN").is_err());
        let bytes = sbs::encode(&Payload::Json(Json::from_text_as_is("NaN")));
        match sbs::decode(&bytes) {
            Ok(Payload::Json(json)) => assert!(json.parse::<serde_json::Value>().is_err()),
            other => panic!("decoded as {other:?}"),
        }
    }

    /// What came over the wire is looked at whenever it is to be sent on.
    #[test]
    fn what_was_checked_is_known_and_nothing_else() {
        let sound = Json::from_text("1").expect("JSON");
        assert!(sound.checked);
        let received: Payload = sbs::decode(&sbs::encode(&Payload::from(sound))).expect("valid");
        assert!(received.as_json().is_some_and(|json| !json.checked && json.check().is_ok()));
        assert!(Json::from_text_as_is("NaN").check().is_err());
        assert_eq!(received.as_json(), Some(&Json::from_text("1").expect("JSON")));
    }

    #[test]
    fn types_of_the_program() {
        #[derive(Debug, PartialEq)]
        struct Celsius(f64);
        impl<'a> Deserialize<'a> for Celsius {
            fn deserialize<D: serde::Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
                f64::deserialize(from).map(Celsius)
            }
        }
        let payload = Payload::json(&81.5).expect("JSON");
        assert_eq!(payload.parse(), Ok(Celsius(81.5)));
        assert_eq!(Payload::json("a").expect("JSON").parse(), Ok("a"));
        let wrong = payload.parse::<bool>().expect_err("a number");
        assert!(wrong.to_string().contains("expected a boolean"), "{wrong}");
        let binary = Payload::binary("image", &b"x"[..]).parse::<bool>();
        assert_eq!(binary, Err(ParseError::Binary { data_type: "image".into() }));

        let keys: alloc::collections::BTreeMap<_, _> = [((1, 2), 3)].into();
        assert!(matches!(Payload::json(&keys), Err(JsonError::Value(_))));
        let mut deep = json!(0);
        for _ in 0..129 {
            deep = json!([deep]);
        }
        assert_eq!(Payload::json(&deep), Err(JsonError::TooDeep));
    }

    #[test]
    fn parts_by_pointer() {
        let json = Json::from_text(r#"{"a/b": [{"c": "d"}, null]}"#).expect("JSON");
        assert_eq!(json.get("/a~1b/0/c"), Ok(Some(String::from("d"))));
        assert_eq!(json.get("/a~1b/1"), Ok(Some(())));
        assert_eq!(json.get::<bool>("/a~1b/2"), Ok(None));
        assert!(json.get::<bool>("/a~1b/0/c").is_err());
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
