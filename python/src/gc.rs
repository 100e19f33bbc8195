//! Python's garbage collector, which would look at what is being made again and again.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Bytes of a read from which on it is worth asking: some hundred objects are made of them.
pub(crate) const MANY_BYTES: usize = 4096;
/// Events from which on it is worth asking: each is five objects.
pub(crate) const MANY_EVENTS: usize = 50;

/// The collector does not run while this lives. It runs once afterwards, if it is due, and not
/// every 700 objects while all of them are still in use.
pub(crate) struct Pause<'py> {
    enable: Option<Bound<'py, PyAny>>,
}

/// Pauses the collector `when` that is worth it, and a program has not done so itself.
pub(crate) fn pause(py: Python<'_>, when: bool) -> PyResult<Pause<'_>> {
    static IS_ENABLED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static DISABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static ENABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

    if !when || !IS_ENABLED.import(py, "gc", "isenabled")?.call0()?.is_truthy()? {
        return Ok(Pause { enable: None });
    }
    let enable = ENABLE.import(py, "gc", "enable")?.clone();
    DISABLE.import(py, "gc", "disable")?.call0()?;
    Ok(Pause { enable: Some(enable) })
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        if let Some(enable) = &self.enable {
            // what `gc.enable` could raise nobody can do anything about here
            let _ = enable.call0();
        }
    }
}
