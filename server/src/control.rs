//! Requests to a running server from its own machine, over a Unix socket in the folder of its
//! store.
//!
//! ```text
//! hat store backup DIR TO ── {"backup": "/to"} ─────> DIR/control
//!                         <── {"copied": 4096} … ────
//!                         <── {"done": 5000} ──────── or {"error": "…"}
//! ```
//!
//! Who may use it is who may write to the socket: the user that the server runs as, and root. The
//! copy is made by the server, with its rights, beside its work.

use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tracing::{info, warn};

use crate::store::DiskStore;

/// The name of the socket in the folder of a store.
pub const SOCKET: &str = "control";

/// Bytes of a request, 64 KiB: a path and some words.
const MAX_REQUEST: u64 = 64 << 10;

/// How long a request may take to arrive, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time between a request that failed and the next.
const AFTER_FAULT: Duration = Duration::from_millis(100);

/// A socket that answers, until it is dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    ended: Arc<AtomicBool>,
}

impl Control {
    /// Listens in `folder`, which is that of `store`: what a server that was killed left there is
    /// replaced.
    ///
    /// # Errors
    ///
    /// Those of the system. The path of a socket has some hundred bytes at the most.
    pub fn open(folder: &Path, store: Arc<DiskStore>) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        // nobody else has the store open, so nobody listens there
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let ended = Arc::new(AtomicBool::new(false));
        let control = Self { path, ended: ended.clone() };
        let thread = std::thread::Builder::new().name("hat-control".into());
        // one request at a time: two backups at once are slower than one after the other
        thread.spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let served = stream.and_then(|stream| serve(&stream, &store));
                if let Err(error) = served {
                    warn!(%error, "cannot answer a request on the control socket");
                    // without file descriptors, say, the next one would fail as soon
                    std::thread::sleep(AFTER_FAULT);
                }
            }
        })?;
        Ok(control)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // wakes the thread, which lets go of the store
        drop(UnixStream::connect(&self.path));
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(stream: &UnixStream, store: &DiskStore) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut line)?;
    if line.is_empty() {
        return Ok(());
    }
    let say = |answer: Value| writeln!(&mut { stream }, "{answer}");
    let request: Value = serde_json::from_str(&line).unwrap_or_default();
    let Some(to) = request["backup"].as_str().map(Path::new).filter(|to| to.is_absolute()) else {
        return say(json!({"error": "send {\"backup\": \"/an/absolute/path\"}"}));
    };
    info!(to = %to.display(), "backup started");
    // who asked may be gone: the copy is made all the same
    let copied = store.copy_to(to, |events| drop(say(json!({"copied": events}))));
    match copied {
        Ok(events) => {
            info!(to = %to.display(), events, "backup complete");
            say(json!({"done": events}))
        }
        Err(error) => {
            warn!(to = %to.display(), %error, "backup failed");
            say(json!({"error": error.to_string()}))
        }
    }
}

/// Asks the server that has the store in `folder` open for a copy of it in the folder `to`. Returns
/// how many events that has; `progress` is told how many are there so far.
///
/// # Errors
///
/// Those of the system; what the server says is one, too.
pub fn backup(folder: &Path, to: &Path, mut progress: impl FnMut(u64)) -> io::Result<u64> {
    let stream = UnixStream::connect(folder.join(SOCKET))?;
    let to = std::path::absolute(to)?;
    let to = to.to_str().ok_or_else(|| io::Error::other("the path is not UTF-8"))?;
    writeln!(&mut { &stream }, "{}", json!({"backup": to}))?;
    for line in BufReader::new(&stream).lines() {
        let answer: Value = serde_json::from_str(&line?).map_err(io::Error::other)?;
        if let Some(events) = answer["done"].as_u64() {
            return Ok(events);
        }
        if let Some(error) = answer["error"].as_str() {
            return Err(io::Error::other(error.to_owned()));
        }
        progress(answer["copied"].as_u64().unwrap_or_default());
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server ended before the copy was whole"))
}
