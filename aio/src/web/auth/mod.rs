//! HTTP Basic authentication (RFC 7617) with an htpasswd file.
//!
//! ```text
//! Authorization ──> user, password ──> verified lately? ──yes──> granted
//!                                            │ no
//!                     file changed? ──read──> hash ──verify──> granted, remembered, or denied
//! ```
//!
//! Reading and verifying run where blocking stops no other task, and few at a time. Some more wait
//! for their turn, and who comes when too many do is answered 503 at once: a password may take a
//! second, and a client that is gone still has its turn, so that those who wait would hold all
//! places of the server otherwise.
//!
//! That a password was right is remembered as a hash with a key of this process, together with the
//! hash in the file: a page of fifty files costs one verification, and a changed password is not
//! right any more. Who is remembered waits for nobody.

mod apr1;
mod gate;
mod htpasswd;
mod watch;

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, header};

use super::super::{Runtime, trace};
use super::decide::Access;
use super::options::Client;
use super::serve::Closer;
use super::websocket::only;
use gate::Gate;
use htpasswd::Hash;
pub use htpasswd::HtpasswdError;
pub(super) use htpasswd::Users;
use watch::Watch;

/// How often the file is looked at, at the most.
const CHECK: Duration = Duration::from_secs(1);

/// Passwords that are remembered.
const RECENT: usize = 256;

/// Bytes of a password. `htpasswd` takes 255.
const MAX_PASSWORD: usize = 1024;

/// Passwords verified at a time: guessers must not take all processors.
const VERIFYING: usize = 2;

/// Passwords that wait to be verified, at the most: each is a connection that is kept.
const WAITING: usize = 64;

/// Who may come in.
#[derive(Debug)]
pub(super) struct Auth {
    path: PathBuf,
    state: Mutex<State>,
    gate: Arc<Gate>,
    /// Keys that nobody knows, for two hashes of 64 bits.
    keys: [RandomState; 2],
    /// Who came in to stay.
    watch: Watch,
}

/// What let a user in: their line in the file.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    user: String,
    hash: Hash,
}

#[derive(Debug)]
struct State {
    file: Result<Arc<Users>, HtpasswdError>,
    stamp: Option<Stamp>,
    checked: Instant,
    /// Verified lately, the oldest first.
    recent: VecDeque<[u64; 2]>,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
}

/// What a request says about its user.
pub(super) struct Credentials {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl Auth {
    /// Reads the file, which must be right.
    pub(super) async fn open<R: Runtime>(path: PathBuf) -> Result<Self, HtpasswdError> {
        let (file, stamp) = load::<R>(&path, None).await.expect("there is no stamp to be the same");
        let (checked, recent) = (R::now(), VecDeque::new());
        let state = State { file: Ok(file?), stamp, checked, recent };
        let keys = [RandomState::new(), RandomState::new()];
        let (gate, watch) = (Gate::new(VERIFYING, WAITING), Watch::default());
        Ok(Self { path, state: Mutex::new(state), gate, keys, watch })
    }

    /// Whether the request may pass, and what lets it.
    pub(super) async fn check<R: Runtime>(&self, headers: &HeaderMap) -> (Access, Option<Pass>) {
        match self.verify::<R>(headers).await {
            Ok(pass) => (Access::User(pass.user.clone()), Some(pass)),
            Err(refused) => (refused, None),
        }
    }

    async fn verify<R: Runtime>(&self, headers: &HeaderMap) -> Result<Pass, Access> {
        self.refresh::<R>().await;
        let users = self.lock().file.clone().map_err(|_| Access::Unavailable)?;
        let Credentials { user, password } = credentials(headers).ok_or(Access::Denied)?;
        let (hash, known) = users.find(&user).ok_or(Access::Denied)?;
        let secret = (&user, &password, hash);
        let proof = [self.keys[0].hash_one(secret), self.keys[1].hash_one(secret)];
        let pass = |user: Vec<u8>, hash: Hash| {
            let user = String::from_utf8(user).map_err(|_| Access::Denied)?;
            Ok(Pass { user, hash })
        };
        let hash = hash.clone();
        if known && self.lock().recent.contains(&proof) {
            return pass(user, hash);
        }
        let permit = self.gate.enter().await.map_err(|crowded| {
            if crowded.is_first {
                trace::passwords_crowded();
            }
            Access::Busy
        })?;
        let held_against = hash.clone();
        let verify = move || {
            // with the work, which goes on also where the client does not wait for it
            let _permit = permit;
            held_against.verify(&password)
        };
        let right = R::unblock(verify).await;
        if !known || !matches!(right, Ok(true)) {
            return Err(Access::Denied);
        }
        let mut state = self.lock();
        if !state.recent.contains(&proof) {
            if state.recent.len() >= RECENT {
                state.recent.pop_front();
            }
            state.recent.push_back(proof);
        }
        drop(state);
        pass(user, hash)
    }

