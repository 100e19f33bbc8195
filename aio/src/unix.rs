//! Unix sockets as addresses: `unix:/run/hat.sock`.

use std::future::poll_fn;
#[cfg(not(unix))]
use std::future::{Future, ready};
use std::io;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::Runtime;
use crate::runtime::{Stream, sleep};

/// A Unix socket that listens, on whatever runtime.
pub trait UnixListener: Send + Sync + 'static {
    /// Takes the next connection.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>>;
}

/// A listening socket and its file, which goes with it.
pub(crate) struct UnixSocket {
    // before `listener`: as long as the socket is open, the system gives the number of its file to
    // no other one
    #[cfg(unix)]
    #[expect(dead_code, reason = "held for its drop")]
    file: file::SocketFile,
    listener: Box<dyn UnixListener>,
}

impl UnixSocket {
    /// Takes the next connection. Cancel safe.
    pub(crate) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        poll_fn(|cx| self.listener.poll_accept(cx)).await
    }
}

/// Before something that another process holds is tried again, the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The next pause, 100 ms at the most.
fn longer(pause: Duration) -> Duration {
    (2 * pause).min(Duration::from_millis(100))
}

/// Connects to the Unix socket at `path`, as the clients of every protocol do. Where the queue of
/// the server is full, some systems say so at once, while they let a client of TCP wait: this one
/// waits, too, for as long as it takes. Dropping the future gives the attempt up.
///
/// # Errors
///
/// Those of [`Runtime::connect_unix`], but for [`WouldBlock`](io::ErrorKind::WouldBlock).
pub async fn connect_unix<R: Runtime>(path: &Path) -> io::Result<Box<dyn Stream>> {
    let mut pause = FIRST_PAUSE;
    loop {
        match R::connect_unix(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep::<R>(pause).await,
            connected => return connected,
        }
        pause = longer(pause);
    }
}

/// What a runtime without Unix sockets says.
pub(crate) fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this platform has no Unix sockets")
}

#[cfg(unix)]
pub(crate) use file::bind;

#[cfg(not(unix))]
pub(crate) fn bind<R: Runtime>(_path: &Path) -> impl Future<Output = io::Result<UnixSocket>> {
    ready(Err(unsupported()))
}

#[cfg(unix)]
mod file {
    use std::fs::{self, File, TryLockError};
    use std::io::{self, ErrorKind};
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::os::unix::net::UnixListener;
    use std::path::{Path, PathBuf};

    use socket2::{Domain, SockAddr, Socket, Type};

    use super::{FIRST_PAUSE, UnixSocket, longer};
    use crate::Runtime;
    use crate::runtime::sleep;

    /// With the pauses in between a second.
    const LOCK_ATTEMPTS: usize = 13;

    /// Listens at `path`. The file of a server that is gone without having removed it makes place;
    /// a server that takes connections, and a file of another kind, do not.
    ///
    /// Who may connect is what the process' umask leaves, and the folder allows.
    pub(crate) async fn bind<R: Runtime>(path: &Path) -> io::Result<UnixSocket> {
        // still the same file where the process changes its folder
        let path = std::path::absolute(path)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        // of two servers that find the same old file, the second must not remove the first's new
        // one
        let lock = lock::<R>(folder).await?;
        let listener = match UnixListener::bind(&path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_left(&path) => {
                fs::remove_file(&path)?;
                UnixListener::bind(&path)
            }
            bound => bound,
        }?;
        drop(lock);
        let file = SocketFile::new(path)?;
        Ok(UnixSocket { listener: R::listen_unix(listener)?, file })
    }

    /// Locks `folder` until the file is dropped. Servers hold the lock for a moment; another
    /// program may hold it for ever, and this thread must not wait for that.
    async fn lock<R: Runtime>(folder: &Path) -> io::Result<File> {
        let failed = |what: &str, error: io::Error| {
            let text = format!("the folder {} cannot be {what}: {error}", folder.display());
            io::Error::new(error.kind(), text)
        };
        let file = File::open(folder).map_err(|error| failed("read", error))?;
        let mut pause = FIRST_PAUSE;
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => sleep::<R>(pause).await,
                Err(TryLockError::Error(error)) => return Err(failed("locked", error)),
            }
            pause = longer(pause);
        }
        let text = format!(
            "the folder {} is locked by another program (flock): end that one, or choose another \
             folder for the socket",
            folder.display()
        );
        Err(io::Error::new(ErrorKind::ResourceBusy, text))
    }

    /// Whether nobody listens any more at the socket whose file is there.
    fn is_left(path: &Path) -> bool {
        let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
        is_socket
            && try_connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    }

    /// Connects, and does not wait: a server whose queue is full of others is one that is there.
    fn try_connect(path: &Path) -> io::Result<()> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    }

    /// Removes the file when it is dropped, unless another one has its place.
    pub(super) struct SocketFile {
        path: PathBuf,
        of: (u64, u64),
    }

    impl SocketFile {
        fn new(path: PathBuf) -> io::Result<Self> {
            let of = Self::number(&path)?;
            Ok(Self { path, of })
        }

        /// The number that the system has given the file.
        fn number(path: &Path) -> io::Result<(u64, u64)> {
            fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
        }
    }

    impl Drop for SocketFile {
        fn drop(&mut self) {
            if Self::number(&self.path).is_ok_and(|of| of == self.of) {
                let _ = fs::remove_file(&self.path);
            }
        }
    }
}
