//! The HTTP front of WebSocket servers: requests written by hand, byte for byte, over real sockets,
//! on every runtime.

mod endings;
mod files;
mod handles;
mod hostile;
mod juggler;
mod passwords;
mod peer;
mod peers05;
mod reconnect;
mod servers;
mod slow;
mod upgrades;
mod websocket;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use hat_aio::web::{Socket, WebOptions, WebServer, listen};
use hat_tests::runtimes::{TestRuntime, sleep};

/// A free port of this machine.
fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

async fn server<R: TestRuntime>(options: WebOptions) -> WebServer<Socket<R::Stream>> {
    listen::<R>(local(), options).await.expect("a free port")
}

/// Waits until something is so; the test hangs, and fails by its own limit, if it never is.
async fn until<R: TestRuntime>(mut is: impl FnMut() -> bool) {
    while !is() {
        sleep::<R>(Duration::from_millis(5)).await;
    }
}

/// A folder of its own for a test, gone after it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hat-web-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that changed last on 6 November 1994, 08:49:37 GMT.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a temporary folder");
        fs::write(&path, text).expect("a temporary file");
        let file = fs::File::options().write(true).open(&path).expect("the file");
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        file.set_modified(then).expect("another time");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
