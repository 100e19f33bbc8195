//! SBS between bytes and Python's objects, without a value of Rust's in between.

use std::collections::HashMap;

use bytes::Bytes;
use hat_core::sbs::{Decode, Encode, Reader, Repository, Writer};
use pyo3::exceptions::{PyException, PyKeyError, PyRecursionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::chatter::bytes;
use crate::error;

/// Levels of nesting, both ways: each takes some hundred bytes of stack.
const MAX_DEPTH: u32 = 256;
/// Bytes of an Integer, at most: what is longer takes time by the square of its length.
const MAX_INTEGER: usize = 4096;

/// The modules of a schema text, as the JSON text of `hat.sbs.Repository.to_json`.
#[pyfunction]
pub(crate) fn parse_schema(text: &str) -> PyResult<String> {
    let repository =
        Repository::parse(text).map_err(|error| PyException::new_err(error.to_string()))?;
    Ok(repository.to_json().to_string())
}

#[derive(Clone, Copy)]
struct Id(usize);

enum Node {
    None,
    Boolean,
    Integer,
    Float,
    String,
    Bytes,
    Array(Id),
    Record(Vec<(Py<PyString>, Id)>),
    Choice(Vec<(Py<PyString>, Id)>),
    /// A reference that leads nowhere: an error where a value gets there.
    Missing(Py<PyAny>),
}

/// A type of a repository, ready for use.
#[pyclass(frozen, module = "hat_native._native")]
pub(crate) struct Plan {
    nodes: Vec<Node>,
    /// The fewest bytes that a value of each takes.
    least: Vec<usize>,
    root: Id,
}

#[pymethods]
impl Plan {
    /// The type `of`, as the classes of `hat.sbs.common` describe it, with `refs` for its
    /// references.
    #[new]
    fn new(refs: &Bound<'_, PyAny>, of: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut builder = Builder { refs, nodes: Vec::new(), known: HashMap::new() };
        let root = builder.node(of, 0)?;
        let nodes: Vec<Node> =
            builder.nodes.into_iter().map(|node| node.unwrap_or(Node::None)).collect();
        let mut least = vec![0; nodes.len()];
        // a type that holds itself takes at least what it takes without
        for _ in 0..4 {
            for index in 0..nodes.len() {
                least[index] = least_of(&nodes[index], &least);
            }
        }
        Ok(Self { nodes, least, root })
    }

    /// The bytes of `value`.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        self.put(py, self.root, value, &mut out, 0)?;
        Ok(PyBytes::new(py, &out))
    }

    /// The value that `data` starts with.
    fn decode<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let data: Bytes = bytes(data)?;
        let mut reader = Reader::with_max_depth(&data, MAX_DEPTH);
        self.take(py, self.root, &mut reader, 0)
    }
}

