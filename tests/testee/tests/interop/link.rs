//! One connection between two processes.

use hat_tests::peers::chatter::{Layer, Side};
use hat_tests::peers::{self, Handle, Peer};
use serde_json::{Value, json};

/// A connection: its ends, and the server that accepted it.
pub(crate) struct Link<'a> {
    pub(crate) client: Side<'a>,
    pub(crate) accepted: Side<'a>,
    pub(crate) server: Handle,
}

impl<'a> Link<'a> {
    #[track_caller]
    pub(crate) fn new(layer: Layer, client: &'a Peer, server: &'a Peer) -> Self {
        Self::with(layer, client, json!({}), server, json!({}))
    }

    /// With more parameters of `connect` and `listen`.
    #[track_caller]
    pub(crate) fn with(
        layer: Layer,
        client_peer: &'a Peer,
        connect: Value,
        server_peer: &'a Peer,
        listen: Value,
    ) -> Self {
        let listening = layer.listen(server_peer, listen);
        let server = peers::handle(&listening["obj"]);
        let target = layer.target(layer.address(&listening), connect);
        let connected = client_peer.expect(&layer.method("connect"), target);
        let accepted = server_peer.event("accepted", server);
        match layer {
            Layer::Chatter => {
                assert_eq!(connected["info"]["remote_addr"], listening["addresses"][0]);
                assert_eq!(connected["info"]["local_addr"], accepted["info"]["remote_addr"]);
            }
            Layer::Chatter05 => {
                assert_eq!(connected["info"]["remote_address"], listening["addresses"][0]);
                assert_eq!(connected["info"]["local_address"], accepted["info"]["remote_address"]);
            }
        }
        let side = |peer, handle| Side { peer, object: peers::handle(handle), layer };
        let client = side(client_peer, &connected["obj"]);
        Self { client, accepted: side(server_peer, &accepted["conn"]), server }
    }

    /// Both ends, each with the other one.
    pub(crate) fn both_ways(&self) -> [(Side<'a>, Side<'a>); 2] {
        [(self.client, self.accepted), (self.accepted, self.client)]
    }
}
