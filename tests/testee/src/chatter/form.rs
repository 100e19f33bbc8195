//! How parameters and results are written, in the layers `chatter` (dialect `HatChatter`) and
//! `chatter05` (`Hat`).

use std::net::SocketAddr;
use std::time::Duration;

use hat_aio::Address;
use hat_aio::chatter::{self as library, InboxLimits, SendOptions};
use hat_aio::server::AcceptOptions;
use hat_core::chatter::{Config, Conversation, Data, Dialect, Message, PingRule};
use serde_json::{Value, json};

use crate::answer::Failure;
use crate::params::{Params, base64};

/// The form of one layer.
#[derive(Clone, Copy)]
pub(crate) struct Form(pub(crate) Dialect);

/// How a connection is made.
pub(crate) struct Options {
    pub(crate) library: library::ConnectOptions,
    /// Received messages that may wait here; zero is any number.
    pub(super) queue: usize,
}

const TWENTY_SECONDS: Duration = Duration::from_secs(20);

/// What the deployed peers take where nothing is said.
const QUEUE: usize = 1024;

/// Messages that wait in the library in addition to those that wait here: so many that a fast peer
/// is taken in at one go.
const INBOX: usize = 64;

/// The API of `hat-chatter` 0.5 sends at once, whatever waits already.
pub(crate) const AT_ONCE: usize = 1024 * 1024 * 1024;

impl Form {
    /// All but TLS.
    pub(crate) fn options(self, params: &Params) -> Result<Options, Failure> {
        let mut config = Config::new(self.0);
        let queue = match self.0 {
            Dialect::HatChatter => {
                let delay = params.seconds("ping_delay")?.unwrap_or(TWENTY_SECONDS);
                let timeout = params.seconds("ping_timeout")?.unwrap_or(TWENTY_SECONDS);
                config.ping = PingRule::WhenIdle { delay, timeout };
                if delay.is_zero() {
                    config.ping = PingRule::Off;
                }
                params.size("receive_queue_size")?
            }
            Dialect::Hat => {
                let interval = params.seconds("ping_timeout")?.unwrap_or(TWENTY_SECONDS);
                config.ping = PingRule::Every { interval };
                if interval.is_zero() {
                    config.ping = PingRule::Off;
                }
                config.max_queued = AT_ONCE;
                params.size("queue_maxsize")?
            }
        };
        let queue = queue.unwrap_or(QUEUE);
        let messages = if queue == 0 { INBOX } else { queue.min(INBOX) };
        let inbox = InboxLimits { messages, ..InboxLimits::default() };
        let name = self.name(params)?.map(str::to_owned);
        Ok(Options {
            library: library::ConnectOptions { name, config, inbox, ..Default::default() },
            queue,
        })
    }

    /// TLS of our side, which `side` makes of a `pem_file`, and `read` of the parameter `tls`.
    pub(crate) fn tls<T>(
        self,
        params: &Params,
        read: impl Fn(&Params) -> Result<Option<T>, Failure>,
        side: impl Fn(Option<&str>, bool) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match self.0 {
            Dialect::HatChatter => read(params),
            Dialect::Hat => {
                let pem_file = params.optional_text("pem_file")?;
                // of no use to a plain connection, as at the deployed peer
                let is_tls = self.address(params)?.is_tls();
                is_tls.then(|| side(pem_file, false)).transpose()
            }
        }
    }

    pub(crate) fn server_options(self, params: &Params) -> Result<AcceptOptions, Failure> {
        let bind_connections = params.boolean_or("bind_connections", true)?;
        Ok(AcceptOptions { bind_connections, ..AcceptOptions::default() })
    }

    pub(crate) fn address(self, params: &Params) -> Result<Address, Failure> {
        match self.0 {
            Dialect::HatChatter => {
                let addr = params.object("addr")?;
                Ok(Address::new(addr.text("host")?, addr.port()?))
            }
            Dialect::Hat => {
                let text = params.text("address")?;
                match text.split_once("://") {
                    Some(("tcp+sbs" | "ssl+sbs", _)) => text.parse().map_err(Failure::value),
                    _ => Err(Failure::value(format_args!("{text} is no address"))),
                }
            }
        }
    }

    /// The name of connections and servers.
    fn name(self, params: &Params) -> Result<Option<&str>, Failure> {
        params.optional_text("name")
    }

    /// `INFO` of a connection.
    pub(super) fn connection(self, connection: &library::Connection, is_tls: bool) -> Value {
        let name = connection.name();
        let (local, remote) = (connection.local_address(), connection.remote_address());
        match self.0 {
            Dialect::HatChatter => {
                json!({"name": name, "local_addr": addr(local), "remote_addr": addr(remote)})
            }
            Dialect::Hat => {
                json!({"local_address": uri(local, is_tls), "remote_address": uri(remote, is_tls)})
            }
        }
    }

    /// What `listen` answers, but for the handle.
    pub(super) fn server(self, server: &library::Server, is_tls: bool) -> Value {
        let name = server.name();
        let addresses = server.addresses().iter().copied();
        match self.0 {
            Dialect::HatChatter => {
                json!({"name": name, "addresses": addresses.map(addr).collect::<Vec<_>>()})
            }
            Dialect::Hat => {
                json!({"addresses": addresses.map(|it| uri(it, is_tls)).collect::<Vec<_>>()})
            }
        }
    }

    /// What to send.
    pub(super) fn data(self, params: &Params) -> Result<Data, Failure> {
        let data = Data::new(params.text("type")?, params.bytes("data")?);
        let module = match self.0 {
            Dialect::HatChatter => None,
            Dialect::Hat => params.optional_text("module")?.map(Into::into),
        };
        Ok(Data { module, ..data })
    }

    /// How to send it.
    pub(super) fn send_options(self, params: &Params) -> Result<SendOptions, Failure> {
        let conversation = match params.any("conv") {
            None => None,
            Some(_) => {
                let conv = params.object("conv")?;
                let (first_id, owner) = (conv.integer("first_id")?, conv.boolean("owner")?);
                Some(Conversation { first_id, owner })
            }
        };
        let timeout = match self.0 {
            Dialect::HatChatter => None,
            // zero is none at the deployed peer
            Dialect::Hat => params.seconds("timeout")?.filter(|timeout| !timeout.is_zero()),
        };
        let (last, token) = (params.boolean_or("last", true)?, params.boolean_or("token", true)?);
        Ok(SendOptions { conversation, last, token, timeout })
    }

    /// What `receive` answers.
    pub(super) fn message(self, message: &Message) -> Value {
        let Message { data, conversation: of, first, last, token } = message;
        let mut json = json!({
            "type": &*data.r#type,
            "data": base64(&data.data),
            "conv": conversation(*of),
            "first": first,
            "last": last,
            "token": token,
        });
        if self.0 == Dialect::Hat {
            json["module"] = data.module.as_deref().into();
        }
        json
    }
}

/// `CONV`
pub(super) fn conversation(conversation: Conversation) -> Value {
    json!({"owner": conversation.owner, "first_id": conversation.first_id})
}

/// `ADDR`
pub(crate) fn addr(address: SocketAddr) -> Value {
    json!({"host": address.ip().to_string(), "port": address.port()})
}

fn uri(address: SocketAddr, is_tls: bool) -> Value {
    let scheme = if is_tls { "ssl+sbs" } else { "tcp+sbs" };
    format!("{scheme}://{address}").into()
}
