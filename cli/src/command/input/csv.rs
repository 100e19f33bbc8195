//! Lines of CSV (RFC 4180) as events.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use csv::StringRecord;
use hat_core::eventer::{EventType, Json, Payload, RegisterEvent, Timestamp};
use hat_server::json;

use crate::args::time;
use crate::output::csv::{COLUMNS, is_segments};

/// What the columns are.
pub(crate) struct Columns {
    names: Vec<String>,
    delimiter: u8,
    /// There is a column for the whole payload; otherwise it is an object of the columns that have
    /// no other meaning.
    whole: bool,
}

/// Where quotes are open in the lines of a record, as the parser reads them: a quote opens a field
/// only where the field begins, and is a character like any other behind that.
pub(super) struct Quotes {
    /// Not known before the first line is whole.
    delimiter: Option<u8>,
    comma: Place,
    semicolon: Place,
    has_comma: bool,
    has_semicolon: bool,
}

/// Where in a record.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    FieldStart,
    Field,
    Quoted,
    /// Behind a quote in a quoted field: the end of it, or the first of two.
    Quote,
}

impl Place {
    fn after(self, byte: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::FieldStart | Self::Quote, b'"') => Self::Quoted,
            (Self::Quoted, b'"') => Self::Quote,
            (Self::Quoted, _) => Self::Quoted,
            (_, b'\r' | b'\n') => Self::FieldStart,
            (_, byte) if byte == delimiter => Self::FieldStart,
            _ => Self::Field,
        }
    }
}

impl Quotes {
    /// At the start of a record; without columns, of the first.
    pub(super) fn new(columns: Option<&Columns>) -> Self {
        Self {
            delimiter: columns.map(|columns| columns.delimiter),
            comma: Place::FieldStart,
            semicolon: Place::FieldStart,
            has_comma: false,
            has_semicolon: false,
        }
    }

    /// Whether one is open at the end of `line`, the next of the record: it goes on behind it.
    pub(super) fn are_open_after(&mut self, line: &[u8]) -> bool {
        for byte in line {
            self.comma = self.comma.after(*byte, b',');
            self.semicolon = self.semicolon.after(*byte, b';');
            self.has_comma |= *byte == b',';
            self.has_semicolon |= *byte == b';';
        }
        let delimiter = self.delimiter.unwrap_or(delimiter(self.has_comma, self.has_semicolon));
        (if delimiter == b';' { self.semicolon } else { self.comma }) == Place::Quoted
    }
}

/// What stands between the names in the first line: where the comma is the decimal sign,
/// spreadsheets write semicolons.
fn delimiter(has_comma: bool, has_semicolon: bool) -> u8 {
    if !has_comma && has_semicolon { b';' } else { b',' }
}

impl Columns {
    /// From the first line.
    pub(super) fn new(line: &str, has_type: bool) -> Result<Self, String> {
        // spreadsheets write a mark of the byte order
        let line = line.trim_start_matches('\u{feff}');
        let delimiter = delimiter(line.contains(','), line.contains(';'));
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
            (Some(text), _) => event_type_of(text).map_err(|error| format!("type: {error}"))?,
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

/// The type in a cell: `a/b`, or segments as JSON, as they are printed where a text does not say
/// them.
fn event_type_of(text: &str) -> Result<EventType, String> {
    if !is_segments(text) {
        return json::event_type(text);
    }
    let segments = serde_json::from_str::<Vec<String>>(text);
    let segments = segments.map_err(|_| format!("`{text}`: write a/b or [\"a\", \"b\"]"))?;
    Ok(EventType::from_segments(segments))
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

/// The fields of the record that the line is.
fn fields(line: &str, delimiter: u8) -> Result<StringRecord, String> {
    is_one_record(line, delimiter)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .from_reader(line.as_bytes());
    let mut record = StringRecord::new();
    reader.read_record(&mut record).map_err(|error| error.to_string())?;
    Ok(record)
}

/// The parser would leave out what follows the record, and read on over a quote that closes a field
/// by mistake, maybe lines after that.
fn is_one_record(line: &str, delimiter: u8) -> Result<(), String> {
    let mut place = Place::FieldStart;
    // of the field there is nothing left but blanks
    let mut is_closed = false;
    for byte in line.bytes() {
        if place != Place::Quoted {
            if matches!(byte, b'\r' | b'\n') {
                let what = "a carriage return ends the record within the line: end lines with LF \
                            or CRLF, and put a field that has one into quotes";
                return Err(what.into());
            }
            is_closed |= place == Place::Quote && byte != b'"';
            is_closed &= byte != delimiter;
            if is_closed && !matches!(byte, b' ' | b'\t') {
                let what = "text follows a quote that closes a field: write a quote within a \
                            quoted field as two";
                return Err(what.into());
            }
        }
        place = place.after(byte, delimiter);
    }
    Ok(())
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

    /// As the parser of the fields sees them, also where nobody should write so.
    #[test]
    fn a_quote_is_open_where_a_field_begins_with_it() {
        let open = |columns: Option<&str>, line: &str| {
            let columns = columns.map(|names| Columns::new(names, true).expect(names));
            Quotes::new(columns.as_ref()).are_open_after(line.as_bytes())
        };
        for (line, expected) in [
            ("a,5\" pipe\n", false),
            ("a,\"5 pipe\n", true),
            ("\"", true),
            ("\"\"", false),
            ("\"\"\"", true),
            ("\"a\"\"\",b", false),
            ("\"a\"b\"", false),
            ("a,\"b,\",\"c\n", true),
            ("a;\"b\n", false),
        ] {
            assert_eq!(open(Some("x,y"), line), expected, "{line}");
        }
        assert!(open(Some("x;y"), "a;\"b\n") && !open(Some("x;y"), "a,\"b\n"));
        // the first line says itself what stands between its fields
        assert!(open(None, "a;\"b\n") && !open(None, "a;\"b\",c\n"));
        let mut quotes = Quotes::new(None);
        assert!(quotes.are_open_after(b"\"a;\n") && !quotes.are_open_after(b"b\",\"c\"\n"));
    }

    #[test]
    fn a_line_is_one_record() {
        let columns = Columns::new("type,x", false).expect("columns");
        for line in ["a,1\ra,2", "a,1\r\ra", "a,1\r\"b"] {
            let error = columns.event(line, None).expect_err(line);
            assert!(error.contains("a carriage return ends the record"), "{line:?}: {error}");
        }
        for line in ["a,\"5\" pipe", "a,\"5 pipe\na,\"6 pipe", "a,\"5 pipe\na,6\" pipe"] {
            let error = columns.event(line, None).expect_err(line);
            assert!(error.contains("text follows a quote"), "{line:?}: {error}");
        }
        assert_eq!(payload("x,y", "\"a\" ,2"), r#"t {"x":"a ","y":2}"#);
        assert!(Columns::new("type,x\ra,1", false).is_err_and(|it| it.contains("carriage")));
        assert_eq!(payload("x", "\"1\r2\""), r#"t {"x":"1\r2"}"#);
        assert_eq!(payload("x", "5\" pipe"), r#"t {"x":"5\" pipe"}"#);
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
            (r#""[""a"", 1]",,,"#, r#"write a/b or ["a", "b"]"#),
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
