//! Which other servers there are, by what the monitor shows.

use std::collections::BTreeSet;

use hat_core::observer::{ComponentInfo, State};
use serde_json::{Value, json};

use super::ServerIdentity;
use crate::token;

/// Another server of the group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Other {
    pub(super) server_id: i64,
    pub(super) host: String,
    pub(super) port: u16,
}

/// What this server says of itself, by `hat-event://monitor_data.yaml`.
pub(super) fn own_data(who: &ServerIdentity) -> String {
    let (host, port) = &who.address;
    let server = json!({"host": host, "port": port});
    json!({"server_id": who.server_id, "eventer_server": server, "server_token": who.token})
        .to_string()
}

/// The other servers of `group` that are to be mirrored: those with the same token, where this
/// server has one.
pub(super) fn others(who: &ServerIdentity, group: &str, state: &State) -> BTreeSet<Other> {
    let of_group = state.components.iter().filter(|info| is_other(info, group, state));
    of_group.filter_map(|info| parse(who, info)).collect()
}

/// Whether another component of `group` works under a blessing.
pub(super) fn other_is_active(group: &str, state: &State) -> bool {
    let mut others = state.components.iter().filter(|info| is_other(info, group, state));
    others.any(|info| info.active_token().is_some())
}

/// Whether there is another component of `group`.
pub(super) fn has_others(group: &str, state: &State) -> bool {
    state.components.iter().any(|info| is_other(info, group, state))
}

fn is_other(info: &ComponentInfo, group: &str, state: &State) -> bool {
    let is_own = |own: &ComponentInfo| (own.cid, own.mid) == (info.cid, info.mid);
    info.group.as_deref() == Some(group) && !state.own.as_ref().is_some_and(is_own)
}

fn parse(who: &ServerIdentity, info: &ComponentInfo) -> Option<Other> {
    let data: Value = serde_json::from_str(&info.data).ok()?;
    let server = &data["eventer_server"];
    let other = Other {
        server_id: data["server_id"].as_i64()?,
        host: server["host"].as_str()?.to_owned(),
        port: server["port"].as_u64()?.try_into().ok()?,
    };
    let token = match &data["server_token"] {
        Value::Null => None,
        Value::String(token) => Some(token),
        _ => return None,
    };
    if who.token.is_some() && !token.is_some_and(|token| token::is(who.token.as_deref(), token)) {
        return None;
    }
    if other.server_id == who.server_id && !who.is_node {
        // ids would mean two things: neither can have the other's events
        tracing::error!(
            server_id = who.server_id,
            name = info.name.as_deref(),
            host = other.host,
            port = other.port,
            "another server has the same id and is not mirrored; give every server its own id"
        );
        return None;
    }
    Some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(token: Option<&str>) -> ServerIdentity {
        let address = ("127.0.0.1".into(), 23012);
        let token = token.map(Into::into);
        ServerIdentity { name: "a".into(), server_id: 1, token, address, is_node: false }
    }

    fn component(cid: i64, group: &str, data: &str) -> ComponentInfo {
        ComponentInfo {
            cid,
            group: Some(group.into()),
            data: data.into(),
            ..ComponentInfo::default()
        }
    }

    fn found(token: Option<&str>, data: &str) -> bool {
        let own = component(1, "event", "null");
        let components = vec![own.clone(), component(2, "event", data)];
        let state = State { own: Some(own), components: components.into() };
        !others(&who(token), "event", &state).is_empty()
    }

    #[test]
    fn what_we_say_of_ourselves_is_read_by_another() {
        let said = own_data(&who(Some("t")));
        let server = json!({"host": "127.0.0.1", "port": 23012});
        let expected = json!({"server_id": 1, "eventer_server": server, "server_token": "t"});
        assert_eq!(serde_json::from_str::<Value>(&said).expect("JSON"), expected);
        let other = said.replace(r#""server_id":1"#, r#""server_id":2"#);
        assert!(found(None, &other) && found(Some("t"), &other));
        assert!(!found(Some("u"), &other), "another token");
        assert!(!found(None, &said), "our own id");
        let own = component(1, "event", "null");
        let components = vec![own.clone(), component(2, "event", &said)];
        let state = State { own: Some(own), components: components.into() };
        let node = ServerIdentity { is_node: true, ..who(None) };
        assert_eq!(others(&node, "event", &state).len(), 1, "another node has the same");
    }

    #[test]
    fn what_is_no_event_server_is_passed_over() {
        for data in
            ["null", "", "{}", r#"{"server_id": "2"}"#, r#"{"server_id": 2, "eventer_server": {}}"#]
        {
            assert!(!found(None, data), "{data}");
        }
        let port = r#"{"server_id": 2, "eventer_server": {"host": "h", "port": 70000}}"#;
        assert!(!found(None, port));
    }
}
