//! Layers `tpkt` and `cotp`, in every pair of implementations.

use hat_tests::peers::{self, Handle, Peer};
use serde_json::{Value, json};

/// A connection of `layer`: the client's and the server's handle, and what both say of it.
pub(crate) fn connected(
    layer: &str,
    client: &Peer,
    server: &Peer,
    options: &Value,
) -> (Handle, Handle, Value, Value) {
    let addr = json!({"host": "127.0.0.1", "port": 0});
    let listening = server.expect(&format!("{layer}.listen"), json!({"addr": addr}));
    let mut target = options.clone();
    target["addr"] = listening["addresses"][0].clone();
    let connected = client.expect(&format!("{layer}.connect"), target);
    let accepted = server.event("accepted", peers::handle(&listening["obj"]));
    let handles = (peers::handle(&connected["obj"]), peers::handle(&accepted["conn"]));
    (handles.0, handles.1, connected["info"].clone(), accepted["info"].clone())
}

/// A message of `size` octets from one to the other.
fn passes(layer: &str, from: (&Peer, Handle), to: (&Peer, Handle), size: usize) {
    let data = peers::to_base64(vec![size as u8; size]);
    from.0.expect(&format!("{layer}.send"), json!({"obj": from.1, "data": data}));
    let received = to.0.expect(&format!("{layer}.receive"), json!({"obj": to.1}));
    assert!(received["data"] == data.as_str(), "{layer}: {size} octets arrived changed");
}

/// All that is tested with one pair.
pub(crate) fn scenarios(client: &Peer, server: &Peer) {
    for (layer, sizes) in [("tpkt", [3, 100, 65531]), ("cotp", [1, 2045, 200_000])] {
        let (ours, theirs, _, _) = connected(layer, client, server, &json!({}));
        for size in sizes {
            passes(layer, (client, ours), (server, theirs), size);
            passes(layer, (server, theirs), (client, ours), size);
        }
        client.expect(&format!("{layer}.drain"), json!({"obj": ours}));
        client.expect("close", json!({"obj": ours}));
        server.event("closed", theirs);
        let gone = server.request(&format!("{layer}.receive"), json!({"obj": theirs}));
        assert_eq!(gone.expect_err("the end").kind, peers::ErrorKind::Connection);
    }

    let tsels = json!({"local_tsel": 1, "remote_tsel": 2});
    let (ours, _, client_info, server_info) = connected("cotp", client, server, &tsels);
    assert_eq!((&client_info["local_tsel"], &client_info["remote_tsel"]), (&json!(1), &json!(2)));
    assert_eq!((&server_info["local_tsel"], &server_info["remote_tsel"]), (&json!(2), &json!(1)));
    assert_eq!(client_info["local_addr"], server_info["remote_addr"]);
    client.expect("close", json!({"obj": ours}));

    let (ours, _, _, _) = connected("tpkt", client, server, &json!({}));
    for size in [2, 65532] {
        let data = peers::to_base64(vec![0; size]);
        let refused = client.request("tpkt.send", json!({"obj": ours, "data": data}));
        assert_eq!(refused.expect_err("no such packet").kind, peers::ErrorKind::Value);
    }
}
