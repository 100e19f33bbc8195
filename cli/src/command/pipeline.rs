//! Batches of events on their way to the server, many at once.

use std::collections::VecDeque;
use std::future::{Future, pending, ready};
use std::io;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
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
pub(super) struct Pipeline<'a> {
    server: &'a ServerClient,
    open: VecDeque<OpenBatch>,
    open_bytes: usize,
    output: Option<&'a mut Output>,
    progress: Progress,
    /// Where one goes on after failures: what failed.
    failed: Option<FailedLines>,
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

impl<'a> Pipeline<'a> {
    /// Prints to `output` what was registered, where there is one.
    pub(super) fn new(
        server: &'a ServerClient,
        output: Option<&'a mut Output>,
        keep_going: bool,
    ) -> Self {
        let progress = Progress::start(output.is_some());
        let failed = keep_going.then(FailedLines::default);
        Self { server, open: VecDeque::new(), open_bytes: 0, output, progress, failed }
    }

    /// Registers all items, each batch when it is due, and gives the count of the events that were
    /// registered. After Ctrl-C it waits for the answers to what is on its way; that is a failure
    /// where the input has an end: then not all of it was registered.
    pub(super) async fn run<R: Runtime>(
        mut self,
        items: Receiver<Result<Item>>,
        ends: bool,
    ) -> Result<usize> {
        let interrupt = Interrupt::watch()?;
        let mut start = Instant::now();
        let mut waiting: Option<Batch> = None;
        let mut end = None;
        let mut interrupted = false;
        loop {
            let has_room = self.open.len() < MAX_OPEN && self.open_bytes < MAX_OPEN_BYTES;
            let input = async {
                match &waiting {
                    _ if !has_room => pending().await,
                    Some(batch) => {
                        let due = batch.due.unwrap_or_default();
                        sleep::<R>(due.saturating_sub(start.elapsed())).await;
                        Next::Due
                    }
                    None if end.is_none() => {
                        items.recv().await.map_or(Next::EndOfInput, Next::Item)
                    }
                    None => pending().await,
                }
            };
            let over = end.is_some();
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
                None if end.is_some() && waiting.is_none() => break,
                None => input.await,
            };
            match next {
                Next::Answer(answer) => self.answered(answer)?,
                Next::Item(Ok(Item::Batch(batch))) => waiting = Some(batch),
                Next::Item(Ok(Item::Wrong { line, error })) => self.wrong(line, &error),
                // what was read before the wrong line is on its way
                Next::Item(Err(error)) => end = Some(Err(error)),
                Next::EndOfInput => end = Some(Ok(())),
                Next::Interrupted => {
                    (waiting, interrupted) = (None, ends);
                    end = Some(Ok(()));
                }
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
        end.unwrap_or(Ok(()))?;
        let registered = self.progress.events;
        self.failed.map_or(Ok(()), |failed| failed.told(registered))?;
        if interrupted {
            let text =
                format!("{registered} events were registered, and the ones after them were not");
            return Err(Failure::Interrupted(text).into());
        }
        Ok(registered)
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
        self.open_bytes += bytes;
        self.open.push_back(OpenBatch { answer, lines, events: count, bytes });
    }

    fn answered(&mut self, answer: Answer) -> Result<()> {
        let Some(OpenBatch { lines, events, bytes, .. }) = self.open.pop_front() else {
            return Ok(());
        };
        self.open_bytes -= bytes;
        let over = matches!(answer, Err(RequestError::Ended(_)));
        let answer = registered(self.server, answer)
            .with_context(|| format!("lines {} to {}", lines.start(), lines.end()));
        let events = match (answer, &mut self.failed) {
            (Ok(events), _) => events,
            (Err(error), Some(failed)) if !over => {
                self.progress.say(&format!("{error:#}"));
                failed.add(lines, events as u64);
                return Ok(());
            }
            (Err(error), _) => return Err(error),
        };
        self.progress.advance(events.len(), bytes);
        match &mut self.output {
            Some(output) => output.events(&events),
            None => Ok(()),
        }
    }

    fn wrong(&mut self, line: u64, error: &anyhow::Error) {
        self.progress.say(&format!("{error:#}"));
        if let Some(failed) = &mut self.failed {
            failed.wrong = true;
            failed.add(line..=line, 1);
        }
    }
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

    /// A failure, where there was one.
    fn told(self, registered: usize) -> Result<()> {
        let Self { lines, named, wrong } = self;
        if lines == 0 {
            return Ok(());
        }
        let more = if named.len() == NAMED { ", …" } else { "" };
        let named = named.iter().map(|lines| match (lines.start(), lines.end()) {
            (start, end) if start == end => start.to_string(),
            (start, end) => format!("{start} to {end}"),
        });
        let named: Vec<_> = named.collect();
        let text = format!(
            "{registered} events registered, {lines} lines failed: {}{more}",
            named.join(", ")
        );
        Err(Failure::Lines { text, wrong }.into())
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
