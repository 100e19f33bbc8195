//! Events as JSON lines on standard input.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::thread;

use anyhow::{Context, Result};
use hat_core::eventer::RegisterEvent;
use smol::channel::{Receiver, Sender, bounded};

use crate::exit::Failure;
use hat_server::json;

/// The longest line: what a message may hold. More is no line that anyone wrote.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// Bytes of lines after which a batch is not made longer.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches that are read ahead.
const AHEAD: usize = 4;

/// The events of some lines, to be registered as one session.
pub(super) struct Batch {
    pub(super) events: Vec<RegisterEvent>,
    pub(super) lines: RangeInclusive<u64>,
    /// Bytes of these lines, about as many as the events will take.
    pub(super) bytes: usize,
}

/// Reads standard input in a thread of its own: it blocks. A batch ends at `most` events, or where
/// no more are there yet, so that a line is not kept waiting for the next one. The last item may be
/// an error.
pub(super) fn batches(most: usize) -> Receiver<Result<Batch>> {
    let (sender, receiver) = bounded(AHEAD);
    // not joined: it may wait for input when the command ends
    thread::spawn(move || {
        let input = BufReader::with_capacity(64 * 1024, io::stdin().lock());
        let mut lines = Lines { input, number: 0 };
        if let Err(error) = lines.send(&sender, most) {
            // nobody is left to tell it to
            let _ = sender.send_blocking(Err(error));
        }
    });
    receiver
}

struct Lines<R: Read> {
    input: BufReader<R>,
    /// Of the line read last, from 1 on.
    number: u64,
}

impl<R: Read> Lines<R> {
    fn send(&mut self, to: &Sender<Result<Batch>>, most: usize) -> Result<()> {
        loop {
            let (batch, end) = self.batch(most);
            if !batch.events.is_empty() && to.send_blocking(Ok(batch)).is_err() {
                return Ok(());
            }
            match end {
                End::Batch => {}
                End::Input => return Ok(()),
                End::Error(error) => return Err(error),
            }
        }
    }

    fn batch(&mut self, most: usize) -> (Batch, End) {
        let first = self.number + 1;
        let mut batch = Batch { events: Vec::new(), lines: first..=first, bytes: 0 };
        loop {
            let line = match self.next() {
                Ok(Some(line)) => line,
                Ok(None) => return (batch, End::Input),
                Err(error) => return (batch, End::Error(error)),
            };
            batch.bytes += line.len();
            if !line.trim().is_empty() {
                match json::register_event(&line) {
                    Ok(event) => batch.events.push(event),
                    Err(error) => return (batch, End::Error(self.wrong(&error))),
                }
                batch.lines = first..=self.number;
            }
            let full = batch.events.len() == most || batch.bytes >= BATCH_BYTES;
            if full || (self.input.buffer().is_empty() && !batch.events.is_empty()) {
                return (batch, End::Batch);
            }
        }
    }

    fn next(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(MAX_LINE + 1).read_until(b'\n', &mut line);
        read.context("cannot read standard input")?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if line.len() as u64 > MAX_LINE {
            return Err(self.wrong("it is longer than 64 MiB"));
        }
        match String::from_utf8(line) {
            Ok(line) => Ok(Some(line)),
            Err(_) => Err(self.wrong("it is not UTF-8")),
        }
    }

    fn wrong(&self, what: &str) -> anyhow::Error {
        Failure::Input(format!("line {} of standard input: {what}", self.number)).into()
    }
}

/// Why a batch is not longer.
enum End {
    Batch,
    Input,
    Error(anyhow::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn batches(input: &str, most: usize, expected: &[(usize, RangeInclusive<u64>)]) -> Result<()> {
        let (sender, receiver) = smol::channel::unbounded();
        let end = Lines { input: BufReader::new(input.as_bytes()), number: 0 }.send(&sender, most);
        drop(sender);
        let mut batches = Vec::new();
        while let Ok(batch) = receiver.recv_blocking() {
            let batch = batch.expect("errors come last");
            batches.push((batch.events.len(), batch.lines));
        }
        assert_eq!(batches, expected);
        end
    }

    #[test]
    fn lines_make_batches() {
        let line = "{\"type\":\"a\"}\n";
        batches("", 2, &[]).expect("no input is no error");
        batches(&line.repeat(5), 2, &[(2, 1..=2), (2, 3..=4), (1, 5..=5)]).expect("valid lines");
        batches(&format!("\n{line}\n{line}  "), 9, &[(2, 1..=4)]).expect("empty lines are none");
    }

    #[test]
    fn a_wrong_line_is_named_after_those_before_it() {
        let end = batches("{\"type\":\"a\"}\n\n{}\n{\"type\":\"b\"}\n", 9, &[(1, 1..=1)]);
        let error = end.expect_err("line 3 has no type");
        assert_eq!(error.to_string(), "line 3 of standard input: an event needs a field `type`");
    }
}
