//! Which event types somebody wants, as `hat.event.common.Subscription`.

use hat_core::eventer::{self, EventType};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::error;
use crate::events::{MAX_TYPES, event_type, is_kept};

/// A set of query types. Immutable.
#[pyclass(frozen, module = "hat_native._native")]
pub(crate) struct Subscription {
    of: eventer::Subscription,
    /// Whether it matches, by tuples that were asked for.
    answers: Py<PyDict>,
}

impl Subscription {
    fn of(
        py: Python<'_>,
        made: Result<eventer::Subscription, impl std::fmt::Display>,
    ) -> PyResult<Self> {
        let of = made.map_err(error::value)?;
        Ok(Self { of, answers: PyDict::new(py).unbind() })
    }
}

#[pymethods]
impl Subscription {
    #[new]
    fn new(query_types: &Bound<'_, PyAny>) -> PyResult<Self> {
        let types = query_types
            .try_iter()?
            .map(|one| event_type(&one?))
            .collect::<PyResult<Vec<EventType>>>()?;
        Self::of(query_types.py(), eventer::Subscription::new(&types))
    }

    /// The query types, sanitized, as a list of tuples.
    fn get_query_types<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let types = self.of.query_types();
        let tuples = types.iter().map(|one| PyTuple::new(py, one.segments()));
        PyList::new(py, tuples.collect::<PyResult<Vec<_>>>()?)
    }

    fn matches(&self, of: &Bound<'_, PyAny>) -> PyResult<bool> {
        let is_tuple = of.cast_exact::<PyTuple>().is_ok();
        let answers = self.answers.bind(of.py());
        // what has no hash is not an event type either, and refused below
        if is_tuple && let Ok(Some(answer)) = answers.get_item(of) {
            return answer.is_truthy();
        }
        let event_type = event_type(of)?;
        let answer = self.of.matches(&event_type);
        if is_tuple && is_kept(&event_type) {
            if answers.len() >= MAX_TYPES {
                answers.clear();
            }
            answers.set_item(of, answer)?;
        }
        Ok(answer)
    }

    fn union(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        Self::of(py, self.of.union(&other.of))
    }

    fn intersection(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        Self::of(py, self.of.intersection(&other.of))
    }

    fn isdisjoint(&self, other: &Self) -> PyResult<bool> {
        self.of.is_disjoint(&other.of).map_err(error::value)
    }
}