impl Plan {
    fn put(
        &self,
        py: Python<'_>,
        id: Id,
        value: &Bound<'_, PyAny>,
        out: &mut Vec<u8>,
        depth: u32,
    ) -> PyResult<()> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        match &self.nodes[id.0] {
            Node::None => {}
            Node::Boolean => out.push(u8::from(value.is_truthy()?)),
            Node::Integer => put_integer(value, out)?,
            Node::Float => value.extract::<f64>()?.encode(out),
            Node::String => {
                let text = value.cast::<PyString>()?.to_cow()?;
                text[..].encode(out);
            }
            Node::Bytes => match value.cast::<PyBytes>() {
                Ok(value) => {
                    (value.as_bytes().len() as i64).encode(out);
                    out.put_slice(value.as_bytes());
                }
                Err(_) => bytes(value)?.encode(out),
            },
            Node::Array(element) => {
                (value.len()? as i64).encode(out);
                if let Ok(list) = value.cast::<PyList>() {
                    for one in list.iter() {
                        self.put(py, *element, &one, out, depth + 1)?;
                    }
                } else {
                    for one in value.try_iter()? {
                        self.put(py, *element, &one?, out, depth + 1)?;
                    }
                }
            }
            Node::Record(entries) => {
                if entries.is_empty() {
                    return Err(PyValueError::new_err("empty entries"));
                }
                if let Ok(dict) = value.cast::<PyDict>() {
                    for (name, of) in entries {
                        let Some(one) = dict.get_item(name.bind(py))? else {
                            return Err(PyKeyError::new_err(name.clone_ref(py)));
                        };
                        self.put(py, *of, &one, out, depth + 1)?;
                    }
                } else {
                    for (name, of) in entries {
                        self.put(py, *of, &value.get_item(name.bind(py))?, out, depth + 1)?;
                    }
                }
            }
            Node::Choice(entries) => {
                if entries.is_empty() {
                    return Err(PyValueError::new_err("empty entries"));
                }
                let name = value.get_item(0)?;
                let same = |(known, _): &&(Py<PyString>, Id)| known.bind(py).is(&name);
                let index = match entries.iter().position(|entry| same(&entry)) {
                    Some(index) => index,
                    None => {
                        let name = name.cast::<PyString>()?.to_cow()?;
                        let found = entries.iter().position(|(known, _)| {
                            known.bind(py).to_cow().is_ok_and(|known| known == name)
                        });
                        found.ok_or_else(|| PyException::new_err("invalid entry name"))?
                    }
                };
                (index as i64).encode(out);
                self.put(py, entries[index].1, &value.get_item(1)?, out, depth + 1)?;
            }
            Node::Missing(reference) => return Err(PyKeyError::new_err(reference.clone_ref(py))),
        }
        Ok(())
    }

    fn take<'py>(
        &self,
        py: Python<'py>,
        id: Id,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> PyResult<Bound<'py, PyAny>> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(match &self.nodes[id.0] {
            Node::None => py.None().into_bound(py),
            Node::Boolean => {
                let truth = bool::decode(reader).map_err(error::value)?;
                PyBool::new(py, truth).to_owned().into_any()
            }
            Node::Integer => take_integer(py, reader)?,
            Node::Float => PyFloat::new(py, f64::decode(reader).map_err(error::value)?).into_any(),
            Node::String => {
                let count = reader.count(1).map_err(error::value)?;
                let bytes = &reader.peek()[..count];
                let text = match std::str::from_utf8(bytes) {
                    Ok(text) => PyString::new(py, text),
                    // the error that a Python program expects
                    Err(_) => PyBytes::new(py, bytes)
                        .call_method1("decode", ("utf-8",))?
                        .cast_into::<PyString>()?,
                };
                reader.skip(count).map_err(error::value)?;
                text.into_any()
            }
            Node::Bytes => {
                let count = reader.count(1).map_err(error::value)?;
                let value = PyBytes::new(py, &reader.peek()[..count]);
                reader.skip(count).map_err(error::value)?;
                value.into_any()
            }
            Node::Array(element) => {
                let count = reader.count(self.least[element.0]).map_err(error::value)?;
                let list = PyList::empty(py);
                for _ in 0..count {
                    list.append(self.take(py, *element, reader, depth + 1)?)?;
                }
                list.into_any()
            }
            Node::Record(entries) => {
                if entries.is_empty() {
                    return Err(PyValueError::new_err("empty entries"));
                }
                let dict = PyDict::new(py);
                for (name, of) in entries {
                    dict.set_item(name.bind(py), self.take(py, *of, reader, depth + 1)?)?;
                }
                dict.into_any()
            }
            Node::Choice(entries) => {
                if entries.is_empty() {
                    return Err(PyValueError::new_err("empty entries"));
                }
                let index = reader
                    .index(entries.len())
                    .map_err(|error| pyo3::exceptions::PyIndexError::new_err(error.to_string()))?;
                let (name, of) = &entries[index];
                let value = self.take(py, *of, reader, depth + 1)?;
                PyTuple::new(py, [name.bind(py).clone().into_any(), value])?.into_any()
            }
            Node::Missing(reference) => return Err(PyKeyError::new_err(reference.clone_ref(py))),
        })
    }
}

struct Builder<'a, 'py> {
    refs: &'a Bound<'py, PyAny>,
    nodes: Vec<Option<Node>>,
    /// References that have a node, by module and name.
    known: HashMap<(Option<String>, String), Id>,
}

impl Builder<'_, '_> {
    fn node(&mut self, of: &Bound<'_, PyAny>, depth: u32) -> PyResult<Id> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let kind = of.get_type().name()?;
        if kind.to_cow()? == "Ref" {
            let key = (of.getattr("module")?.extract()?, of.getattr("name")?.extract()?);
            if let Some(id) = self.known.get(&key) {
                return Ok(*id);
            }
            // a reference to a reference has the node of what it leads to, unless it leads to
            // itself
            let id = Id(self.nodes.len());
            self.known.insert(key.clone(), id);
            self.nodes.push(None);
            let node = match self.refs.get_item(of) {
                Err(_) => Node::Missing(of.clone().unbind()),
                Ok(of) if of.get_type().name()?.to_cow()? == "Ref" => {
                    let to = self.node(&of, depth + 1)?;
                    self.known.insert(key, to);
                    return Ok(to);
                }
                Ok(of) => self.plain(&of, depth)?,
            };
            self.nodes[id.0] = Some(node);
            return Ok(id);
        }
        let node = self.plain(of, depth)?;
        self.nodes.push(Some(node));
        Ok(Id(self.nodes.len() - 1))
    }

