//! Batches of events on their way to the server, many at once.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending, ready};
use std::io;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Result;
use hat_aio::Runtime;
use hat_aio::eventer::RequestError;
use hat_core::eventer::Event;
use indicatif::ProgressBar;
use smol::channel::Receiver;

use super::input::{Batch, Item};
use crate::client::ServerClient;
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress;
use crate::runtime::sleep;

/// Requests that may be open: enough to keep a server busy that is far away.
const MAX_OPEN: usize = 64;

/// Bytes that open requests may have: less than what the client's send queue takes, so that each is
/// sent when it is made, and none overtakes another.
const MAX_OPEN_BYTES: usize = 4 * 1024 * 1024;

/// Failed lines that are named at the end.
const NAMED: usize = 20;

pub(super) type Answer = Result<Option<Vec<Event>>, RequestError>;

pub(super) fn registered(server: &ServerClient, answer: Answer) -> Result<Vec<Event>> {
    let events = answer.map_err(|error| Failure::of_request(&server.address, error))?;
    Ok(events.ok_or(Failure::NotRegistered)?)
}

/// Batches on their way to the server, which answers them in order.
///
/// After a failure no more input is taken, and what is on its way is waited for: whoever goes on
/// from there knows what the server has.
pub(super) struct Pipeline<'a> {
    server: &'a ServerClient,
    open: VecDeque<OpenBatch>,
    open_bytes: usize,
    output: Option<&'a mut Output>,
    progress: Progress,
    /// A line that fails is not the end.
    keep_going: bool,
    /// Batches that were sent.
    batches: usize,
    /// The last of their lines.
    last_line: u64,
    failed: FailedLines,
    /// The lines that were on their way when the connection was lost.
    uncertain: Option<RangeInclusive<u64>>,
    end: Option<End>,
}

/// Lines that failed.
#[derive(Default)]
struct FailedLines {
    lines: u64,
    /// The first of them.
    named: Vec<RangeInclusive<u64>>,
    /// Lines that were not events were among them.
    wrong: bool,
}

struct OpenBatch {
    answer: Pin<Box<dyn Future<Output = Answer>>>,
    lines: RangeInclusive<u64>,
    events: usize,
    bytes: usize,
}

/// What the pipeline waits for.
enum Next {
    Answer(Answer),
    Item(Result<Item>),
    Due,
    EndOfInput,
    Interrupted,
}

/// Why no more input is taken.
enum End {
    Input,
    Interrupted,
    /// The first failure, or the first that one does not go on after.
    Failed(anyhow::Error),
}

impl<'a> Pipeline<'a> {
    /// Prints to `output` what was registered, where there is one.
    pub(super) fn new(
        server: &'a ServerClient,
        output: Option<&'a mut Output>,
        keep_going: bool,
    ) -> Self {
        let progress = Progress::start(output.is_some());
        Self {
            server,
            open: VecDeque::new(),
            open_bytes: 0,
            output,
            progress,
            keep_going,
            batches: 0,
            last_line: 0,
            failed: FailedLines::default(),
            uncertain: None,
            end: None,
        }
    }

    /// Registers all items, each batch when it is due, and gives the count of the events that were
    /// registered. After a failure or Ctrl-C it waits for the answers to what is on its way. Ctrl-C
    /// is a failure where the input has an end: then not all of it was registered.
    pub(super) async fn run<R: Runtime>(
        mut self,
        items: Receiver<Result<Item>>,
        ends: bool,
    ) -> Result<usize> {
        let interrupt = Interrupt::watch()?;
        let mut start = Instant::now();
        let mut waiting: Option<Batch> = None;
        // what follows a line that is wrong
        let mut unread = false;
        loop {
            let has_room = self.open.len() < MAX_OPEN && self.open_bytes < MAX_OPEN_BYTES;
            let over = self.end.is_some();
            let input = async {
                match &waiting {
                    _ if over || !has_room => pending().await,
                    Some(batch) => {
                        let due = batch.due.unwrap_or_default();
                        sleep::<R>(due.saturating_sub(start.elapsed())).await;
                        Next::Due
                    }
                    None => items.recv().await.map_or(Next::EndOfInput, Next::Item),
                }
            };
            let asked = async {
                if over {
                    return pending().await;
                }
                interrupt.wait().await;
                Next::Interrupted
            };
            // before the input, which may always have one more
            let input = smol::future::or(asked, input);
            let next = match self.open.front_mut() {
                Some(open) => {
                    let answer = async { Next::Answer(open.answer.as_mut().await) };
                    smol::future::or(answer, input).await
                }
                None if over => break,
                None => input.await,
            };
            match next {
                Next::Answer(answer) => self.answered(answer),
                Next::Item(Ok(Item::Batch(batch))) => waiting = Some(batch),
                Next::Item(Ok(Item::Wrong { line, error })) => self.wrong(line, &error),
                Next::Item(Err(error)) => {
                    unread = true;
                    self.fail(error);
                }
                Next::EndOfInput => self.end = Some(End::Input),
                Next::Interrupted => self.end = Some(End::Interrupted),
                Next::Due => {
                    if let Some(batch) = waiting.take() {
                        // what could not be registered in time is not made up for in a burst
                        let due = batch.due.unwrap_or_default();
                        start += start.elapsed().saturating_sub(due + LATE);
                        self.ask(batch).await;
                    }
                }
            }
        }
        self.progress.finish();
        let more = match waiting {
            Some(_) => More::Known,
            None if unread => More::Unknown,
            None if items.try_recv().is_ok() => More::Known,
            None if items.is_closed() => More::Nothing,
            None => More::Unknown,
        };
        self.outcome(ends, more)
    }

