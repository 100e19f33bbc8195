//! Both ends of Eventer.

pub(crate) mod client;
pub(crate) mod server;

use hat_core::eventer::SendFault;
use hat_core::eventer::{Event, RegisterEvent};
use pyo3::PyErr;
use pyo3::prelude::*;
use pyo3::types::PyList;

use std::sync::{Mutex, PoisonError};

use crate::error;
use crate::events::Events;

/// Events that wait for a callback. They become Python's objects when it is called, so that those
/// that wait are nothing that its garbage collector must look at.
#[pyclass(frozen, module = "hat_native._native")]
pub(crate) struct WaitingEvents {
    classes: Py<Events>,
    of: Mutex<Of>,
}

enum Of {
    Taken,
    Events(Vec<Event>),
    ToRegister(Vec<RegisterEvent>),
}

impl WaitingEvents {
    fn new<'py>(py: Python<'py>, classes: &Py<Events>, of: Of) -> PyResult<Bound<'py, Self>> {
        Bound::new(py, Self { classes: classes.clone_ref(py), of: Mutex::new(of) })
    }
}

#[pymethods]
impl WaitingEvents {
    /// The events, once: then none.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::replace(&mut *of, Of::Taken);
        drop(of);
        let classes = self.classes.bind(py).get();
        match taken {
            Of::Taken => Ok(PyList::empty(py)),
            Of::Events(events) => classes.events(py, &events),
            Of::ToRegister(events) => classes.register_events(py, &events),
        }
    }
}

fn refused(fault: SendFault) -> PyErr {
    if fault.is_closed() { error::connection(fault) } else { error::value(fault) }
}
