//! How clients are taken or not, and what a server knows of them.

use hat_tests::peers::{ErrorKind, Peer};
use serde_json::{Value, json};

use super::link::Host;

pub(super) fn a_server_learns_who_its_clients_are(client: &Peer, server: &Peer) {
    let listen =
        json!({"status": "operational", "has_connected_cb": true, "has_disconnected_cb": true});
    let host = Host::listen(server, &listen);
    let all = json!({
        "client_name": "čvor 1",
        "client_token": "",
        "subscriptions": [["a", "b"], ["c", "?"], ["a", "*"], ["c", "?"]],
        "server_id": -1,
        "persisted": true,
    });
    let wanted = [
        (
            all,
            json!({"id": 1, "client_name": "čvor 1", "client_token": "", "subscriptions": [["a", "*"], ["c", "?"]],
                     "server_id": -1, "persisted": true}),
        ),
        (
            json!({"client_name": ""}),
            json!({"id": 2, "client_name": "", "client_token": null, "subscriptions": [], "server_id": null,
                "persisted": false}),
        ),
        (
            json!({"client_token": "t", "subscriptions": [["*"]], "server_id": i64::MAX}),
            json!({"id": 3, "client_name": "client", "client_token": "t", "subscriptions": [["*"]],
                "server_id": i64::MAX, "persisted": false}),
        ),
    ];
    let mut clients = Vec::new();
    for (connect, info) in &wanted {
        let connecting = host.start_connect(client, connect.clone());
        let call = host.side.call("connected");
        assert_eq!(&call.params["info"], info);
        call.reply(Ok(Value::Null));
        let (side, status) = connecting.expect();
        assert_eq!(status, "operational");
        clients.push(side);
    }
    let infos: Vec<Value> = wanted.into_iter().map(|(_, info)| info).collect();
    assert_eq!(host.infos(), json!(infos));

    for (side, left) in clients.into_iter().zip(1..) {
        side.close();
        let call = host.side.call("disconnected");
        assert_eq!(call.params["info"], infos[left - 1]);
        assert_eq!(host.infos(), json!(infos[left..]));
        call.reply(Ok(Value::Null));
        side.closes();
    }
}

pub(super) fn a_client_is_told_why_it_is_rejected(client: &Peer, server: &Peer) {
    let listen =
        json!({"has_connected_cb": true, "has_disconnected_cb": true, "close_timeout": 0.2});
    let host = Host::listen(server, &listen);
    for text in ["not you", "x", "ne može: \u{1F512}\n"] {
        let connecting = host.start_connect(client, json!({}));
        host.side.call("connected").reply(Err(text));
        let error = connecting.refused();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Init, text));
        assert_eq!(host.infos(), json!([]));
    }
    // the next one is taken, and the others have not left: they were not there
    let connecting = host.start_connect(client, json!({}));
    host.side.call("connected").reply(Ok(Value::Null));
    let (side, status) = connecting.expect();
    assert_eq!(status, "standby");
    side.close();
    host.side.call("disconnected").reply(Ok(Value::Null));
    host.side.close();
    host.side.closes();
    assert!(server.try_call().is_none());
}

pub(super) fn subscriptions_that_make_no_sense_are_rejected(client: &Peer, server: &Peer) {
    let host = Host::listen(server, &json!({"has_connected_cb": true}));
    let connecting = host.start_connect(client, json!({"subscriptions": [["*", "a"]]}));
    let error = connecting.refused();
    assert_eq!(error.kind, ErrorKind::Init, "{error}");
    assert!(!error.message.is_empty());
    assert!(server.try_call().is_none());
}

pub(super) fn clients_are_known_while_a_callback_waits(client: &Peer, server: &Peer) {
    let host = Host::listen(server, &json!({"has_connected_cb": true, "has_query_cb": true}));
    let connecting = host.start_connect(client, json!({}));
    let call = host.side.call("connected");
    assert_eq!(host.infos(), json!([]));
    call.reply(Ok(Value::Null));
    let (side, _) = connecting.expect();
    let query = side.start("query", json!({"params": {"kind": "latest", "event_types": null}}));
    let call = host.side.call("query");
    assert_eq!(host.infos(), json!([call.params["info"]]));
    let result = json!({"events": [], "more_follows": false});
    call.reply(Ok(result.clone()));
    assert_eq!(query.expect(), result);
}
