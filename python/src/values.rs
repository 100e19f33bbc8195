//! Instances of Python's named tuples, made without calling their classes; and truth.

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

/// A named tuple class, with `tuple.__new__`: half the price of its own.
pub(crate) struct NamedTuple {
    class: Py<PyType>,
    new: Py<PyAny>,
}

impl NamedTuple {
    pub(crate) fn new(class: Bound<'_, PyType>) -> PyResult<Self> {
        let new = class.py().get_type::<PyTuple>().getattr("__new__")?;
        Ok(Self { class: class.clone().unbind(), new: new.unbind() })
    }

    pub(crate) fn of<'py>(&self, fields: Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = fields.py();
        self.new.bind(py).call1((self.class.bind(py), fields))
    }

    pub(crate) fn is_of(&self, value: &Bound<'_, PyAny>) -> bool {
        value.get_type().is(self.class.bind(value.py()))
    }

    /// As `isinstance`: a subclass is one too.
    pub(crate) fn has(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if self.is_of(value) { Ok(true) } else { value.is_instance(self.class.bind(value.py())) }
    }
}

/// Whether a value is true, whatever it is: the deployed serializer asks for no more, so programs
/// pass numbers, lists and None for a flag.
pub(crate) struct Truth(pub(crate) bool);

impl<'a, 'py> FromPyObject<'a, 'py> for Truth {
    type Error = PyErr;

    fn extract(value: pyo3::Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        value.is_truthy().map(Self)
    }
}