    /// Sends a batch. The library sends with the first poll, so that comes now.
    async fn ask(&mut self, batch: Batch) {
        let Batch { events, lines, bytes, .. } = batch;
        let (client, count) = (self.server.client.clone(), events.len());
        let mut answer: Pin<Box<dyn Future<Output = Answer>>> =
            Box::pin(async move { client.register_with_response(&events).await });
        if let Some(answered) = smol::future::poll_once(&mut answer).await {
            answer = Box::pin(ready(answered));
        }
        self.batches += 1;
        self.last_line = *lines.end();
        self.open_bytes += bytes;
        self.open.push_back(OpenBatch { answer, lines, events: count, bytes });
    }

    fn answered(&mut self, answer: Answer) {
        let Some(OpenBatch { lines, events, bytes, .. }) = self.open.pop_front() else { return };
        self.open_bytes -= bytes;
        let lost = matches!(answer, Err(RequestError::Ended(_)));
        match registered(self.server, answer) {
            Ok(registered) => {
                self.progress.advance(registered.len(), bytes);
                self.print(&registered);
            }
            Err(error) if lost => self.lost(lines, error),
            Err(error) => {
                let error = error.context(format!("lines {} to {}", lines.start(), lines.end()));
                self.failed.add(lines, events as u64);
                if self.keep_going {
                    self.progress.say(&format!("{error:#}"));
                } else {
                    self.fail(error);
                }
            }
        }
    }

    fn print(&mut self, events: &[Event]) {
        if let Some(output) = &mut self.output
            && let Err(error) = output.events(events)
        {
            // said once
            self.output = None;
            self.fail(error);
        }
    }

    /// The answer to these lines will never be known; the reason is the same for all of them.
    fn lost(&mut self, lines: RangeInclusive<u64>, error: anyhow::Error) {
        let first = match &self.uncertain {
            Some(earlier) => *earlier.start(),
            None => {
                self.fail(error);
                *lines.start()
            }
        };
        self.uncertain = Some(first..=*lines.end());
    }

    fn wrong(&mut self, line: u64, error: &anyhow::Error) {
        self.progress.say(&format!("{error:#}"));
        self.failed.wrong = true;
        self.failed.add(line..=line, 1);
    }

    /// No more input is taken. The first such failure is how the command ends, later ones are said.
    fn fail(&mut self, error: anyhow::Error) {
        match &self.end {
            Some(End::Failed(_)) => self.progress.say(&format!("{error:#}")),
            _ => self.end = Some(End::Failed(error)),
        }
    }

    /// What it came to, once every answer is there.
    fn outcome(mut self, ends: bool, more: More) -> Result<usize> {
        let (registered, failed) = (self.progress.events, self.failed.lines > 0);
        match self.end.take() {
            Some(End::Failed(error)) => Err(self.failure(error, more)),
            Some(End::Interrupted) if ends && !failed => {
                let text = format!(
                    "{registered} events were registered, and the ones after them were not"
                );
                Err(Failure::Interrupted(text).into())
            }
            end if failed => {
                let stopped = matches!(end, Some(End::Interrupted)) && more != More::Nothing;
                Err(Failure::Lines { text: self.summary(stopped), wrong: self.failed.wrong }.into())
            }
            // an input without an end is ended so, but not in the middle of what it gave
            Some(End::Interrupted) if more == More::Known => {
                say(&format!("note: interrupted: {}", self.summary(true)));
                Ok(registered)
            }
            _ => Ok(registered),
        }
    }

