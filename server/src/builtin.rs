//! The events that a server registers about itself, as the deployed one does: without source
//! timestamp, payloads in JSON.
//!
//! | type | payload |
//! |---|---|
//! | `event/<server id>/engine` | `"STARTED"`, `"STOPPED"` |
//! | `event/<server id>/eventer/<client name>` | `"CONNECTED"`, `"DISCONNECTED"` |
//! | `event/<server id>/synced/<remote server id>` | `{"state": STATE}`, and `"count"` |
//!
//! Ids are decimal. The name of a client is one segment, with all its slashes. Source:
//! `hat-event://events.yaml`.

use hat_core::eventer::{EventType, Json, Payload, RegisterEvent};

/// How far a copy of another server's events is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// There is a connection to it.
    Connected,
    /// It has events that are missing here.
    Syncing,
    /// All its events are here: so many came since the connection began; `None` where that was told
    /// before.
    Synced(Option<u64>),
}

/// The engine of `server_id` has started, or is about to stop.
#[must_use]
pub fn engine(server_id: i64, running: bool) -> RegisterEvent {
    let state = if running { r#""STARTED""# } else { r#""STOPPED""# };
    event(["event", &server_id.to_string(), "engine"], state.into())
}

/// A client of `server_id` has come, or is gone.
#[must_use]
pub fn client(server_id: i64, name: &str, connected: bool) -> RegisterEvent {
    let state = if connected { r#""CONNECTED""# } else { r#""DISCONNECTED""# };
    event(["event", &server_id.to_string(), "eventer", name], state.into())
}

/// How far the copy is that `server_id` makes of the events of `remote_id`.
#[must_use]
pub fn synced(server_id: i64, remote_id: i64, synced: SyncState) -> RegisterEvent {
    let state = match synced {
        SyncState::Connected => r#"{"state": "CONNECTED"}"#.into(),
        SyncState::Syncing => r#"{"state": "SYNCING"}"#.into(),
        SyncState::Synced(None) => r#"{"state": "SYNCED", "count": null}"#.into(),
        SyncState::Synced(Some(count)) => format!(r#"{{"state": "SYNCED", "count": {count}}}"#),
    };
    event(["event", &server_id.to_string(), "synced", &remote_id.to_string()], state)
}

/// Whether these are what a copy of a server's events says of how far it is, and nothing else.
pub(crate) fn are_synced(events: &[RegisterEvent]) -> bool {
    let is_synced = |event: &RegisterEvent| {
        let mut segments = event.event_type.segments();
        let [one, _, three, four, five] = [(); 5].map(|()| segments.next());
        (one, three) == (Some("event"), Some("synced")) && four.is_some() && five.is_none()
    };
    !events.is_empty() && events.iter().all(is_synced)
}

fn event<const N: usize>(segments: [&str; N], json: String) -> RegisterEvent {
    let json = Json::from_text(json).expect("JSON written here");
    RegisterEvent {
        payload: Some(Payload::Json(json)),
        ..RegisterEvent::new(EventType::from_segments(segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(event: &RegisterEvent) -> (Vec<String>, String) {
        let Some(Payload::Json(json)) = &event.payload else { panic!("no JSON") };
        assert_eq!(event.source_timestamp, None);
        (event.event_type.segments().map(ToString::to_string).collect(), json.text().to_owned())
    }

    #[test]
    fn what_a_copy_says_of_itself_is_known() {
        assert!(are_synced(&[
            synced(1, 2, SyncState::Connected),
            synced(1, 2, SyncState::Syncing)
        ]));
        assert!(!are_synced(&[]));
        assert!(!are_synced(&[synced(1, 2, SyncState::Connected), engine(1, true)]));
        for segments in [&["event", "1", "synced"][..], &["event", "1", "synced", "2", "3"]] {
            assert!(!are_synced(&[RegisterEvent::new(EventType::from_segments(segments))]));
        }
    }

    #[test]
    fn they_are_those_of_the_deployed_server() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (segments, payload) = shown(&client(1, "gateway/gw1", true));
        assert_eq!(segments, texts(&["event", "1", "eventer", "gateway/gw1"]));
        assert_eq!(payload, r#""CONNECTED""#);
        let (segments, payload) = shown(&engine(-1, false));
        assert_eq!((segments, &payload[..]), (texts(&["event", "-1", "engine"]), r#""STOPPED""#));
        let (segments, payload) = shown(&synced(1, 2, SyncState::Synced(Some(5))));
        assert_eq!(segments, texts(&["event", "1", "synced", "2"]));
        assert_eq!(payload, r#"{"state": "SYNCED", "count": 5}"#);
        assert_eq!(
            shown(&synced(1, 2, SyncState::Synced(None))).1,
            r#"{"state": "SYNCED", "count": null}"#
        );
    }
}
