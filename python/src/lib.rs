//! The machines of `hat-core` as Python classes, for `hat_native`, whose handles drive them from
//! asyncio.
//!
//! ```text
//! asyncio transport ── buffer_updated ─> feed(bytes, now) ─> what came in, a list of named tuples
//!                   <── write ───────── take()           <── send, register, notify …
//! loop.call_at      ── poll(now) ─────> the same list
//! ```
//!
//! One crossing from Python a read, not a message. There is no thread, no task and no clock here:
//! the event loop says what time it is.
mod chatter;
mod diff;
mod error;
mod eventer;
mod events;
mod float;
mod gc;
mod iso;
mod json;
mod juggler;
mod link;
mod sbs;
mod subscription;
mod values;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<chatter::Chatter>()?;
    module.add_class::<events::Events>()?;
    module.add_class::<eventer::client::EventerClient>()?;
    module.add_class::<eventer::server::EventerServer>()?;
    module.add_class::<eventer::server::Notification>()?;
    module.add_class::<eventer::WaitingEvents>()?;
    module.add_class::<iso::Tpkt>()?;
    module.add_class::<iso::Cotp>()?;
    module.add_class::<juggler::JugglerTexts>()?;
    module.add_class::<juggler::PeerTexts>()?;
    module.add_class::<sbs::Plan>()?;
    module.add_class::<subscription::Subscription>()?;
    module.add_function(wrap_pyfunction!(sbs::parse_schema, module)?)?;
    module.add_function(wrap_pyfunction!(diff::json_diff, module)?)?;
    module.add_function(wrap_pyfunction!(json::json_encode, module)?)?;
    module.add_function(wrap_pyfunction!(json::json_decode, module)?)
}
