//! The options of a web server.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use crate::server::AcceptOptions;
use crate::tls;
use hat_core::options::More;
use hat_core::ws;

/// How a web server answers. The names are those of `hat-juggler`.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// Path of the WebSocket, `/ws`. `None`: there is none.
    pub ws_path: Option<String>,
    /// Where `/` is redirected to, `/index.html`; told relative to `/`, for a proxy that gives the
    /// server a folder. `None`: `/` is a path like any other.
    pub index_path: Option<String>,
    /// Folder of the files that are served. Its subfolders are served too; names that begin with a
    /// dot are not, except `.well-known`. Symbolic links are followed inside the folder, those to
    /// absolute paths too, and never out of it. Default: none.
    pub static_dir: Option<PathBuf>,
    /// Files that are compiled into the program. They come before those of `static_dir`. Default:
    /// none.
    pub embedded: &'static [EmbeddedFile],
    /// An htpasswd file: every request needs one of its users and the password (HTTP Basic
    /// authentication). Hashes may be `$apr1$`, bcrypt (`$2y$`, `$2b$`, `$2a$`) and `{SHA}`; lines
    /// that are empty or begin with `#` are skipped. The file is read again when it changes, which
    /// is looked at once a second at most; while it cannot be read or is wrong, every request gets
    /// 503. So do new users for a moment where 64 passwords wait to be verified already. A
    /// WebSocket that a user opened is closed within some two seconds after the user is taken out
    /// of the file or has another password there. Default: none.
    ///
    /// Basic authentication sends the password with each request: over a network it needs TLS.
    pub htpasswd_file: Option<PathBuf>,
    /// Our side of TLS, where the server is to be `https` and `wss`. See [`tls`]. Default: none.
    pub tls: Option<tls::Acceptor>,
    /// `Cache-Control: no-cache` on every answer: browsers ask again before they show what they
    /// have. Default: true.
    pub no_cache: bool,
    /// Headers of every answer that has none of that name, one of each: a
    /// `Content-Security-Policy`. Default: none.
    pub headers: HeaderMap,
    /// How long requests in progress may take once the server closes, and WebSockets to close, 100
    /// ms. After it their connections are dropped: a client that is gone or does not answer holds
    /// up nobody's end for longer.
    pub shutdown_timeout: Duration,
    /// The client's address is what the last proxy says in `Forwarded` or `X-Forwarded-For`. Only
    /// for servers that cannot be reached but through that proxy: anyone else could write there
    /// what they like. Default: false.
    pub trust_proxy: bool,
    /// Names of this server, without ports. A request whose `Host` is none of them, no IP address
    /// and not `localhost` gets 421: else a name server can give its own name for this server's
    /// address, and a page of that name is one of the same site (DNS rebinding). Default: `None`,
    /// any name.
    pub hosts: Option<Vec<String>>,
    /// Pages of which sites may open the WebSocket. Default: those of this server.
    pub origins: Origins,
    /// Compresses the messages of WebSockets whose clients can (permessage-deflate, RFC 7692): the
    /// answer to the handshake says so, and [`Upgrade::deflate`](super::Upgrade::deflate) what was
    /// agreed on. Default: `None`, since a compressed message costs both ends time and memory, most
    /// of which a fast network is quicker than.
    pub deflate: Option<ws::Deflate>,
    /// Answers of the application's own. Asked before files. Default: none.
    pub routes: Option<Routes>,
    /// What a client may ask of the server.
    pub limits: Limits,
    /// How connections are treated.
    pub accept: AcceptOptions,
    #[doc(hidden)]
    pub more: More,
}

impl Default for WebOptions {
    fn default() -> Self {
        Self {
            ws_path: Some("/ws".into()),
            index_path: Some("/index.html".into()),
            static_dir: None,
            embedded: &[],
            htpasswd_file: None,
            tls: None,
            no_cache: true,
            headers: HeaderMap::new(),
            shutdown_timeout: Duration::from_millis(100),
            trust_proxy: false,
            hosts: None,
            origins: Origins::Same,
            deflate: None,
            routes: None,
            limits: Limits::default(),
            accept: AcceptOptions::default(),
            more: More::default(),
        }
    }
}

/// Pages of which sites may open the WebSocket. A browser sends the user's password and cookies
/// whatever page opens it, so a page from elsewhere could read what the user can. Programs that are
/// no browsers send no `Origin` and are not held to this.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Those of this server: host and port of `Origin` are those of `Host`. Behind a proxy that
    /// changes `Host`, use a list.
    Same,
    /// Those of these sites, each as browsers write it: `https://plant.example:8443`.
    List(Vec<String>),
    /// Any.
    Any,
}

/// What a client may ask of the server. What is over a limit is refused, and where it must be, the
/// connection closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's first line and headers, 16 KiB: browsers stay below 8 KiB, cookies
    /// included. At least 8 KiB. Over it: 431.
    pub head_size: usize,
    /// Headers of a request, 100: several times what browsers send; at most 16 384. Over it: 431.
    pub headers: usize,
    /// Time for a whole head, and with it for how long a connection may be idle between two
    /// requests: counted from when the connection is open or the last answer written, 30 s. After
    /// it the connection is closed.
    pub head_timeout: Duration,
    /// Bytes of a request's body, 1 MiB. Only [`Routes`] get bodies. Over it: 413.
    pub body_size: usize,
    /// Time for a request's body, 30 s. After it: 408.
    pub body_timeout: Duration,
    /// A connection whose client takes nothing of an answer for so long is closed, 30 s.
    pub stall_timeout: Duration,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_size: 16 * 1024,
            headers: 100,
            head_timeout: Duration::from_secs(30),
            body_size: 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            more: More::default(),
        }
    }
}

/// A file that is compiled into the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedFile {
    /// Its path in URLs, from `/` on.
    pub path: &'static str,
    /// What it is: `text/html; charset=utf-8`.
    pub content_type: &'static str,
    /// What is in it: `include_bytes!`.
    pub bytes: &'static [u8],
}

/// Who sent a request. In the extensions of every request that [`Routes`] get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The IP address; with [`WebOptions::trust_proxy`], what the proxy wrote, as it wrote it.
    pub address: String,
    /// The user, where a password was asked for.
    pub user: Option<String>,
}

type AnswerFuture = Pin<Box<dyn Future<Output = Option<Response<Bytes>>> + Send>>;

/// An application's own answers, also to other methods than `GET`.
///
/// Asked with each request but those for the WebSocket and, where that is redirected, for `/`; the
/// body is complete and within its limit. Where there is no answer, files are looked for.
///
/// ```
/// use bytes::Bytes;
/// use hat_aio::web::{Routes, http::{Request, Response}};
///
/// let routes = Routes::new(|request: Request<Bytes>| async move {
///     (request.uri().path() == "/health").then(|| Response::new(Bytes::from("fine")))
/// });
/// ```
#[derive(Clone)]
pub struct Routes(Arc<dyn Fn(Request<Bytes>) -> AnswerFuture + Send + Sync>);

impl Routes {
    /// Routes that `answer` decides.
    pub fn new<F, A>(answer: F) -> Self
    where
        F: Fn(Request<Bytes>) -> A + Send + Sync + 'static,
        A: Future<Output = Option<Response<Bytes>>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(answer(request))))
    }

    pub(super) fn ask(&self, request: Request<Bytes>) -> AnswerFuture {
        (self.0)(request)
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Routes")
    }
}