    fn plain(&mut self, of: &Bound<'_, PyAny>, depth: u32) -> PyResult<Node> {
        let kind = of.get_type().name()?;
        Ok(match &*kind.to_cow()? {
            "NoneType" if of.is_none() => return Err(PyValueError::new_err("the type is None")),
            "NoneType" => Node::None,
            "BooleanType" => Node::Boolean,
            "IntegerType" => Node::Integer,
            "FloatType" => Node::Float,
            "StringType" => Node::String,
            "BytesType" => Node::Bytes,
            "ArrayType" => Node::Array(self.node(&of.get_item(0)?, depth + 1)?),
            "RecordType" => Node::Record(self.entries(of, depth)?),
            "ChoiceType" => Node::Choice(self.entries(of, depth)?),
            other => return Err(PyValueError::new_err(format!("{other} is not an SBS type"))),
        })
    }

    fn entries(&mut self, of: &Bound<'_, PyAny>, depth: u32) -> PyResult<Vec<(Py<PyString>, Id)>> {
        let mut entries = Vec::new();
        for entry in of.get_item(0)?.try_iter()? {
            let entry = entry?;
            let name = entry.get_item(0)?.cast_into::<PyString>()?;
            let name = PyString::intern(of.py(), &name.to_cow()?);
            entries.push((name.unbind(), self.node(&entry.get_item(1)?, depth + 1)?));
        }
        Ok(entries)
    }
}

fn least_of(node: &Node, least: &[usize]) -> usize {
    match node {
        Node::None | Node::Missing(_) => 0,
        Node::Boolean | Node::Integer | Node::String | Node::Bytes | Node::Array(_) => 1,
        Node::Choice(_) => 1,
        Node::Float => 8,
        Node::Record(entries) => entries
            .iter()
            .fold(0, |sum: usize, (_, of)| sum.saturating_add(least[of.0]).min(1 << 20)),
    }
}

fn put_integer(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    match value.extract::<i64>() {
        Ok(number) => number.encode(out),
        Err(error) if !error.is_instance_of::<pyo3::exceptions::PyOverflowError>(value.py()) => {
            return Err(error);
        }
        // groups of 7 bits out of Python's own two's complement
        Err(_) => {
            let is_negative = value.lt(0)?;
            let magnitude =
                if is_negative { value.call_method0("__invert__")? } else { value.clone() };
            let bits: usize = magnitude.call_method0("bit_length")?.extract()?;
            let groups = bits / 7 + 1;
            let args = ((groups * 7).div_ceil(8), "big", true);
            let py = value.py();
            let signed = PyDict::new(py);
            signed.set_item("signed", true)?;
            let octets = value.call_method("to_bytes", (args.0, args.1), Some(&signed))?;
            let octets = octets.cast_into::<PyBytes>()?;
            let octets = octets.as_bytes();
            let bit = |index: usize| octets[octets.len() - 1 - index / 8] >> (index % 8) & 1;
            for group in (0..groups).rev() {
                let byte = (0..7).rev().fold(0, |byte, at| byte << 1 | bit(group * 7 + at));
                out.push(if group == 0 { byte | 0x80 } else { byte });
            }
        }
    }
    Ok(())
}

fn take_integer<'py>(py: Python<'py>, reader: &mut Reader<'_>) -> PyResult<Bound<'py, PyAny>> {
    let rest = reader.peek();
    let Some(len) = rest.iter().take(MAX_INTEGER).position(|byte| byte & 0x80 != 0) else {
        return Err(PyValueError::new_err("an Integer has no last byte"));
    };
    if len < 9 {
        return Ok(reader.integer().map_err(error::value)?.into_pyobject(py)?.into_any());
    }
    let groups = &rest[..=len];
    let bits = groups.len() * 7;
    let mut octets = vec![if groups[0] & 0x40 != 0 { 0xff } else { 0 }; bits.div_ceil(8)];
    let last = octets.len() - 1;
    for (index, group) in groups.iter().rev().enumerate() {
        for at in 0..7 {
            let place = index * 7 + at;
            let octet = &mut octets[last - place / 8];
            *octet = *octet & !(1 << (place % 8)) | (group >> at & 1) << (place % 8);
        }
    }
    let signed = PyDict::new(py);
    signed.set_item("signed", true)?;
    let value = py.get_type::<PyInt>().call_method(
        "from_bytes",
        (PyBytes::new(py, &octets), "big"),
        Some(&signed),
    )?;
    reader.skip(len + 1).map_err(error::value)?;
    Ok(value)
}

fn too_deep() -> PyErr {
    PyRecursionError::new_err(format!("SBS data is nested deeper than {MAX_DEPTH} levels"))
}
