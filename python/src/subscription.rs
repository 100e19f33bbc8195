//! Which event types somebody wants, as `hat.event.common.Subscription`.

use hat_core::eventer::{self, EventType};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::error;
use crate::events::event_type;

/// A set of query types. Immutable.
#[pyclass(frozen, module = "hat_native._native")]
pub(crate) struct Subscription(pub(crate) eventer::Subscription);

#[pymethods]
impl Subscription {
    #[new]
    fn new(query_types: &Bound<'_, PyAny>) -> PyResult<Self> {
        let types = query_types
            .try_iter()?
            .map(|one| event_type(&one?))
            .collect::<PyResult<Vec<EventType>>>()?;
        eventer::Subscription::new(&types).map(Self).map_err(error::value)
    }

    /// The query types, sanitized, as a list of tuples.
    fn get_query_types<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let types = self.0.query_types();
        let tuples = types.iter().map(|one| PyTuple::new(py, one.segments()));
        PyList::new(py, tuples.collect::<PyResult<Vec<_>>>()?)
    }

    fn matches(&self, event_type: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.0.matches(&crate::events::event_type(event_type)?))
    }

    fn union(&self, other: &Self) -> PyResult<Self> {
        self.0.union(&other.0).map(Self).map_err(error::value)
    }

    fn intersection(&self, other: &Self) -> PyResult<Self> {
        self.0.intersection(&other.0).map(Self).map_err(error::value)
    }

    fn isdisjoint(&self, other: &Self) -> PyResult<bool> {
        self.0.is_disjoint(&other.0).map_err(error::value)
    }
}
