//! Patches between values.
//!
//! The states of Juggler are Python's objects, which programs hold and change: a machine's copy of
//! them would have to be made anew with every change. So the machine is the transport, and patches
//! are found between Python's objects.

use hat_core::json::{self, Limits, Value};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString};

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
        if let (Ok(from), Ok(to)) = (from.cast::<PyList>(), to.cast::<PyList>()) {
            return diff_lists(from, to, path, operations, depth);
        }
    }
    if same_scalar(from, to)? { Ok(()) } else { operation(operations, "replace", path, Some(to)) }
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

fn diff_lists(
    from: &Bound<'_, PyList>,
    to: &Bound<'_, PyList>,
    path: &str,
    operations: &Bound<'_, PyList>,
    depth: u32,
) -> PyResult<()> {
    let changed = |count: usize| count * 2 <= to.len();
    if from.len() == to.len()
        && changed(from.iter().zip(to.iter()).filter(|(a, b)| !a.is(b)).count())
    {
        for (index, (old, value)) in from.iter().zip(to.iter()).enumerate() {
            diff(&old, &value, &format!("{path}/{index}"), operations, depth - 1)?;
        }
        return Ok(());
    }
    match core_diff(from, to)? {
        Some(found) => {
            for one in found.try_iter()? {
                let one = one?;
                let at = one.get_item("path")?;
                one.set_item("path", format!("{path}{}", at.cast::<PyString>()?.to_cow()?))?;
                operations.append(one)?;
            }
            Ok(())
        }
        None => diff_by_place(from, to, path, operations, depth),
    }
}

/// The operations that core finds; None where one of the lists has something in it that only Python
/// can write or compare.
fn core_diff<'py>(
    from: &Bound<'py, PyList>,
    to: &Bound<'py, PyList>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (Some((old, floats)), Some((new, more))) = (core_value(from)?, core_value(to)?) else {
        return Ok(None);
    };
    let found = json::diff(&old, &new);
    if floats || more {
        // there 1 is 1.0, as it is for 0.7's diff, and not for 0.5's
        let mut patched = old;
        if found.apply(&mut patched, &Limits::default()).is_err()
            || patched.to_string() != new.to_string()
        {
            return Ok(None);
        }
    }
    read(from.py(), &found.to_string())
}

/// The value of a list, and whether there may be floats in it that are equal to integers.
fn core_value(list: &Bound<'_, PyList>) -> PyResult<Option<(Value, bool)>> {
    let mut text = String::new();
    if !write(list.as_any(), &mut text, MAX_DEPTH)? {
        return Ok(None);
    }
    let floats = text.contains(".0") || text.contains("e+");
    Ok(Value::parse(&text, &Limits::default()).ok().map(|value| (value, floats)))
}

/// Elements that are the same at the head and at the tail stay; between them each is what became of
/// the one in its place. Where that takes more than the list as a whole, it is sent as a whole.
fn diff_by_place(
    from: &Bound<'_, PyList>,
    to: &Bound<'_, PyList>,
    path: &str,
    operations: &Bound<'_, PyList>,
    depth: u32,
) -> PyResult<()> {
    let first = operations.len();
    let most = from.len().min(to.len());
    let mut head = 0;
    while head < most && same(&from.get_item(head)?, &to.get_item(head)?, depth - 1)? {
        head += 1;
    }
    let (mut old_end, mut new_end) = (from.len(), to.len());
    while old_end.min(new_end) > head
        && same(&from.get_item(old_end - 1)?, &to.get_item(new_end - 1)?, depth - 1)?
    {
        old_end -= 1;
        new_end -= 1;
    }
    let both = old_end.min(new_end);
    for index in head..both {
        let (old, value) = (from.get_item(index)?, to.get_item(index)?);
        diff(&old, &value, &format!("{path}/{index}"), operations, depth - 1)?;
    }
    for _ in both..old_end {
        operation(operations, "remove", &format!("{path}/{both}"), None)?;
    }
    for index in both..new_end {
        operation(operations, "add", &format!("{path}/{index}"), Some(&to.get_item(index)?))?;
    }
    if operations.len() - first > 1 {
        let whole = PyList::empty(to.py());
        operation(&whole, "replace", path, Some(to))?;
        let found = operations.get_slice(first, operations.len());
        if weight(&found, MAX_DEPTH)? > weight(&whole, MAX_DEPTH)? {
            operations.set_slice(first, operations.len(), whole.as_any())?;
        }
    }
    Ok(())
}

/// About how many characters the text of a value has.
fn weight(value: &Bound<'_, PyAny>, depth: u32) -> PyResult<usize> {
    let mut sum = 4;
    if value.is_instance_of::<PyString>() {
        sum += value.len()?;
    } else if depth == 0 {
        // neither side of the comparison is looked at this far down
    } else if let Ok(dict) = value.cast::<PyDict>() {
        for (key, value) in dict.iter() {
            sum += weight(&key, depth - 1)? + weight(&value, depth - 1)?;
        }
    } else if let Ok(list) = value.cast::<PyList>() {
        for value in list.iter() {
            sum += weight(&value, depth - 1)?;
        }
    }
    Ok(sum)
}

/// Whether there is no difference between two values, as [`diff`] finds them.
fn same(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>, depth: u32) -> PyResult<bool> {
    if one.is(other) {
        return Ok(true);
    }
    if depth > 0 {
        if let (Ok(one), Ok(other)) = (one.cast::<PyDict>(), other.cast::<PyDict>()) {
            if one.len() != other.len() {
                return Ok(false);
            }
            for (key, value) in one.iter() {
                match other.get_item(key)? {
                    Some(of) if same(&value, &of, depth - 1)? => {}
                    _ => return Ok(false),
                }
            }
            return Ok(true);
        }
        if let (Ok(one), Ok(other)) = (one.cast::<PyList>(), other.cast::<PyList>()) {
            if one.len() != other.len() {
                return Ok(false);
            }
            for (value, of) in one.iter().zip(other.iter()) {
                if !same(&value, &of, depth - 1)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
    }
    same_scalar(one, other)
}

/// Whether two values are the same text or number, or the same word. Python's own equality is not
/// asked for anything that may have parts: for it `[0]` is `[False]`, and `(1,)` is `(1.0,)`.
fn same_scalar(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
    let is_scalar = one.is_instance_of::<PyString>()
        || one.is_instance_of::<PyInt>()
        || one.is_instance_of::<PyFloat>();
    Ok(one.is(other) || is_scalar && one.get_type().is(other.get_type()) && one.eq(other)?)
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
