//! What a client is told to do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

/// The work of a client: what follows the port on its command line.
#[derive(Args, Clone, Debug)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) task: Task,
    /// Bytes of a message.
    pub(crate) size: usize,
    /// Requests in flight; of `each` and a latency, clients.
    pub(crate) count: usize,
    pub(crate) milliseconds: u64,
    /// Requests a second of all clients together, of a latency.
    #[arg(default_value_t = 1)]
    pub(crate) rate: u32,
    /// Connections beside those that ask, which say nothing.
    #[arg(default_value_t = 0)]
    pub(crate) idle: usize,
    /// Over TLS, with a server whose certificate is in this file.
    #[arg(long)]
    pub(crate) tls: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Requests with so many in flight, as fast as they are answered.
    Echo,
    /// Requests on `count` connections, with one in flight on each, as fast as they are answered.
    Each,
    /// Messages one way, as fast as they are taken.
    OneWay,
    /// Requests at a fixed rate, and how long each took.
    Latency,
    /// The same, while another client asks for much and reads little.
    LatencySlow,
}

impl Load {
    pub(crate) fn time(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }

    /// When each request is due, by its number.
    pub(crate) fn due(&self, start: Instant, number: u32) -> Instant {
        start + Duration::from_secs(1) * number / self.rate
    }

    /// Requests that are due within the time.
    pub(crate) fn requests(&self) -> u32 {
        let requests = self.time().as_secs_f64() * f64::from(self.rate);
        // milliseconds times a rate of thousands
        (requests as u32).max(1)
    }
}

/// What a client did: messages of a size, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) messages: usize,
    pub(crate) size: usize,
    pub(crate) seconds: f64,
}

impl Done {
    /// Tells it.
    pub(crate) fn tell(&self) {
        let Self { messages, size, seconds } = *self;
        super::done(&[("messages", messages as f64), ("size", size as f64), ("seconds", seconds)]);
    }
}
