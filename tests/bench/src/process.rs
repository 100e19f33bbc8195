//! The processes of a run: started, spoken with, watched for their processor time and memory, and
//! ended.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::Add;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// A process that says nothing and does nothing for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Processor time within it, seconds: with less it does nothing.
const WORK: f64 = 1.0;

/// How long a process may take to end by itself once its standard input has.
const GRACE: Duration = Duration::from_secs(1);

/// What is started, as often as there are rounds.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Program {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), variables: Vec::new() }
    }

    /// This program itself, as one of the sides.
    pub(crate) fn itself() -> anyhow::Result<Self> {
        Ok(Self::new(std::env::current_exe()?))
    }

    /// With further arguments.
    pub(crate) fn with<A: ToString>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.to_string()));
        self
    }

    /// With a variable of its environment.
    pub(crate) fn with_variable(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    /// Runs it to its end, and gives what it said.
    pub(crate) fn output(&self) -> anyhow::Result<String> {
        let output = Command::new(&self.path).args(&self.arguments).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A program at work. It ends with its standard input, which is when this is dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn start(program: &Program) -> anyhow::Result<Self> {
        let mut child = Command::new(&program.path)
            .args(&program.arguments)
            .envs(program.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.path.display()))?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let stdin = child.stdin.take();
        let (sender, lines) = channel();
        thread::spawn(move || {
            // ends with the process, or when nobody reads any more
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|it| sender.send(it))
        });
        Ok(Self { child, stdin, lines })
    }

    /// The next line that it says.
    pub(crate) fn line(&self) -> anyhow::Result<String> {
        let mut before = self.used().cpu;
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => bail!("it ended too early"),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.used().cpu;
            if now - before < WORK {
                bail!("it says nothing and does nothing for {PATIENCE:?}");
            }
            before = now;
        }
    }

    /// Says a line to it.
    pub(crate) fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("standard input is piped")?;
        Ok(writeln!(stdin, "{line}")?)
    }

    /// How many files and sockets it has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// What it has used until now, with the processes that it started.
    pub(crate) fn used(&self) -> Usage {
        let nothing = Usage { cpu: f64::NAN, peak: f64::NAN, resident: f64::NAN };
        let mut used = Usage::of(self.child.id()).unwrap_or(nothing);
        let mut pids = children(self.child.id());
        while let Some(pid) = pids.pop() {
            // one that has just ended no longer counts
            used = used + Usage::of(pid).unwrap_or_default();
            pids.extend(children(pid));
        }
        used
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let start = Instant::now();
        while start.elapsed() < GRACE {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        // it may have ended by itself by now
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time, user and system, seconds.
    pub(crate) cpu: f64,
    /// The most memory that it had at a time (`VmHWM`), bytes.
    pub(crate) peak: f64,
    /// The memory that it has (`VmRSS`), bytes.
    pub(crate) resident: f64,
}

impl Usage {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // behind the name, which may hold anything, the 12th and 13th field
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        // the same in nanoseconds, where the process is still there to be asked
        let ticks = (ticks()? + ticks()?) / 100.0;
        let cpu = clock(pid).unwrap_or(ticks);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let (peak, resident) = (bytes(&status, "VmHWM:")?, bytes(&status, "VmRSS:")?);
        Some(Self { cpu, peak, resident })
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            peak: self.peak + other.peak,
            resident: self.resident + other.resident,
        }
    }
}

/// Bytes of memory that are left on this machine.
pub(crate) fn available() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    bytes(&text, "MemAvailable:").context("/proc/meminfo has no `MemAvailable`")
}

/// What a line of `/proc` says that begins with `name`.
fn bytes(text: &str, name: &str) -> Option<f64> {
    let text = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 = text.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// The processor time clock of a process, seconds.
fn clock(pid: u32) -> Option<f64> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?);
    let time = clock_getcpuclockid(pid).and_then(ClockId::now).ok()?;
    Some(Duration::from(time).as_secs_f64())
}

/// What this process has used.
pub(crate) fn used() -> Usage {
    Usage::of(std::process::id()).unwrap_or_default()
}

/// Processes that a process has started and that are still there.
fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let lists = tasks.into_iter().flatten().flatten().map(|task| task.path().join("children"));
    let texts = lists.filter_map(|list| fs::read_to_string(list).ok());
    texts.flat_map(|it| it.split_whitespace().flat_map(str::parse).collect::<Vec<_>>()).collect()
}
