//! JSON payloads: the text that Python's `json` writes and the objects that it reads, for what most
//! events carry, without a call of it. `None` means that the value has something rare in it, and
//! that Python must be asked.

use std::cell::RefCell;
use std::fmt::Write as _;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::float;

/// Levels that are handled here.
const MAX_DEPTH: u32 = 32;
/// Places for names of members that are kept as Python strings, by thread.
const KEY_PLACES: usize = 512;
/// The longest of them, in bytes.
const MAX_KEY: usize = 64;

thread_local! {
    /// A name has one place: of two with the same place, the last one is kept.
    static KEYS: RefCell<Vec<KeptKey>> = RefCell::new((0..KEY_PLACES).map(|_| None).collect());
}

type KeptKey = Option<(Box<str>, Py<PyString>)>;

/// The place of a name. Who sends names that share one makes us create strings, as without any.
fn place_of(name: &str) -> usize {
    let hash = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let hash = name.as_bytes().iter().fold(0x811c_9dc5, hash);
    (hash ^ hash >> 16) as usize % KEY_PLACES
}

/// The text of `value` as `json.dumps(value, allow_nan=False)` writes it; None where that must be
/// asked.
#[pyfunction]
pub(crate) fn json_encode(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let mut out = String::new();
    Ok(write(value, &mut out, MAX_DEPTH)?.then_some(out))
}

/// The value of `text` as `json.loads(text)` reads it; None, also the value None, where that must
/// be asked.
#[pyfunction]
pub(crate) fn json_decode<'py>(py: Python<'py>, text: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    read(py, text)
}

/// Appends `value`; false where something rare is in it.
pub(crate) fn write(value: &Bound<'_, PyAny>, out: &mut String, depth: u32) -> PyResult<bool> {
    if value.is_none() {
        out.push_str("null");
    } else if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok(write_text(text, out));
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        out.push_str(if truth.is_true() { "true" } else { "false" });
    } else if value.is_exact_instance_of::<PyInt>() {
        let Ok(number) = value.extract::<i64>() else { return Ok(false) };
        let _ = write!(out, "{number}");
    } else if let Ok(number) = value.cast_exact::<PyFloat>() {
        if !number.value().is_finite() {
            return Ok(false);
        }
        if !float::write(number.value(), out) {
            out.push_str(&value.repr()?.to_cow()?);
        }
    } else if depth == 0 {
        return Ok(false);
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        out.push('[');
        for (index, element) in list.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            if !write(&element, out, depth - 1)? {
                return Ok(false);
            }
        }
        out.push(']');
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        out.push('{');
        for (index, (key, element)) in dict.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            let Ok(key) = key.cast_exact::<PyString>() else { return Ok(false) };
            if !write_text(key, out) {
                return Ok(false);
            }
            out.push_str(": ");
            if !write(&element, out, depth - 1)? {
                return Ok(false);
            }
        }
        out.push('}');
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Text without anything that is escaped.
fn write_text(text: &Bound<'_, PyString>, out: &mut String) -> bool {
    let Ok(text) = text.to_cow() else { return false };
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        return false;
    }
    out.push('"');
    out.push_str(&text);
    out.push('"');
    true
}

pub(crate) fn read<'py>(py: Python<'py>, text: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut reader = Reader { py, text: text.as_bytes(), source: text, at: 0 };
    reader.space();
    let Some(value) = reader.value(MAX_DEPTH)? else { return Ok(None) };
    reader.space();
    Ok((reader.at == text.len()).then_some(value))
}

struct Reader<'py, 'a> {
    py: Python<'py>,
    text: &'a [u8],
    source: &'a str,
    at: usize,
}