    /// `client`, which `pass` let in, stays: its `connection` ends when the pass is not right any
    /// more.
    pub(super) fn stays(&self, connection: &Arc<Closer>, client: Client, pass: Pass) {
        self.watch.opened(connection, client, pass);
    }

    /// Reads the file again where it changed. While one request does, others go on with what was
    /// read before.
    async fn refresh<R: Runtime>(&self) {
        let stamp = {
            let mut state = self.lock();
            let now = R::now();
            if now < state.checked + CHECK {
                return;
            }
            state.checked = now;
            state.stamp
        };
        let Some((file, stamp)) = load::<R>(&self.path, stamp).await else {
            return;
        };
        if let Err(error) = &file {
            trace::htpasswd_failed(error);
        }
        let mut state = self.lock();
        (state.file, state.stamp) = (file, stamp);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type LoadResult = (Result<Arc<Users>, HtpasswdError>, Option<Stamp>);

/// Reads the file, unless it is as it was.
async fn load<R: Runtime>(path: &Path, known: Option<Stamp>) -> Option<LoadResult> {
    let file = path.to_owned();
    let read = R::unblock(move || read(&file, known)).await.and_then(|read| read);
    match read {
        Ok(None) => None,
        Ok(Some((text, stamp))) => Some((Users::parse(path, &text).map(Arc::new), Some(stamp))),
        Err(error) => {
            let error = HtpasswdError::Read { path: path.to_owned(), error: Arc::new(error) };
            Some((Err(error), None))
        }
    }
}

/// Blocks.
fn read(path: &Path, known: Option<Stamp>) -> io::Result<Option<(Vec<u8>, Stamp)>> {
    let stamp =
        |entry: std::fs::Metadata| Stamp { modified: entry.modified().ok(), size: entry.len() };
    // before it is read: what changes meanwhile is seen the next time
    let now = stamp(std::fs::metadata(path)?);
    if known == Some(now) {
        return Ok(None);
    }
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(htpasswd::MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > htpasswd::MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(Some((text, now)))
}

/// Whom a request says that it is from, for the log.
pub(super) fn user(headers: &HeaderMap) -> Option<String> {
    credentials(headers).map(|it| String::from_utf8_lossy(&it.user).into_owned())
}

/// `Authorization: Basic` with the Base64 of `user:password`, once.
pub(super) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let (scheme, text) = only(headers, header::AUTHORIZATION)?.split_once(' ')?;
    let decoded =
        BASE64.decode(text.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = (decoded[..colon].to_vec(), decoded[colon + 1..].to_vec());
    (password.len() <= MAX_PASSWORD).then_some(Credentials { user, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_and_password(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().expect("a value"));
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        credentials(&headers).map(|found| (text(found.user), text(found.password)))
    }

    #[test]
    fn headers() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(user_and_password("Basic YW5hOnNlY3JldA=="), pair("ana", "secret"));
        assert_eq!(user_and_password("basic  YW5hOmE6Yjpj"), pair("ana", "a:b:c"));
        assert_eq!(user_and_password("Basic OmE="), pair("", "a"));
        for wrong in ["", "Basic", "Basic ", "Basic YW5h", "Basic !!!!", "Bearer YW5hOnNlY3JldA=="]
        {
            assert_eq!(user_and_password(wrong), None, "{wrong}");
        }
        let long = BASE64.encode(format!("ana:{}", "x".repeat(MAX_PASSWORD + 1)));
        assert_eq!(user_and_password(&format!("Basic {long}")), None);
        let mut twice = HeaderMap::new();
        twice.append(header::AUTHORIZATION, "Basic YW5hOnNlY3JldA==".parse().expect("a value"));
        twice.append(header::AUTHORIZATION, "Basic YW5hOnNlY3JldA==".parse().expect("a value"));
        assert!(credentials(&twice).is_none());
    }
}
