//! One connection between this library and a deployed peer.

use std::sync::OnceLock;

use bytes::Bytes;
use hat_aio::chatter::{
    ConnectOptions, Connection, ListenOptions, SendOptions, Server, connect, listen,
};
use hat_aio::server::AcceptOptions;
use hat_core::chatter::{Config, Conversation, Data, Message, PingRule};
use hat_tests::peers::chatter::{Layer, Side};
use hat_tests::peers::{self, Handle, Peer};
use hat_tests::runtimes::TestRuntime;
use serde_json::{Value, json};

pub(crate) const LAYERS: [Layer; 2] = [Layer::Chatter, Layer::Chatter05];

/// The deployed software with that layer. All tests of a process share it: starting it takes longer
/// than most tests.
#[track_caller]
pub(crate) fn deployed(layer: Layer) -> &'static Peer {
    static PEERS: Peers = Peers::new();
    PEERS.of(layer)
}

/// The same, in processes of their own for tests in which time matters: nothing keeps them busy for
/// long.
#[track_caller]
fn punctual(layer: Layer) -> &'static Peer {
    static PEERS: Peers = Peers::new();
    PEERS.of(layer)
}

struct Peers {
    today: OnceLock<Peer>,
    chatter05: OnceLock<Peer>,
}

impl Peers {
    const fn new() -> Self {
        Self { today: OnceLock::new(), chatter05: OnceLock::new() }
    }

    #[track_caller]
    fn of(&self, layer: Layer) -> &Peer {
        match layer {
            Layer::Chatter => self.today.get_or_init(Peer::today),
            Layer::Chatter05 => self.chatter05.get_or_init(Peer::chatter05),
        }
    }
}

/// A connection, and the servers of which one has accepted it.
pub(crate) struct Link {
    pub(crate) ours: Connection,
    pub(crate) theirs: Side<'static>,
    /// Ours, where the peer has connected to us.
    pub(crate) server: Option<Server>,
    /// Theirs, where we have connected to the peer.
    pub(crate) their_server: Option<Handle>,
}

/// How a [`Link`] is made.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) layer: Layer,
    pub(crate) peer: &'static Peer,
    /// Whether the peer listens.
    pub(crate) we_connect: bool,
    pub(crate) options: ConnectOptions,
    /// More parameters for the peer's side.
    pub(crate) params: Value,
    pub(crate) bind_connections: bool,
}

impl Setup {
    /// Both dialects in both directions, without pings.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::with(deployed)
    }

    /// The same, with peers that answer in time.
    pub(crate) fn all_punctual() -> impl Iterator<Item = Self> {
        Self::with(punctual)
    }

    fn with(peer: fn(Layer) -> &'static Peer) -> impl Iterator<Item = Self> {
        let setup = move |layer: Layer, we_connect| Self {
            layer,
            peer: peer(layer),
            we_connect,
            options: ConnectOptions {
                config: Config { ping: PingRule::Off, ..Config::new(layer.dialect()) },
                ..ConnectOptions::default()
            },
            params: layer.pings(0.0),
            bind_connections: true,
        };
        LAYERS.into_iter().flat_map(move |layer| [true, false].map(|it| setup(layer, it)))
    }

    /// With one more parameter for the peer's side.
    pub(crate) fn also(mut self, more: &Value) -> Self {
        let params = self.params.as_object_mut().expect("parameters are an object");
        params.extend(more.as_object().cloned().unwrap_or_default());
        self
    }

    pub(crate) async fn link<R: TestRuntime>(self) -> Link {
        let (layer, peer) = (self.layer, self.peer);
        let side = |handle: &Value| Side { peer, object: peers::handle(handle), layer };
        if self.we_connect {
            let binding = json!({"bind_connections": self.bind_connections});
            let Self { params, options, .. } = self.also(&binding);
            let listening = layer.listen(peer, params);
            let server = peers::handle(&listening["obj"]);
            let connected = connect::<R>(layer.address(&listening), options).await;
            let ours = connected.expect("the peer listens");
            let theirs = side(&peer.event("accepted", server)["conn"]);
            return Link { ours, theirs, server: None, their_server: Some(server) };
        }
        let accept =
            AcceptOptions { bind_connections: self.bind_connections, ..AcceptOptions::default() };
        let options = ListenOptions { accept, ..self.options.into() };
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let server = listen::<R>(address, options).await.expect("a free port");
        let params = layer.target(server.addresses()[0], self.params);
        let theirs = side(&peer.expect(&layer.method("connect"), params)["obj"]);
        let ours = server.accept().await.expect("the peer has connected");
        Link { ours, theirs, server: Some(server), their_server: None }
    }
}

impl Link {
    /// Sends what [`Side::receive`] takes.
    pub(crate) async fn send(&self, data: impl Into<Bytes>, options: SendOptions) -> Conversation {
        let mut data = Data::new("Test.Data", data);
        if self.theirs.layer == Layer::Chatter05 {
            data.module = Some("Test".into());
        }
        self.ours.send(data, options).await.expect("the connection is open")
    }

    /// Receives what [`Side::send`] sent.
    pub(crate) async fn receive(&self, data: &[u8]) -> Message {
        let message = self.ours.receive().await.expect("a message");
        let received = &message.data;
        assert!(
            received.data == data,
            "{} bytes, not the {} sent",
            received.data.len(),
            data.len()
        );
        assert_eq!(&*received.r#type, "Test.Data");
        let module = (self.theirs.layer == Layer::Chatter05).then_some("Test");
        assert_eq!(received.module.as_deref(), module);
        message
    }

    /// Both directions work.
    pub(crate) async fn works(&self) {
        self.send("there", SendOptions::default()).await;
        self.theirs.receive(b"there");
        self.theirs.send(b"back", hat_tests::peers::chatter::ONE);
        self.receive(b"back").await;
    }
}

/// The conversation as the line protocol writes it, seen from the same side.
pub(crate) fn conv(conversation: Conversation) -> Value {
    json!({"owner": conversation.owner, "first_id": conversation.first_id})
}

/// The same conversation, seen from the other side.
pub(crate) fn seen(conversation: Conversation) -> Value {
    conv(Conversation { owner: !conversation.owner, ..conversation })
}
