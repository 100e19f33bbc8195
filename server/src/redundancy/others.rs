//! Which other servers there are, by what the monitor shows.

use std::collections::{BTreeMap, BTreeSet};

use hat_core::observer::{ComponentInfo, State};
use serde_json::{Value, json};
use tracing::{error, info};

use super::ServerIdentity;
use crate::token;

/// Another server of the group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Other {
    pub(super) server_id: i64,
    pub(super) host: String,
    pub(super) port: u16,
    /// Its events are copied. Else only its status counts.
    pub(super) is_copied: bool,
}

/// Ids that more than one server has, and those servers.
pub(super) type SharedIds = BTreeMap<i64, BTreeSet<String>>;

/// Servers that are named of those that share an id: a monitor may show any number.
const NAMED: usize = 8;

/// What this server says of itself, by `hat-event://monitor_data.yaml`.
pub(super) fn own_data(who: &ServerIdentity) -> String {
    let (host, port) = &who.address;
    let server = json!({"host": host, "port": port});
    json!({"server_id": who.server_id, "eventer_server": server, "server_token": who.token})
        .to_string()
}

/// The other servers of `group`, those with the same token where this server has one, and the ids
/// that are shared.
///
/// Where two of them have one id, neither is copied: their events would come in turns, and those
/// not above the last one would be passed over, unseen. Their status counts all the same, for one
/// of them may be active.
pub(super) fn others(
    who: &ServerIdentity,
    group: &str,
    state: &State,
) -> (BTreeSet<Other>, SharedIds) {
    let of_group = others_of(group, state);
    // one that has come back may be shown twice for a while, at one address
    let mut shown: BTreeMap<i64, BTreeMap<Other, String>> = BTreeMap::new();
    for (info, other) in of_group.filter_map(|info| Some((info, parse(who, info)?))) {
        let name = named(info, &other);
        shown.entry(other.server_id).or_default().insert(other, name);
    }
    let (mut others, mut shared) = (BTreeSet::new(), SharedIds::new());
    for (server_id, servers) in shown {
        // the nodes of a cluster have one id, and the same events
        let is_own = server_id == who.server_id && !who.is_node;
        let is_shared = servers.len() > 1 && !who.is_node;
        if is_own || is_shared {
            shared.insert(server_id, servers.values().cloned().collect());
        }
        // with our own id, ids would mean two things: neither can have the other's events
        if !is_own {
            let is_copied = !is_shared && !who.is_node;
            others.extend(servers.into_keys().map(|other| Other { is_copied, ..other }));
        }
    }
    (others, shared)
}

/// Says which ids are shared now, where that has changed.
pub(super) fn say_shared(who: &ServerIdentity, before: &SharedIds, now: &SharedIds) {
    for (server_id, servers) in new_in(before, now) {
        let mut names: Vec<&str> = servers.iter().take(NAMED).map(String::as_str).collect();
        names.extend((servers.len() > NAMED).then_some("…"));
        let servers = names.join(", ");
        if *server_id == who.server_id {
            error!(
                server_id,
                servers,
                "another server has the same id and is not mirrored; give every server its own id"
            );
        } else {
            error!(
                server_id,
                servers,
                "servers have the same id, so the events of one would hide those of another: none \
                 of them is copied, but for a copy under way until its connection ends; give every \
                 server its own id"
            );
        }
    }
    for server_id in before.keys().filter(|id| !now.contains_key(id)) {
        info!(server_id, "this id is shared no longer");
    }
}

/// The ids that are shared and were not, or by others.
fn new_in<'a>(
    before: &'a SharedIds,
    now: &'a SharedIds,
) -> impl Iterator<Item = (&'a i64, &'a BTreeSet<String>)> {
    now.iter().filter(|(server_id, servers)| before.get(server_id) != Some(servers))
}

/// A component, in words for people.
fn named(info: &ComponentInfo, Other { host, port, .. }: &Other) -> String {
    match &info.name {
        Some(name) => format!("{name} ({host}:{port})"),
        None => format!("{host}:{port}"),
    }
}

/// Whether another component of `group` works under a blessing.
pub(super) fn other_is_active(group: &str, state: &State) -> bool {
    others_of(group, state).any(|info| info.active_token().is_some())
}

