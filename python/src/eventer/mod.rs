//! Both ends of Eventer.

pub(crate) mod client;
pub(crate) mod server;

use hat_core::eventer::SendFault;
use pyo3::PyErr;

use crate::error;

fn refused(fault: SendFault) -> PyErr {
    if fault.is_closed() { error::connection(fault) } else { error::value(fault) }
}
