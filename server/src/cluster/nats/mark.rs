//! What the store keeps: how far the stream is applied, and which stream it is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::replica::State;
use crate::store::{Store, StoreError};

/// The mark of a store, as JSON. It is written with every batch, so that it is small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// When the stream was made, in nanoseconds since 1970: another one of the same name was made
    /// at another time.
    created: i64,
    state: State,
}

/// What is known at the start.
#[derive(Clone, Debug)]
pub(super) struct StoredPosition {
    pub(super) state: State,
    /// When the stream was made; `None` where none was ever joined.
    pub(super) created: Option<i64>,
    /// The last session of this server that the store has and no stream.
    pub(super) before: u64,
}

impl StoredPosition {
    pub(super) fn of(store: &dyn Store, server_id: i64) -> Result<Self, StoreError> {
        if let Some(mark) = store.mark(server_id)? {
            let mark: Mark = serde_json::from_slice(&mark).map_err(|error| {
                StoreError::Unknown(
                    format!("its position in the stream cannot be read: {error}").into(),
                )
            })?;
            return Ok(Self { state: mark.state, created: Some(mark.created), before: 0 });
        }
        let last = store.last(server_id)?;
        let before = last.id.session.max(last.reserved).max(0).unsigned_abs();
        let state = State::behind(before);
        Ok(Self { state, created: None, before })
    }
}

pub(super) fn encode(created: i64, state: &State) -> Bytes {
    let mark = Mark { created, state: state.clone() };
    serde_json::to_vec(&mark).unwrap_or_default().into()
}
