//! The process on the other side.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use hat_tests::runtimes::TestRuntime;

use crate::LONG;

const PROGRAM: &str = env!("CARGO_BIN_EXE_event-server");

/// A process that answers every line with a line. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

/// What a server says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) connections: usize,
    pub(crate) tasks: usize,
    pub(crate) descriptors: usize,
    /// Bytes in memory now, and at most.
    pub(crate) resident: usize,
    pub(crate) peak: usize,
}

impl Process {
    /// Starts `event-server` with as many descriptors as `limit` of `ulimit -n` says.
    #[track_caller]
    fn start(args: &[&str], limit: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!(r#"ulimit -n {limit}; exec "$0" "$@""#), PROGRAM]).args(args);
        // one heap for all threads: what one frees, the others use, and sizes can be compared
        command.env("MALLOC_ARENA_MAX", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the shell starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, stdin, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(LONG).expect("an answer")
    }

    /// Asks for something, and waits until it is done.
    #[track_caller]
    pub(crate) fn ask(&mut self, command: &str) -> String {
        writeln!(self.stdin, "{command}").expect("it reads");
        self.line()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Processor time used up to now, in ticks of 10 ms.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("a process of ours");
        // behind the name, which may hold anything, the 12th and 13th field
        let fields = stat.rsplit_once(") ").expect("a name in parentheses").1.split(' ').skip(11);
        fields.take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An event server on a free port.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts one on the runtime of the test, with all the descriptors that it can have.
    #[track_caller]
    pub(crate) fn start<R: TestRuntime>() -> Self {
        Self::with_descriptors::<R>("$(ulimit -H -n)")
    }

    #[track_caller]
    pub(crate) fn with_descriptors<R: TestRuntime>(limit: &str) -> Self {
        let process = Process::start(&["serve", R::NAME], limit);
        let line = process.line();
        let address = line.strip_prefix("listening ").expect("the address");
        Self { address: address.parse().expect("an address"), process }
    }

    #[track_caller]
    pub(crate) fn report(&mut self) -> Report {
        let line = self.process.ask("report");
        let mut values = line.split(' ').map(|field| {
            let (_, value) = field.split_once('=').expect("a name and a value");
            value.parse::<usize>().expect("a number")
        });
        let mut value = || values.next().expect("one more value");
        let (connections, tasks, descriptors) = (value(), value(), value());
        let (resident, peak) = (value() * 1024, value() * 1024);
        Report { connections, tasks, descriptors, resident, peak }
    }
}

/// Clients in a process of their own, all of them taken by `server`.
#[track_caller]
pub(crate) fn crowd(server: SocketAddr, count: usize) -> Process {
    let args = ["crowd", &server.to_string(), &count.to_string()];
    let crowd = Process::start(&args, "$(ulimit -H -n)");
    assert_eq!(crowd.line(), "up");
    crowd
}
