//! Patches between values.
//!
//! The states of Juggler are Python's objects, which programs hold and change: a machine's copy of
//! them would have to be made anew with every change. So the machine is the transport, and patches
//! are found between Python's objects.

use hat_core::json::{self, Limits, Value};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::json::{read, write};

/// Levels of values that are compared one by one; what is deeper is compared as a whole.
const MAX_DEPTH: u32 = 64;

/// The operations of a JSON Patch that makes `to` of `from`. What both share is not looked at: a
/// value whose parts are shared with what it was before, as `hat.json.set_` makes it, costs what
/// was changed.
#[pyfunction]
pub(crate) fn json_diff<'py>(
    from: &Bound<'py, PyAny>,
    to: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    let operations = PyList::empty(from.py());
    diff(from, to, "", &operations, MAX_DEPTH)?;
    Ok(operations)
}

fn diff(
    from: &Bound<'_, PyAny>,
    to: &Bound<'_, PyAny>,
    path: &str,
    operations: &Bound<'_, PyList>,
    depth: u32,
) -> PyResult<()> {
    if from.is(to) {
        return Ok(());
    }
    if depth > 0 {
        if let (Ok(from), Ok(to)) = (from.cast::<PyDict>(), to.cast::<PyDict>()) {
            return diff_dicts(from, to, path, operations, depth);
        }
        if let (Ok(from), Ok(to)) = (from.cast::<PyList>(), to.cast::<PyList>())
            && let Some(done) = diff_lists(from, to, path, operations, depth)?
        {
            return Ok(done);
        }
    }
    let same = from.get_type().is(to.get_type()) && from.eq(to)? && depth > 0;
    if same { Ok(()) } else { operation(operations, "replace", path, Some(to)) }
}

fn diff_dicts(
    from: &Bound<'_, PyDict>,
    to: &Bound<'_, PyDict>,
    path: &str,
    operations: &Bound<'_, PyList>,
    depth: u32,
) -> PyResult<()> {
    let first = operations.len();
    let mut kept = 0;
    for (key, value) in to.iter() {
        let old = from.get_item(&key)?;
        kept += usize::from(old.is_some());
        match old {
            Some(old) if old.is(&value) => {}
            Some(old) => diff(&old, &value, &below(path, &key)?, operations, depth - 1)?,
            None => operation(operations, "add", &below(path, &key)?, Some(&value))?,
        }
    }
    if kept < from.len() {
        let removed = PyList::empty(from.py());
        for key in from.keys() {
            if !to.contains(&key)? {
                operation(&removed, "remove", &below(path, &key)?, None)?;
            }
        }
        // a value does not grow before it shrinks
        operations.set_slice(first, first, removed.as_any())?;
    }
    Ok(())
}

/// None where one has something in it that only Python can compare.
fn diff_lists(
    from: &Bound<'_, PyList>,
    to: &Bound<'_, PyList>,
    path: &str,
    operations: &Bound<'_, PyList>,
    depth: u32,
) -> PyResult<Option<()>> {
    let changed = |count: usize| count * 2 <= to.len();
    if from.len() == to.len()
        && changed(from.iter().zip(to.iter()).filter(|(a, b)| !a.is(b)).count())
    {
        for (index, (old, value)) in from.iter().zip(to.iter()).enumerate() {
            if !old.is(&value) {
                diff(&old, &value, &format!("{path}/{index}"), operations, depth - 1)?;
            }
        }
        return Ok(Some(()));
    }
    let (Some(old), Some(new)) = (core_value(from)?, core_value(to)?) else { return Ok(None) };
    let found = json::diff(&old, &new);
    if found.is_empty() {
        return Ok(Some(()));
    }
    let Some(found) = read(from.py(), &found.to_string())? else { return Ok(None) };
    for one in found.try_iter()? {
        let one = one?;
        let at = one.get_item("path")?;
        one.set_item("path", format!("{path}{}", at.cast::<PyString>()?.to_cow()?))?;
        operations.append(one)?;
    }
    Ok(Some(()))
}

fn core_value(list: &Bound<'_, PyList>) -> PyResult<Option<Value>> {
    let mut text = String::new();
    if !write(list.as_any(), &mut text, MAX_DEPTH)? {
        return Ok(None);
    }
    Ok(Value::parse(&text, &Limits::default()).ok())
}

fn operation(
    operations: &Bound<'_, PyList>,
    name: &str,
    path: &str,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = operations.py();
    let of = PyDict::new(py);
    of.set_item(pyo3::intern!(py, "op"), name)?;
    of.set_item(pyo3::intern!(py, "path"), path)?;
    if let Some(value) = value {
        of.set_item(pyo3::intern!(py, "value"), value)?;
    }
    operations.append(of)
}

fn below(path: &str, key: &Bound<'_, PyAny>) -> PyResult<String> {
    let key = key.str()?;
    let key = key.to_cow()?;
    if key.contains(['~', '/']) {
        return Ok(format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")));
    }
    Ok(format!("{path}/{key}"))
}
