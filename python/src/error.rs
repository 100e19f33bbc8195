//! Rust's refusals as the exceptions that the deployed modules raise.

use std::fmt::Display;

use pyo3::PyErr;
use pyo3::exceptions::{PyConnectionError, PyValueError};

/// The connection does not take it any more.
pub(crate) fn connection(error: impl Display) -> PyErr {
    PyConnectionError::new_err(error.to_string())
}

/// The value cannot be sent.
pub(crate) fn value(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}
