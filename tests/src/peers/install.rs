//! Commands that install peers: each says what it does, and ends.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What one command may take, 15 minutes: pip needs 40 s on a quiet machine. One that waits for a
/// registry without a word would hold a test up for ever.
const TIME_LIMIT: Duration = Duration::from_secs(900);

static BEGUN: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);

/// Somebody of this process installs a peer, or waits for another process that does, until this is
/// dropped.
pub(super) struct Installation(());

impl Installation {
    pub(super) fn begin() -> Self {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        ENDED.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a test that takes long may have waited for: whether anything is installed now, and how many
/// times something was.
pub(crate) fn state() -> (bool, usize) {
    let ended = ENDED.load(Ordering::Relaxed);
    (BEGUN.load(Ordering::Relaxed) > ended, ended)
}

/// Gives the file at `path` this content, at once: another process may be running a script that it
/// is, or reading it as its own. One that has it already is left alone.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|before| before == content) {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!("{name}.{}.new", std::process::id()));
    fs::write(&new, content)?;
    fs::rename(new, path)
}

/// Locks `path` against all other tests, in threads and in processes, until what is given is
/// dropped, at the latest when the process ends.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    let lock = File::create(path)?;
    lock.lock()?;
    Ok(lock)
}

/// Runs `command` to its end, and says on standard error, past what captures the output of tests,
/// that it does `what`.
pub(super) fn output(what: &str, command: &mut Command) -> io::Result<Output> {
    let _ = writeln!(io::stderr(), "{what}: once, for all tests");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (all_of(child.stdout.take()), all_of(child.stderr.take()));
    let status = wait(what, &mut child)?;
    let read = |reader: JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
    Ok(Output { status, stdout: read(stdout), stderr: read(stderr) })
}

fn wait(what: &str, child: &mut Child) -> io::Result<std::process::ExitStatus> {
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            let text = format!("{what}: not done within {} s", TIME_LIMIT.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn all_of(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut all);
        }
        all
    })
}
