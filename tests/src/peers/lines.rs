//! What a process prints, line by line.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use super::TIME_LIMIT;

/// The lines that a process prints, for a test that knows which one comes next.
#[derive(Debug)]
pub struct Lines(mpsc::Receiver<String>);

impl Lines {
    /// Those of `output`, a pipe.
    pub fn of(output: impl Read + Send + 'static) -> Self {
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            // until nobody wants any
            lines.map(|line| send.send(line)).take_while(Result::is_ok).for_each(drop);
        });
        Self(lines)
    }

    /// The next line. Blocks.
    ///
    /// # Panics
    ///
    /// Where the process ends instead, or prints nothing within [`TIME_LIMIT`]: says then that the
    /// test waited for `what`.
    #[track_caller]
    pub fn next(&self, what: &str) -> String {
        match self.0.recv_timeout(TIME_LIMIT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{what}: the process printed nothing for {} s", TIME_LIMIT.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => panic!("{what}: the process ended instead"),
        }
    }
}
