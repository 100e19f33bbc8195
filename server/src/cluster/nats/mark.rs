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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// In place of that where the stream has had a fence: a program that knows of none must not go
    /// on from there, because it would take messages for good that are void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fenced: Option<State>,
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
            let unknown = |error: String| {
                let text = format!("its position in the stream cannot be read: {error}");
                StoreError::Unknown(text.into())
            };
            let mark: Mark =
                serde_json::from_slice(&mark).map_err(|error| unknown(error.to_string()))?;
            let state = mark.fenced.or(mark.state);
            let state = state.ok_or_else(|| unknown("it is of a later program".into()))?;
            return Ok(Self { state, created: Some(mark.created), before: 0 });
        }
        let last = store.last(server_id)?;
        let before = last.id.session.max(last.reserved).max(0).unsigned_abs();
        let state = State::behind(before);
        Ok(Self { state, created: None, before })
    }
}

pub(super) fn encode(created: i64, state: &State) -> Bytes {
    let state = state.clone();
    let mark = match state.fence().sequence {
        0 => Mark { created, state: Some(state), fenced: None },
        _ => Mark { created, state: None, fenced: Some(state) },
    };
    serde_json::to_vec(&mark).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use hat_core::eventer::Timestamp;

    use super::super::super::message::{Body, Message, Place};
    use super::super::super::replica::Replica;
    use super::*;
    use crate::store::memory::Config;
    use crate::store::{MemoryStore, Sync};

    /// That of a store whose node has taken these messages.
    fn mark(bodies: &[Body]) -> Bytes {
        let mut replica = Replica::new(1, State::default());
        for (body, sequence) in bodies.iter().cloned().zip(1..) {
            let place = Place { writer: sequence, epoch: 1, number: 0 };
            let message = Message { place, timestamp: Timestamp::MIN, body };
            replica.take(sequence, &message.encode()).expect("a good message");
        }
        let mark = encode(7, replica.state());
        let store = MemoryStore::new(Config::new(1));
        store.apply_marked(&[], 1, mark.clone(), Sync::Now).expect("it takes it");
        let known = StoredPosition::of(&store, 1).expect("a mark");
        assert_eq!((&known.state, known.created), (replica.state(), Some(7)));
        mark
    }

    #[test]
    fn a_program_that_knows_of_no_fences_does_not_read_a_mark_behind_one() {
        let of = |mark: &Bytes| serde_json::from_slice::<serde_json::Value>(mark).expect("JSON");
        let plain = of(&mark(&[Body::Open]));
        assert!(plain["state"].is_object() && plain.get("fenced").is_none(), "{plain}");
        assert!(plain["state"].get("fence").is_none(), "as it was: {plain}");
        for bodies in [&[Body::Fence(0)][..], &[Body::Fence(0), Body::Lift(1)]] {
            let fenced = of(&mark(bodies));
            assert!(fenced.get("state").is_none() && fenced["fenced"].is_object(), "{fenced}");
        }
    }
}
