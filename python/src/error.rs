//! Rust's refusals as the exceptions that the deployed modules raise.

use std::fmt::Display;

use pyo3::exceptions::{PyConnectionError, PyException, PyValueError};
use pyo3::{PyErr, PyResult, Python};

/// The connection does not take it any more.
pub(crate) fn connection(error: impl Display) -> PyErr {
    PyConnectionError::new_err(error.to_string())
}

/// The value cannot be sent.
pub(crate) fn value(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Nothing, where an exception says that a value cannot be read. What else there is goes on to
/// whoever runs the event loop: a signal may raise `KeyboardInterrupt` in any call of Python.
pub(crate) fn unless_meant_for_the_program(py: Python<'_>, error: PyErr) -> PyResult<()> {
    if error.is_instance_of::<PyException>(py) { Ok(()) } else { Err(error) }
}