    /// A failure, with what was registered all the same, and what was not.
    fn failure(&self, error: anyhow::Error, more: More) -> anyhow::Error {
        let alone = self.batches <= 1 && self.progress.events == 0 && more != More::Known;
        if alone && !self.keep_going && self.uncertain.is_none() {
            return error;
        }
        let summary = self.summary(more != More::Nothing);
        match error.downcast_ref() {
            Some(Failure::OutputClosed) => {
                if more != More::Nothing || self.failed.lines > 0 {
                    say(&format!("note: {error}: {summary}"));
                }
                error
            }
            Some(Failure::Input(_)) => {
                Failure::Lines { text: format!("{error:#}; {summary}"), wrong: true }.into()
            }
            Some(Failure::NotRegistered) => {
                Failure::Lines { text: format!("{error:#}; {summary}"), wrong: self.failed.wrong }
                    .into()
            }
            _ => error.context(summary),
        }
    }

    /// What was registered and what was not; `stopped` before the end of the input.
    fn summary(&self, stopped: bool) -> String {
        let mut text = format!("{} events registered", self.progress.events);
        if self.failed.lines > 0 {
            text += &format!(", {}", self.failed);
        }
        if let Some(lines) = &self.uncertain {
            let others = if self.failed.lines > 0 { "other " } else { "" };
            text += &format!(
                "; the {others}lines {} to {} may or may not be registered",
                lines.start(),
                lines.end()
            );
        }
        match self.last_line {
            _ if !stopped => {}
            0 => text += "; nothing was sent",
            last => text += &format!("; nothing after line {last} was sent"),
        }
        text
    }
}

/// Whether there is more input than what was sent.
#[derive(Clone, Copy, PartialEq)]
enum More {
    Known,
    /// It was not read so far.
    Unknown,
    Nothing,
}

/// So late a batch may be before the later ones are put off.
const LATE: Duration = Duration::from_millis(100);

impl FailedLines {
    fn add(&mut self, lines: RangeInclusive<u64>, count: u64) {
        self.lines += count;
        let room = self.named.len() < NAMED;
        match self.named.last_mut() {
            Some(last) if *last.end() + 1 == *lines.start() => {
                *last = *last.start()..=*lines.end();
            }
            _ if room => self.named.push(lines),
            _ => {}
        }
    }
}

impl fmt::Display for FailedLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.named.iter().map(|lines| match (lines.start(), lines.end()) {
            (start, end) if start == end => start.to_string(),
            (start, end) => format!("{start} to {end}"),
        });
        let named: Vec<_> = named.collect();
        let more = if named.len() == NAMED { ", …" } else { "" };
        write!(f, "{} lines failed: {}{more}", self.lines, named.join(", "))
    }
}

/// How far it is, for a person who looks.
pub(super) struct Progress {
    bar: ProgressBar,
    events: usize,
}

impl Progress {
    fn start(printing: bool) -> Self {
        let shown = progress::is_shown(printing);
        let bar = match input_size() {
            Some(size) => {
                let template = "{bar:30} {percent:>3}%  {msg} events in {elapsed}, {eta} left";
                progress::bar(shown, size, template)
            }
            None => progress::spinner(shown, "{spinner} {msg} events in {elapsed}"),
        };
        bar.set_message("0");
        Self { bar, events: 0 }
    }

    fn advance(&mut self, events: usize, bytes: usize) {
        self.events += events;
        self.bar.set_message(self.events.to_string());
        self.bar.inc(bytes as u64);
    }

    /// What it came to, for a person who looks.
    fn finish(&self) {
        self.bar.finish_and_clear();
        if !self.bar.is_hidden() {
            let seconds = self.bar.elapsed().as_secs_f64();
            say(&format!("{} events registered in {seconds:.1} s", self.events));
        }
    }

    /// A line above the bar.
    fn say(&self, line: &str) {
        self.bar.suspend(|| say(line));
    }
}

/// The size of standard input, where it is a file.
#[cfg(unix)]
pub(super) fn input_size() -> Option<u64> {
    use std::os::fd::AsFd;
    let input = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = input.metadata().ok()?;
    metadata.is_file().then_some(metadata.len())
}

/// The size of standard input, where it is a file: not asked for here.
#[cfg(not(unix))]
pub(super) fn input_size() -> Option<u64> {
    None
}
