//! What machines report to `tracing`; nothing without its feature.

#[cfg(feature = "tracing")]
mod told {
    use core::time::Duration;

    pub(crate) fn received(r#type: &str, bytes: usize) {
        tracing::trace!(r#type, bytes, "received");
    }

    pub(crate) fn sent(r#type: &str, bytes: usize) {
        tracing::trace!(r#type, bytes, "sent");
    }

    pub(crate) fn unanswered(bytes: usize, time: Duration) {
        let hint = "changes wait until it answers, as its protocol asks it to at once";
        tracing::warn!(bytes, ?time, hint, "the peer does not answer a ping behind changes");
    }
}

#[cfg(not(feature = "tracing"))]
mod told {
    use core::time::Duration;

    pub(crate) fn received(_type: &str, _bytes: usize) {}

    pub(crate) fn sent(_type: &str, _bytes: usize) {}

    pub(crate) fn unanswered(_bytes: usize, _time: Duration) {}
}

pub(crate) use told::{received, sent, unanswered};
