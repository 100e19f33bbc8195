// What the crates of this folder have in common: types in the places where a program writes them.

use hat::bytes::Bytes;
use hat::{ByteString, ConnectError, HandshakeFailure, ListenError, SocketOptions};

/// A program keeps what it was told in types of its own.
#[derive(Debug)]
pub enum Failure {
    Connect(ConnectError),
    Listen(ListenError),
    Chatter(hat::chatter::Error),
    Event(hat::eventer::Error),
    Request(hat::eventer::RequestError),
    Juggler(hat::juggler::Error),
    Tls(hat::tls::ConfigError),
    Set(hat::json::SetError),
    Encode(hat::sbs::TooDeep),
    Decode(hat::sbs::DecodeError),
    Handshake(HandshakeFailure),
}

/// The causes within, by protocol.
pub fn cause(failure: &Failure) -> &'static str {
    match failure {
        Failure::Chatter(error) => match error.protocol() {
            Some(hat::chatter::ProtocolError::Closed) => "closed",
            Some(_) => "chatter",
            None => "the socket",
        },
        Failure::Event(error) => match error.protocol() {
            Some(hat::eventer::ProtocolError::Rejected(_)) => "rejected",
            Some(_) => "eventer",
            None => "the socket",
        },
        _ => "another",
    }
}

/// Options of every protocol, with a limit of each machine.
pub struct Options {
    pub socket: SocketOptions,
    pub chatter: hat::chatter::Config,
    pub client: hat::eventer::ClientConfig,
    pub server: hat::eventer::ServerConfig,
    pub observer: hat::observer::Config,
    pub tcp: hat::tcp::Config,
    pub tpkt: hat::tpkt::Config,
    pub cotp: hat::cotp::Config,
    pub ws: hat::ws::Config,
    pub juggler: hat::juggler::ClientConfig,
    pub juggler_server: hat::juggler::ServerConfig,
    pub json: hat::json::Limits,
    pub web: hat::web::Limits,
    pub tls: Option<hat::tls::Acceptor>,
}

pub fn options() -> Options {
    Options {
        socket: SocketOptions::default(),
        chatter: hat::chatter::Config { max_queued: 1 << 20, ..Default::default() },
        client: hat::eventer::ClientConfig { max_requests: 10, ..Default::default() },
        server: hat::eventer::ServerConfig { max_requests: 10, ..Default::default() },
        observer: hat::observer::Config::default(),
        tcp: hat::tcp::Config { max_queued: 1 << 20, ..Default::default() },
        tpkt: hat::tpkt::Config { max_queued: 1 << 20, ..Default::default() },
        cotp: hat::cotp::Config { max_queued: 1 << 20, ..Default::default() },
        ws: hat::ws::Config { max_queued: 1 << 20, ..Default::default() },
        juggler: hat::juggler::ClientConfig { max_requests: 10, ..Default::default() },
        juggler_server: hat::juggler::ServerConfig { max_requests: 10, ..Default::default() },
        json: hat::json::Limits { depth: 10, ..Default::default() },
        web: hat::web::Limits { headers: 50, ..Default::default() },
        tls: None,
    }
}

/// Decisions about those who connect.
pub fn decide(request: &hat::cotp::ConnectRequest) -> hat::cotp::Decision {
    let _: &hat::cotp::ConnectRequest = request;
    hat::cotp::Decision::Confirm(hat::cotp::Response::default())
}

pub fn described(info: &hat::eventer::ClientInfo) -> ByteString {
    info.client_name.clone()
}

pub fn at_fault(error: &hat::cotp::ProtocolError) -> Option<&hat::cotp::Violation> {
    match error {
        hat::cotp::ProtocolError::Protocol(violation) => Some(violation),
        _ => None,
    }
}

/// A number of SBS that no integer of the language holds.
pub fn huge(number: &hat::sbs::Integer) -> hat::sbs::BigInt {
    number.to_big_int()
}

/// What stands behind a COTP handshake, kept until it is used.
pub fn address(raw: &hat::cotp::RawConnection<hat::cotp::Socket<Stream>>) -> std::net::SocketAddr {
    raw.info().remote_address
}

// Messages of the program's own.
hat::sbs::record! {
    pub struct Reading { pub name: String, pub celsius: f32, pub raw: Bytes }
}

pub fn event(reading: &Reading) -> Result<hat::eventer::RegisterEvent, hat::eventer::JsonError> {
    hat::eventer::RegisterEvent::json(["plant/", &*reading.name].concat(), &reading.celsius)
}

pub async fn latest(
    client: &hat::eventer::Client,
) -> Result<hat::eventer::QueryResult, hat::eventer::RequestError> {
    client.query(hat::eventer::LatestParams::of(["plant/*"])).await
}