impl<'py> Reader<'py, '_> {
    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, word: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self, depth: u32) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = self.py;
        Ok(match self.text.get(self.at) {
            Some(b'"') => self.string()?.map(Bound::into_any),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') if self.takes(b"true") => Some(PyBool::new(py, true).to_owned().into_any()),
            Some(b'f') if self.takes(b"false") => {
                Some(PyBool::new(py, false).to_owned().into_any())
            }
            Some(b'n') if self.takes(b"null") => Some(py.None().into_bound(py)),
            Some(b'[') if depth > 0 => self.list(depth - 1)?,
            Some(b'{') if depth > 0 => self.dict(depth - 1)?,
            _ => None,
        })
    }

    fn string(&mut self) -> PyResult<Option<Bound<'py, PyString>>> {
        let start = self.at + 1;
        let rest = &self.text[start..];
        let Some(len) = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)
        else {
            return Ok(None);
        };
        if rest[len] != b'"' {
            return Ok(None);
        }
        self.at = start + len + 1;
        Ok(Some(PyString::new(self.py, &self.source[start..start + len])))
    }

    /// The name of a member: the same object, whose hash is known, for most of one name.
    fn key(&mut self) -> PyResult<Option<Bound<'py, PyString>>> {
        let start = self.at + 1;
        let end = self.text[start..].iter().take(MAX_KEY).position(|&byte| byte == b'"');
        let Some(len) = end else { return self.string() };
        let name = &self.source[start..start + len];
        KEYS.with_borrow_mut(|keys| {
            let place = &mut keys[place_of(name)];
            if let Some((known, key)) = place
                && **known == *name
            {
                self.at = start + len + 1;
                return Ok(Some(key.bind(self.py).clone()));
            }
            let key = self.string()?;
            if let Some(key) = key.as_ref().filter(|_| self.at == start + len + 1) {
                *place = Some((name.into(), key.clone().unbind()));
            }
            Ok(key)
        })
    }

    fn number(&mut self) -> PyResult<Option<Bound<'py, PyAny>>> {
        let start = self.at;
        self.takes(b"-");
        let digits = self.digits();
        let leading_zero = digits > 1 && self.text[self.at - digits] == b'0';
        if digits == 0 || leading_zero {
            return Ok(None);
        }
        let mut is_float = false;
        if self.takes(b".") {
            is_float = true;
            if self.digits() == 0 {
                return Ok(None);
            }
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            is_float = true;
            self.at += 1;
            if matches!(self.text.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Ok(None);
            }
        }
        let text = &self.source[start..self.at];
        Ok(if is_float {
            text.parse::<f64>().ok().map(|number| PyFloat::new(self.py, number).into_any())
        } else {
            match text.parse::<i64>() {
                Ok(number) => Some(number.into_pyobject(self.py)?.into_any()),
                Err(_) => None,
            }
        })
    }

    fn digits(&mut self) -> usize {
        let count = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn list(&mut self, depth: u32) -> PyResult<Option<Bound<'py, PyAny>>> {
        let list = PyList::empty(self.py);
        self.at += 1;
        self.space();
        if self.takes(b"]") {
            return Ok(Some(list.into_any()));
        }
        loop {
            let Some(element) = self.value(depth)? else { return Ok(None) };
            list.append(element)?;
            self.space();
            if self.takes(b"]") {
                return Ok(Some(list.into_any()));
            }
            if !self.takes(b",") {
                return Ok(None);
            }
            self.space();
        }
    }

    fn dict(&mut self, depth: u32) -> PyResult<Option<Bound<'py, PyAny>>> {
        let dict = PyDict::new(self.py);
        self.at += 1;
        self.space();
        if self.takes(b"}") {
            return Ok(Some(dict.into_any()));
        }
        loop {
            if self.text.get(self.at) != Some(&b'"') {
                return Ok(None);
            }
            let Some(key) = self.key()? else { return Ok(None) };
            self.space();
            if !self.takes(b":") {
                return Ok(None);
            }
            self.space();
            let Some(element) = self.value(depth)? else { return Ok(None) };
            dict.set_item(key, element)?;
            self.space();
            if self.takes(b"}") {
                return Ok(Some(dict.into_any()));
            }
            if !self.takes(b",") {
                return Ok(None);
            }
            self.space();
        }
    }
}
