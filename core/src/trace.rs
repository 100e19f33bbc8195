//! What machines report to `tracing`; nothing without its feature.

#[cfg(feature = "tracing")]
mod told {
    pub(crate) fn received(r#type: &str, bytes: usize) {
        tracing::trace!(r#type, bytes, "received");
    }

    pub(crate) fn sent(r#type: &str, bytes: usize) {
        tracing::trace!(r#type, bytes, "sent");
    }
}

#[cfg(not(feature = "tracing"))]
mod told {
    pub(crate) fn received(_type: &str, _bytes: usize) {}

    pub(crate) fn sent(_type: &str, _bytes: usize) {}
}

pub(crate) use told::{received, sent};
