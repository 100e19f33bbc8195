//! `hat` as a process whose output is read line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Whatever takes longer hangs: nothing here needs more than a second or two, on a busy machine
/// many times that.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// A process, killed on drop.
pub(crate) struct Hat {
    child: Child,
    stdout: Option<Receiver<String>>,
    stderr: Receiver<String>,
}

/// What is left of a process.
#[derive(Debug)]
pub(crate) struct RunOutput {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Hat {
    /// Starts `hat`; arguments are separated by white space.
    pub(crate) fn start(args: &str) -> Self {
        Self::start_with(args, "")
    }

    /// The same with something on standard input, which ends then.
    pub(crate) fn start_with(args: &str, input: &str) -> Self {
        Self::start_in(args, input, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn start_in(args: &str, input: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_hat")), args, input, variables)
    }

    /// The same by a command that runs `hat`, with arguments of its own.
    pub(crate) fn start_by(
        mut command: Command,
        args: &str,
        input: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        prepare(&mut command, args);
        command.envs(variables.iter().copied());
        Self::spawn(command, input)
    }

    /// One whose standard input stays open, as a terminal does, to be written by the test.
    pub(crate) fn start_open(args: &str) -> (Self, ChildStdin) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hat"));
        prepare(&mut command, args);
        Self::spawn_open(command)
    }

    /// Any command, with something on standard input.
    pub(crate) fn spawn(command: Command, input: &str) -> Self {
        let (hat, mut stdin) = Self::spawn_open(command);
        let input = input.to_owned();
        // the process may end without reading it
        thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        hat
    }

    fn spawn_open(mut command: Command) -> (Self, ChildStdin) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        (Self { child, stdout: Some(stdout), stderr }, stdin)
    }

    /// The next line of standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let stdout = self.stdout.as_ref().expect("still read");
        stdout.recv_timeout(TIME_LIMIT).expect("one more line of output")
    }

    /// The same, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// The next line of standard error.
    #[track_caller]
    pub(crate) fn error_line(&self) -> String {
        self.stderr.recv_timeout(TIME_LIMIT).expect("one more line of errors")
    }

    /// Reads its output no more: a write is a broken pipe then.
    pub(crate) fn stop_reading(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the process can be asked").is_some()
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(status.expect("there is kill").success());
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn end(mut self) -> RunOutput {
        let stdout = self.stdout.take().map(|lines| rest(&lines)).unwrap_or_default();
        let stderr = rest(&self.stderr);
        let status = self.wait();
        let ended = RunOutput { code: status.code(), stdout, stderr };
        assert!(!ended.stderr.iter().any(|line| line.contains("panicked")), "{ended:?}");
        ended
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < TIME_LIMIT {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("the process does not end");
    }
}

impl Drop for Hat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RunOutput {
    /// A success without a word on standard error; the output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        assert_eq!((self.code, &self.stderr[..]), (Some(0), &[][..]), "{:?}", self.stdout);
        let parse = |line: &String| serde_json::from_str(line).expect("a JSON line");
        self.stdout.iter().map(parse).collect()
    }

    /// A success without a word on standard error; the lines.
    #[track_caller]
    pub(crate) fn json_lines(self) -> Vec<String> {
        assert_eq!((self.code, &self.stderr[..]), (Some(0), &[][..]), "{:?}", self.stdout);
        self.stdout
    }

    /// A failure with this code, whatever was printed before it.
    #[track_caller]
    pub(crate) fn failed_after(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self:?}");
    }

    /// A failure with this code, which says exactly one line and prints nothing.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stderr.len()), (Some(code), 1), "{self:?}");
        assert_eq!(self.stdout, [""; 0]);
        let line = &self.stderr[0];
        assert!(line.starts_with("error: ") && line.len() < 400, "{line}");
        line
    }
}

/// Runs `hat` to its end.
#[track_caller]
pub(crate) fn hat(args: &str) -> RunOutput {
    Hat::start(args).end()
}

/// The same with something on standard input.
#[track_caller]
pub(crate) fn hat_with(args: &str, input: &str) -> RunOutput {
    Hat::start_with(args, input).end()
}

/// A server on a free port.
pub(crate) struct Server {
    pub(crate) hat: Hat,
    pub(crate) address: String,
}

impl Server {
    /// One that registers nothing of itself, and counts sessions from 1: tests can count along.
    #[track_caller]
    pub(crate) fn start(runtime: &str, args: &str) -> Self {
        Self::start_of(runtime, &format!("--numbering stored {args}"))
    }

    /// One that registers nothing of itself.
    #[track_caller]
    pub(crate) fn start_of(runtime: &str, args: &str) -> Self {
        Self::start_whole(runtime, &format!("--no-own-events {args}"))
    }

    /// One as it is. Without `--listen` it is on a free port.
    #[track_caller]
    pub(crate) fn start_whole(runtime: &str, args: &str) -> Self {
        let listen = if args.contains("--listen ") { "" } else { "--listen 127.0.0.1:0" };
        let hat = Hat::start(&format!("serve {listen} --runtime {runtime} {args}"));
        Self::of(hat, args.contains("--store "))
    }

    /// One that was started, once it listens.
    #[track_caller]
    pub(crate) fn of(hat: Hat, has_store: bool) -> Self {
        // a client may come, and be refused, before the server says where it listens
        let mut lines = std::iter::repeat_with(|| hat.error_line());
        let line = lines.find(|line| !line.contains(" WARN ")).expect("without an end");
        let rest = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        // whoever has no disk says so
        let in_memory = " (events are in memory only)";
        let address = match has_store {
            true => rest,
            false => rest.strip_suffix(in_memory).unwrap_or_else(|| panic!("{line}")),
        };
        let address = address.to_owned();
        Self { hat, address }
    }
}

/// Arguments of `hat`; the environment of whoever runs the tests is none of theirs.
fn prepare(command: &mut Command, args: &str) {
    command.args(args.split_whitespace());
    for name in
        ["HAT_TOKEN", "HAT_CONNECT", "HAT_SERVER", "HAT_CONFIG", "HOME", "RUST_LOG", "COLUMNS"]
    {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", "/nonexistent");
}

fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            // nobody reads any more: the pipe closes
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[track_caller]
fn rest(lines: &Receiver<String>) -> Vec<String> {
    let mut rest = Vec::new();
    loop {
        match lines.recv_timeout(TIME_LIMIT) {
            Ok(line) => rest.push(line),
            Err(RecvTimeoutError::Disconnected) => return rest,
            Err(RecvTimeoutError::Timeout) => panic!("the output does not end: {rest:?}"),
        }
    }
}
