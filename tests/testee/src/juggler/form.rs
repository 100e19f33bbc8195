//! How parameters of both generations are read.

use std::path::PathBuf;
use std::time::Duration;

use hat_aio::Address;
use hat_aio::juggler::{ConnectOptions, WsOptions};
use hat_aio::web::WebOptions;
use hat_core::json::{Pointer, Token, Value};
use hat_core::juggler::{Autoflush, Config, PingRule, server};
use hat_core::ws;

use crate::answer::Failure;
use crate::chatter::AT_ONCE;
use crate::params::{Params, required};
use crate::tls;

/// Where a client connects to, and how.
pub(crate) fn target(params: &Params) -> Result<(Address, WsOptions), Failure> {
    let text = params.text("address")?;
    let wrong = || Failure::value(format_args!("{text} is no address of a WebSocket"));
    let (rest, tls) = match text.split_once("://") {
        Some(("ws", rest)) => (rest, None),
        Some(("wss", rest)) => {
            let tls = tls::read_connector(params)?;
            // without more, the deployed client takes any certificate
            (rest, Some(tls.map_or_else(|| tls::connector(None, false), Ok)?))
        }
        _ => return Err(wrong()),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let ws_path = if path.is_empty() { "/" } else { path };
    let address = host.parse().map_err(|_| wrong())?;
    let credentials = match params.any("auth") {
        None => None,
        Some(_) => {
            let auth = params.object("auth")?;
            Some((auth.text("login")?.to_owned(), auth.text("password")?.to_owned()))
        }
    };
    let config = ws_config();
    let ws_path = ws_path.into();
    Ok((address, WsOptions { ws_path, credentials, tls, config, ..WsOptions::default() }))
}

/// Where a server listens.
pub(crate) fn host(params: &Params) -> Result<Address, Failure> {
    Ok(Address::new(params.text("host")?, params.port()?))
}

/// Requests are sent in the order of their lines: one that waited for room could be overtaken.
pub(crate) fn ws_config() -> ws::Config {
    ws::Config { max_queued: AT_ONCE, ..ws::Config::default() }
}

pub(crate) fn web(params: &Params) -> Result<WebOptions, Failure> {
    let mut web = WebOptions::default();
    if let Some(path) = params.optional_text("ws_path")? {
        web.ws_path = Some(path.to_owned());
    }
    if let Some(path) = params.optional_text("index_path")? {
        web.index_path = Some(path.to_owned());
    }
    if let Some(timeout) = params.seconds("shutdown_timeout")? {
        web.shutdown_timeout = timeout;
    }
    web.static_dir = params.optional_text("static_dir")?.map(PathBuf::from);
    web.htpasswd_file = params.optional_text("htpasswd_file")?.map(PathBuf::from);
    web.tls = tls::read_acceptor(params)?;
    web.no_cache = params.boolean_or("no_cache", web.no_cache)?;
    Ok(web)
}

/// Here `null` is not the default: it is none.
pub(crate) fn autoflush_delay(params: &Params) -> Result<Option<Duration>, Failure> {
    let default =
        || if params.is_null("autoflush_delay") { None } else { Autoflush::DEFAULT_DELAY };
    Ok(params.seconds("autoflush_delay")?.or_else(default))
}

pub(super) fn client(params: &Params, ws: WsOptions) -> Result<ConnectOptions, Failure> {
    let mut options = ConnectOptions { ws, every_change: true, ..ConnectOptions::default() };
    options.config.transport = transport(params)?;
    Ok(options)
}

pub(super) fn server(params: &Params) -> Result<server::Config, Failure> {
    Ok(server::Config {
        transport: transport(params)?,
        autoflush_delay: autoflush_delay(params)?,
        parallel_requests: params.boolean_or("parallel_requests", false)?,
        ..server::Config::default()
    })
}

fn transport(params: &Params) -> Result<Config, Failure> {
    let thirty_seconds = Duration::from_secs(30);
    let delay = params.seconds("ping_delay")?.unwrap_or(thirty_seconds);
    let timeout = params.seconds("ping_timeout")?.unwrap_or(thirty_seconds);
    let mut config = Config { ping: PingRule::WhenIdle { delay, timeout }, ..Config::default() };
    if let Some(size) = params.size("max_segment_size")? {
        config.max_segment_size = size;
    }
    Ok(config)
}

/// A parameter that may be any JSON; absent, it is `null`.
pub(crate) fn json(params: &Params, name: &str) -> Value {
    params.any(name).cloned().map(Value::from).unwrap_or_default()
}

/// A list of names and indexes.
pub(super) fn path(params: &Params) -> Result<Pointer, Failure> {
    let list = required("path", params.read("path", "a list", |path| path.as_array())?)?;
    let token = |token: &serde_json::Value| {
        let index = || token.as_u64().and_then(|index| usize::try_from(index).ok());
        let token = token.as_str().map(Token::from).or_else(|| index().map(Token::from));
        token.ok_or_else(|| Failure::value("path holds what is neither a name nor an index"))
    };
    Ok(Pointer::new(list.iter().map(token).collect::<Result<Vec<_>, _>>()?))
}
