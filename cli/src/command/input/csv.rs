//! Lines of CSV (RFC 4180) as events.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use csv::StringRecord;
use hat_core::eventer::{EventType, Json, Payload, RegisterEvent, Timestamp};
use hat_server::json;

use crate::args::time;
use crate::output::csv::COLUMNS;

/// What the columns are.
pub(crate) struct Columns {
    names: Vec<String>,
    delimiter: u8,
    /// There is a column for the whole payload; otherwise it is an object of the columns that have
    /// no other meaning.
    whole: bool,
}

/// Whether a quote is open at the end of the lines so far: a line goes on behind it.
pub(super) fn is_open(line: &[u8]) -> bool {
    !line.iter().filter(|byte| **byte == b'"').count().is_multiple_of(2)
}

impl Columns {
    /// From the first line.
    pub(super) fn new(line: &str, has_type: bool) -> Result<Self, String> {
        // spreadsheets write a mark of the byte order
        let line = line.trim_start_matches('\u{feff}');
        // where the comma is the decimal sign, they write semicolons
        let delimiter = if !line.contains(',') && line.contains(';') { b';' } else { b',' };
        let names: Vec<String> =
            fields(line, delimiter)?.iter().map(|name| name.trim().to_owned()).collect();
        let has = |name: &str| names.iter().any(|other| other == name);
        if !has("type") && !has_type {
            return Err("the first line of CSV must name the columns, among them type unless a TYPE is given".into());
        }
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name))
        {
            return Err(format!("two columns have the name `{}`", twice.1));
        }
        let whole = has("payload");
        if whole && let Some(name) = names.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
            return Err(format!(
                "a column `{name}` cannot stand beside payload: write {}",
                COLUMNS.join(", ")
            ));
        }
        Ok(Self { names, delimiter, whole })
    }

    /// The event of a line.
    pub(super) fn event(
        &self,
        line: &str,
        event_type: Option<&EventType>,
    ) -> Result<RegisterEvent, String> {
        let record = fields(line, self.delimiter)?;
        if record.len() != self.names.len() {
            let (has, needs) = (record.len(), self.names.len());
            return Err(format!("it has {has} fields, but the first line has {needs}"));
        }
        let field = |name: &str| {
            let at = self.names.iter().position(|other| other == name);
            at.and_then(|at| record.get(at)).filter(|field| !field.is_empty())
        };
        let event_type = match (field("type"), event_type) {
            (Some(text), _) => json::event_type(text).map_err(|error| format!("type: {error}"))?,
            (None, Some(event_type)) => event_type.clone(),
            (None, None) => return Err("type: an event type needs a segment: write a/b".into()),
        };
        let source_timestamp = field("source_timestamp").map(source_time).transpose()?;
        let payload = match self.whole {
            true => whole(field("payload_kind"), field("payload_type"), field("payload"))?,
            false => self.members(&record)?,
        };
        Ok(RegisterEvent { event_type, source_timestamp, payload })
    }

    /// An object of the columns that mean nothing else. What is not there is left out.
    fn members(&self, record: &StringRecord) -> Result<Option<Payload>, String> {
        let named = self.names.iter().zip(record);
        let own =
            named.filter(|(name, text)| !COLUMNS.contains(&name.as_str()) && !text.is_empty());
        let members: Vec<_> = own
            .map(|(name, text)| format!("{}:{}", serde_json::Value::from(&**name), scalar(text)))
            .collect();
        if members.is_empty() {
            return Ok(None);
        }
        let json = Json::from_text(format!("{{{}}}", members.join(",")));
        json.map(|json| Some(json.into())).map_err(|error| error.to_string())
    }
}

fn source_time(text: &str) -> Result<Timestamp, String> {
    time::time(text).map_err(|error| format!("source_timestamp: {error}"))
}

fn whole(
    kind: Option<&str>,
    name: Option<&str>,
    data: Option<&str>,
) -> Result<Option<Payload>, String> {
    match (kind, data) {
        (None, None) => Ok(None),
        (None | Some("json"), Some(text)) => {
            let json = Json::from_text(text).map_err(|error| format!("payload: {error}"))?;
            Ok(Some(json.into()))
        }
        (Some("binary"), data) => {
            let data = BASE64_STANDARD.decode(data.unwrap_or_default());
            let data = data.map_err(|error| format!("payload: this is not base64: {error}"))?;
            Ok(Some(Payload::binary(name.unwrap_or_default(), data)))
        }
        (Some("json"), None) => Err("payload: it is empty, although its kind is json".into()),
        (Some(kind), _) => {
            Err(format!("payload_kind: unknown kind `{kind}`: write json or binary"))
        }
    }
}

/// A number, true, false or null as it is written; anything else is a text.
fn scalar(text: &str) -> String {
    let is_scalar = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value.is_number() || value.is_boolean() || value.is_null(),
        Err(_) => false,
    };
    if is_scalar { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// The fields of a record.
fn fields(line: &str, delimiter: u8) -> Result<StringRecord, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .from_reader(line.as_bytes());
    let mut record = StringRecord::new();
    reader.read_record(&mut record).map_err(|error| error.to_string())?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn payload(first: &str, line: &str) -> String {
        let columns = Columns::new(first, true).expect(first);
        let event_type = "t".parse().expect("any text is a type");
        let event = columns.event(line, Some(&event_type)).expect(line);
        match event.payload {
            Some(Payload::Json(json)) => format!("{} {}", event.event_type, json.text()),
            other => format!("{} {other:?}", event.event_type),
        }
    }

    #[test]
    fn lines_of_a_spreadsheet() {
        assert_eq!(
            payload("\u{feff}celsius,name", "1.50,\"a, \"\"b\"\"\""),
            r#"t {"celsius":1.50,"name":"a, \"b\""}"#
        );
        assert_eq!(payload("celsius;on", "1,5;true"), r#"t {"celsius":"1,5","on":true}"#);
        assert_eq!(payload("type,x", "a/b,"), "a/b None");
        assert_eq!(payload("type,payload", "a/b,\"{\"\"x\"\": 1}\""), r#"a/b {"x": 1}"#);
        assert_eq!(
            payload("payload_kind,payload_type,payload", "binary,n,AP8="),
            payload("payload_kind,payload_type,payload", "binary,n,AP8=")
        );
    }

    #[test]
    fn what_is_wrong_with_lines() {
        let refused = |first: &str| Columns::new(first, false).err().expect("wrong");
        assert!(refused("x,y").contains("among them type"));
        assert!(refused("type,x,x").contains("two columns have the name `x`"));
        assert!(refused("type,payload,x").contains("a column `x` cannot stand beside payload"));
        let columns =
            Columns::new("type,source_timestamp,payload_kind,payload", false).expect("columns");
        for (line, part) in [
            ("a", "it has 1 fields, but the first line has 4"),
            (",,,", "needs a segment"),
            ("a/?,,,", "are not allowed in a segment"),
            ("a,soon,,", "source_timestamp: `soon` is not a time"),
            ("a,,xml,1", "unknown kind `xml`"),
            ("a,,binary,?", "this is not base64"),
            ("a,,,{", "payload: "),
        ] {
            let error = columns.event(line, None).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