/// Whether another component of `group` would take a blessing, or has one.
pub(super) fn other_is_ready(group: &str, state: &State) -> bool {
    others_of(group, state).any(|info| info.blessing_res.ready)
}

/// Whether there is another component of `group`.
pub(super) fn has_others(group: &str, state: &State) -> bool {
    others_of(group, state).next().is_some()
}

/// The other components of `group`.
fn others_of<'a>(group: &'a str, state: &'a State) -> impl Iterator<Item = &'a ComponentInfo> {
    let is_other = move |info: &&ComponentInfo| {
        let is_own = |own: &ComponentInfo| (own.cid, own.mid) == (info.cid, info.mid);
        info.group.as_deref() == Some(group) && !state.own.as_ref().is_some_and(is_own)
    };
    state.components.iter().filter(is_other)
}

fn parse(who: &ServerIdentity, info: &ComponentInfo) -> Option<Other> {
    let data: Value = serde_json::from_str(&info.data).ok()?;
    let server = &data["eventer_server"];
    let other = Other {
        server_id: data["server_id"].as_i64()?,
        host: server["host"].as_str()?.to_owned(),
        port: server["port"].as_u64()?.try_into().ok()?,
        is_copied: !who.is_node,
    };
    let token = match &data["server_token"] {
        Value::Null => None,
        Value::String(token) => Some(token),
        _ => return None,
    };
    if who.token.is_some() && !token.is_some_and(|token| token::is(who.token.as_deref(), token)) {
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
        !others(&who(token), "event", &state).0.is_empty()
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
        let (nodes, shared) = others(&node, "event", &state);
        assert_eq!((nodes.len(), shared.len()), (1, 0), "another node has the same");
        let (none, shared) = others(&who(None), "event", &state);
        assert!(none.is_empty() && shared.contains_key(&1), "ours is told as well");
    }

    fn group(servers: &[(i64, i64, &str, u16)]) -> State {
        let own = component(1, "event", "null");
        let mut components = vec![own.clone()];
        for (cid, server_id, name, port) in servers {
            let server = json!({"host": "h", "port": port});
            let data = json!({"server_id": server_id, "eventer_server": server}).to_string();
            let name = Some((*name).into());
            components.push(ComponentInfo { name, ..component(*cid, "event", &data) });
        }
        State { own: Some(own), components: components.into() }
    }

    #[test]
    fn servers_that_share_an_id_are_not_copied_and_count_as_active() {
        let find = |servers: &[_]| others(&who(None), "event", &group(servers));
        let copied = |others: &BTreeSet<Other>| -> Vec<(i64, u16)> {
            others.iter().filter(|one| one.is_copied).map(|one| (one.server_id, one.port)).collect()
        };
        let (b, c, d) = ((2, 2, "b", 1), (3, 2, "c", 2), (4, 3, "d", 3));
        let (apart, none) = find(&[b, d]);
        assert_eq!((copied(&apart), none.len()), (vec![(2, 1), (3, 3)], 0));
        let (mixed, shared) = find(&[b, c, d]);
        assert_eq!((copied(&mixed), mixed.len()), (vec![(3, 3)], 3));
        let names = BTreeSet::from(["b (h:1)".to_owned(), "c (h:2)".to_owned()]);
        assert_eq!(shared, SharedIds::from([(2, names)]));
        // shown twice, and once only
        let (again, none) = find(&[b, (5, 2, "b", 1)]);
        assert_eq!((copied(&again), none.len()), (vec![(2, 1)], 0));
    }

    #[test]
    fn what_is_shared_is_said_once_a_change() {
        let (b, c, d) = ((2, 2, "b", 1), (3, 2, "c", 2), (4, 2, "d", 3));
        let shared = |servers: &[_]| others(&who(None), "event", &group(servers)).1;
        let new = |before: &[_], now: &[_]| new_in(&shared(before), &shared(now)).count();
        assert_eq!(new(&[b], &[b, c]), 1);
        assert_eq!(new(&[b, c], &[c, b]), 0, "the same in another order");
        assert_eq!(new(&[b, c], &[b, c, d]), 1);
        assert_eq!(new(&[b, c], &[b]), 0);
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
