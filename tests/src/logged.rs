//! What a person who runs a program with its default settings is told: warnings and errors.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use crate::runtimes::{TestRuntime, sleep};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl Write for Lines {
    /// A line is written at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line).into_owned();
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what this process logs from now on, at the level at which `hat` shows it by default.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::WARN);
        subscriber.with_ansi(false).with_writer(|| Lines).init();
    });
}

/// The first line about the peer at `remote`, once there is one. Tests run at once, and each knows
/// its own by the port.
pub async fn about<R: TestRuntime>(remote: SocketAddr) -> String {
    let remote = format!("remote={remote} ");
    loop {
        let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(line) = lines.into_iter().find(|line| line.contains(&remote)) {
            return line;
        }
        sleep::<R>(Duration::from_millis(5)).await;
    }
}

/// Whether nothing was logged about the peer at `remote`.
pub fn nothing_about(remote: SocketAddr) -> bool {
    let remote = format!("remote={remote} ");
    !LINES.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|it| it.contains(&remote))
}
