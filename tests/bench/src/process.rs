//! The two processes of a run: started, watched for the time that they keep a processor, and ended.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// A server in a process of its own. It ends with its standard input, or when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts `command`, whose first line is the port that it listens on.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("standard output is piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let port = line.trim().parse().with_context(|| format!("no port: `{line}`"))?;
        Ok(Self { child, port })
    }

    /// Processor seconds that it has used.
    pub(crate) fn cpu(&self) -> f64 {
        cpu_of(&self.child.id().to_string()).unwrap_or(f64::NAN)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor seconds that this process has used.
pub(crate) fn own_cpu() -> f64 {
    cpu_of("self").unwrap_or(f64::NAN)
}

/// User and system time of a process, from `/proc`: in ticks of 10 ms.
fn cpu_of(pid: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // behind the name, which may hold anything, the 12th and 13th field
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

/// Runs `command` to its end and gives what it printed, a number a field.
pub(crate) fn numbers(mut command: Command) -> anyhow::Result<Vec<f64>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout)?;
    text.split_whitespace().map(|field| Ok(field.parse()?)).collect()
}
