//! One request, one answer: carries out what was decided.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use super::super::runtime::within;
use super::super::{Runtime, trace};
use super::ListenError;
use super::answer::Answer;
use super::auth::{self, Auth, Pass};
use super::body::Body;
use super::client;
use super::decide::{Access, Decision, Otherwise, Rules, decide};
use super::files::Files;
use super::host;
use super::options::{Client, Limits, Routes, WebOptions};
use super::websocket;
use hat_core::ws::{Deflate, DeflateAgreement};

/// All that requests are answered from.
#[derive(Debug)]
pub(super) struct Site {
    rules: Rules,
    pub(super) auth: Option<Auth>,
    files: Files,
    routes: Option<Routes>,
    no_cache: bool,
    headers: HeaderMap,
    deflate: Option<Deflate>,
    trust_proxy: bool,
    pub(super) limits: Limits,
}

/// An upgrade that was answered: how the connection is had, once hyper is done with it.
pub(super) struct AnsweredUpgrade {
    pub(super) connection: OnUpgrade,
    pub(super) client: Client,
    pub(super) head: Parts,
    /// What let it in, where there are passwords.
    pub(super) pass: Option<Pass>,
    /// How messages are compressed, where they are.
    pub(super) deflate: Option<DeflateAgreement>,
}

/// Where the service of a connection leaves the upgrade for its task.
pub(super) type UpgradeSlot = Arc<Mutex<Option<AnsweredUpgrade>>>;

impl Site {
    pub(super) async fn new<R: Runtime>(options: WebOptions) -> Result<Self, ListenError> {
        let path = |path: Option<String>, name| match path {
            Some(path) if !path.starts_with('/') => Err(ListenError::Path { name, path }),
            path => Ok(path),
        };
        let index_path = path(options.index_path, "index_path")?.map(|path| {
            HeaderValue::try_from(format!(".{path}"))
                .map_err(|_| ListenError::Path { name: "index_path", path })
        });
        if let Some(folder) = options.static_dir.clone() {
            let entry = R::unblock(move || std::fs::read_dir(folder).map(|_| ()));
            if let Err(error) = entry.await.and_then(|entry| entry) {
                let path = options.static_dir.unwrap_or_default();
                return Err(ListenError::StaticDir { path, error: Arc::new(error) });
            }
        }
        let auth = match options.htpasswd_file {
            Some(path) => Some(Auth::open::<R>(path).await?),
            None => None,
        };
        Ok(Self {
            rules: Rules {
                ws_path: path(options.ws_path, "ws_path")?,
                index_path: index_path.transpose()?,
                hosts: options.hosts,
                origins: options.origins,
                routes: options.routes.is_some(),
                body_size: options.limits.body_size,
            },
            auth,
            files: Files::new(options.embedded, options.static_dir),
            routes: options.routes,
            no_cache: options.no_cache,
            headers: options.headers,
            deflate: options.deflate,
            trust_proxy: options.trust_proxy,
            limits: options.limits,
        })
    }

    /// The answer to a request from `remote`. An upgrade is left in `slot`.
    pub(super) async fn answer<R: Runtime>(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        remote: String,
        slot: UpgradeSlot,
    ) -> Result<Response<Body>, Infallible> {
        let connection = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let (access, pass) = match &self.auth {
            Some(auth) => auth.check::<R>(&head.headers).await,
            None => (Access::Open, None),
        };
        let mut response = match decide(&head, &self.rules, &access) {
            Decision::Answer(answer) => {
                self.tell(&head, remote, &answer);
                answer.into()
            }
            Decision::File(path) => self.files.answer::<R>(&path, &head).await,
            Decision::WebSocket(accept) => {
                let client = self.client(&head, remote, access);
                let (response, agreement) =
                    websocket::agree(accept, &head.headers, &[], self.deflate, Body::empty());
                let deflate = agreement.deflate;
                let upgrading = AnsweredUpgrade { connection, client, head, pass, deflate };
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrading);
                response
            }
            Decision::Routes(otherwise) => {
                let client = self.client(&head, remote, access);
                self.ask_routes::<R>(head, body, client, otherwise).await
            }
        };
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        headers
            .entry(header::X_CONTENT_TYPE_OPTIONS)
            .or_insert(HeaderValue::from_static("nosniff"));
        if self.no_cache {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        Ok(response)
    }

    /// Tells the server's log who was refused for what can be changed there.
    fn tell(&self, head: &Parts, remote: String, answer: &Answer) {
        let address = || self.client(head, remote, Access::Denied).address;
        match answer.status {
            StatusCode::MISDIRECTED_REQUEST => {
                trace::host_refused(&address(), host::site(head).unwrap_or_default());
            }
            StatusCode::FORBIDDEN => {
                let origin = websocket::only(&head.headers, header::ORIGIN);
                trace::origin_refused(&address(), origin.unwrap_or_default());
            }
            // a browser first asks without
            StatusCode::UNAUTHORIZED if head.headers.contains_key(header::AUTHORIZATION) => {
                trace::password_refused(&address(), auth::user(&head.headers).as_deref());
            }
            _ => {}
        }
    }

    fn client(&self, head: &Parts, remote: String, access: Access) -> Client {
        let forwarded = if self.trust_proxy { client::forwarded(&head.headers) } else { None };
        let user = match access {
            Access::User(user) => Some(user),
            _ => None,
        };
        Client { address: forwarded.unwrap_or(remote), user }
    }

    async fn ask_routes<R: Runtime>(
        &self,
        head: Parts,
        body: Incoming,
        client: Client,
        otherwise: Otherwise,
    ) -> Response<Body> {
        let body = within::<R, _>(self.limits.body_timeout, collect(body, self.limits.body_size));
        let body = match body.await {
            Some(Ok(body)) => body,
            Some(Err(answer)) => return answer.into(),
            None => return Answer::body_too_slow().into(),
        };
        if let Some(routes) = &self.routes {
            let mut request = Request::from_parts(head.clone(), body);
            request.extensions_mut().insert(client);
            if let Some(response) = routes.ask(request).await {
                return response.map(Body::from);
            }
        }
        match otherwise {
            Otherwise::Answer(answer) => answer.into(),
            Otherwise::File(path) => self.files.answer::<R>(&path, &head).await,
        }
    }
}

/// The whole body, of at most `limit` bytes.
async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Answer> {
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Answer::bad_body())?;
        // trailers are nobody's business
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > limit - all.len() {
            return Err(Answer::body_too_large());
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}
