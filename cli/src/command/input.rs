//! Events on standard input, made into batches.

mod csv;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use hat_core::eventer::{Event, EventType, Json, RegisterEvent, Timestamp};
use smol::channel::{Receiver, Sender, bounded};

use crate::args::{InputFormat, PaceArgs, Times};
use crate::exit::Failure;
use csv::{Columns, Quotes};
use hat_server::json;

/// The longest line that is registered, 64 MiB: what a message may hold.
pub(super) const MAX_LINE: u64 = 64 * MEBIBYTE;

/// The longest line of a store's events, 128 MiB: a message may hold 64 MiB, of which binary data
/// are a third longer in a line.
pub(super) const MAX_STORED_LINE: u64 = 128 * MEBIBYTE;

const MEBIBYTE: u64 = 1024 * 1024;

/// The mark of the byte order, in UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of lines after which a batch is not made longer.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches that are read ahead.
const AHEAD: usize = 4;

/// Batches a second, where a rate is kept: small steps.
const STEPS: f64 = 20.0;

/// What comes of some lines.
pub(super) enum Item {
    Batch(Batch),
    /// A line that is wrong, where one goes on after it.
    Wrong {
        line: u64,
        error: anyhow::Error,
    },
}

/// The events of some lines, to be registered as one session.
pub(super) struct Batch {
    pub(super) events: Vec<RegisterEvent>,
    pub(super) lines: RangeInclusive<u64>,
    /// Bytes of these lines, about as many as the events will take.
    pub(super) bytes: usize,
    /// When to register them, from the beginning on; `None` is at once.
    pub(super) due: Option<Duration>,
}

/// How lines become events.
pub(super) enum Form {
    Jsonl,
    Csv {
        event_type: Option<EventType>,
        columns: Option<Columns>,
    },
    Values(EventType),
    Text(EventType),
    /// Events that were registered before, as they are printed.
    Exported {
        times: Times,
    },
}

impl Form {
    /// Whether nothing has a meaning without the next line.
    fn needs_header(&self) -> bool {
        matches!(self, Self::Csv { columns: None, .. })
    }

    /// As the arguments say.
    pub(super) fn new(format: InputFormat, event_type: Option<EventType>) -> Result<Self, Failure> {
        let needs = |name| Failure::Input(format!("--input {name} needs a TYPE for its events"));
        Ok(match (format, event_type) {
            (InputFormat::Jsonl, None) => Self::Jsonl,
            (InputFormat::Jsonl, Some(_)) => {
                let text = "with --input jsonl each line has its own type: omit TYPE";
                return Err(Failure::Input(text.into()));
            }
            (InputFormat::Csv, event_type) => Self::Csv { event_type, columns: None },
            (InputFormat::Values, event_type) => {
                Self::Values(event_type.ok_or_else(|| needs("values"))?)
            }
            (InputFormat::Text, event_type) => Self::Text(event_type.ok_or_else(|| needs("text"))?),
        })
    }

    /// The event of a line; `None` of one that has none.
    fn event(&mut self, line: &str) -> Result<Option<ParsedEvent>, String> {
        let text = line.trim_end_matches(['\n', '\r']);
        // an empty text is one
        if text.trim().is_empty() && !matches!(self, Self::Text(_)) {
            return Ok(None);
        }
        let event = match self {
            Self::Jsonl => json::register_event(text)?,
            Self::Csv { event_type, columns } => match columns {
                Some(columns) => columns.event(text, event_type.as_ref())?,
                None => {
                    *columns = Some(Columns::new(text, event_type.is_some())?);
                    return Ok(None);
                }
            },
            Self::Values(event_type) => {
                let json = Json::from_text(text).map_err(|error| error.to_string())?;
                RegisterEvent {
                    payload: Some(json.into()),
                    ..RegisterEvent::new(event_type.clone())
                }
            }
            Self::Text(event_type) => {
                let payload = Some(Json::from_value(&text.into()).into());
                RegisterEvent { payload, ..RegisterEvent::new(event_type.clone()) }
            }
            Self::Exported { times } => {
                let Event { event_type, timestamp, source_timestamp, payload, .. } =
                    json::stored_event(text)?;
                let source_timestamp = match times {
                    Times::Source => source_timestamp,
                    Times::Original | Times::Now => Some(source_timestamp.unwrap_or(timestamp)),
                };
                let event = RegisterEvent { event_type, source_timestamp, payload };
                event.check().map_err(|error| format!("the payload is not JSON: {error}"))?;
                return Ok(Some(ParsedEvent { event, timestamp: Some(timestamp) }));
            }
        };
        Ok(Some(ParsedEvent { event, timestamp: None }))
    }
}

/// An event that was read.
struct ParsedEvent {
    event: RegisterEvent,
    /// When it was registered before.
    timestamp: Option<Timestamp>,
}

/// How lines become batches.
pub(super) struct Pace {
    /// Events in a batch.
    most: usize,
    keep_going: bool,
    schedule: Schedule,
}

/// When batches are registered.
enum Schedule {
    AtOnce,
    /// So many events a second.
    Rate(f64),
    /// As they were registered before, so many times as fast; no pause is longer than so many
    /// seconds.
    AsBefore {
        speed: f64,
        longest: Option<f64>,
        last: Option<(Timestamp, f64)>,
    },
}

impl Pace {
    pub(super) fn new(args: &PaceArgs) -> Self {
        let (most, schedule) = match args.rate {
            None => (args.batch, Schedule::AtOnce),
            Some(rate) => {
                let step = (rate / STEPS).ceil().min(args.batch as f64) as usize;
                (step.max(1), Schedule::Rate(rate))
            }
        };
        Self { most, keep_going: args.keep_going, schedule }
    }

    /// Each event when it was registered before, `speed` times as fast.
    pub(super) fn as_before(speed: f64, longest: Option<Duration>, keep_going: bool) -> Self {
        let longest = longest.map(|time| time.as_secs_f64());
        Self { most: 256, keep_going, schedule: Schedule::AsBefore { speed, longest, last: None } }
    }

    /// Seconds after the beginning at which the event is due that follows `before` others.
    fn due(&mut self, before: u64, timestamp: Option<Timestamp>) -> Option<f64> {
        match &mut self.schedule {
            Schedule::AtOnce => None,
            Schedule::Rate(rate) => Some(before as f64 / *rate),
            Schedule::AsBefore { speed, longest, last } => {
                let timestamp = timestamp?;
                let due = match *last {
                    None => 0.0,
                    Some((earlier, due)) => {
                        let micros =
                            |at: Timestamp| i128::from(at.s()) * 1_000_000 + i128::from(at.us());
                        // a clock that was set back is no pause
                        let pause = (micros(timestamp) - micros(earlier)).max(0) as f64 * 1e-6;
                        due + longest.map_or(pause, |longest| pause.min(longest)) / *speed
                    }
                };
                *last = Some((timestamp, due));
                Some(due)
            }
        }
    }
}

/// What comes of an input, piece by piece. The last item may be an error.
pub(super) type Items = Receiver<Result<Item>>;

/// Reads standard input in a thread of its own: it blocks. A batch ends at so many events as `pace`
/// says, or where no more are there yet, so that a line is not kept waiting for the next one.
pub(super) fn items(form: Form, pace: Pace) -> Items {
    items_from(|| Box::new(io::stdin().lock()), "standard input".into(), form, pace)
}

/// The same of a file; of standard input without one, or for `-`.
pub(super) fn items_of(path: Option<&Path>, form: Form, pace: Pace) -> Result<Items, Failure> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
        return Ok(items(form, pace));
    };
    let file = File::open(path);
    let file =
        file.map_err(|error| Failure::Input(format!("cannot read {}: {error}", path.display())))?;
    Ok(items_from(|| Box::new(file), path.display().to_string(), form, pace))
}

fn items_from(
    open: impl FnOnce() -> Box<dyn Read> + Send + 'static,
    name: String,
    form: Form,
    pace: Pace,
) -> Items {
    let (sender, receiver) = bounded(AHEAD);
    // not joined: it may wait for input when the command ends
    thread::spawn(move || {
        let input = BufReader::with_capacity(64 * 1024, open());
        let mut lines = Lines::new(LineReader::new(input, name, MAX_LINE), form, pace);
        if let Err(error) = lines.send(&sender) {
            // nobody is left to tell it to
            let _ = sender.send_blocking(Err(error));
        }
    });
    receiver
}

/// Lines of text, which are counted, and limited in length.
pub(super) struct LineReader<R: Read> {
    input: BufReader<R>,
    /// Where they come from.
    name: String,
    /// The last of those that were read last, from 1 on, and the first of them.
    number: u64,
    first: u64,
    /// Bytes that each may have.
    most: u64,
    /// The last line was wrong, and was read to its end: the next one can be had.
    is_whole: bool,
}

impl<R: Read> LineReader<R> {
    pub(super) fn new(input: BufReader<R>, name: String, most: u64) -> Self {
        Self { input, name, number: 0, first: 0, most, is_whole: false }
    }

    /// The next line.
    pub(super) fn next_line(&mut self) -> Result<Option<String>> {
        self.next(None, true)
    }

    /// The next line, with those that belong to it because of quotes. A mark of the byte order in
    /// front of it is not a part of it: of any line, or of the first.
    fn next(&mut self, mut quotes: Option<Quotes>, any_mark: bool) -> Result<Option<String>> {
        let (mut line, is_first) = (Vec::new(), self.number == 0);
        let (mut is_open, mut is_any) = (false, false);
        self.first = self.number + 1;
        self.is_whole = false;
        loop {
            let before = line.len();
            let most = (self.most + 1).saturating_sub(before as u64);
            let read = (&mut self.input).take(most).read_until(b'\n', &mut line);
            let is_more = read.with_context(|| format!("cannot read {}", self.name))? > 0;
            if !is_more {
                break;
            }
            is_any = true;
            self.number += 1;
            if line.len() as u64 > self.most {
                let of_quotes = if is_open { ": a quote is not closed" } else { "" };
                let most = self.most / MEBIBYTE;
                return Err(self.wrong(&format!("it is longer than {most} MiB{of_quotes}")));
            }
            // what Windows puts in front of a file; in a line of text it may be meant
            if before == 0 && line.starts_with(MARK) && (is_first || any_mark) {
                line.drain(..MARK.len());
            }
            let start = before.min(line.len());
            is_open = quotes.as_mut().is_some_and(|quotes| quotes.are_open_after(&line[start..]));
            if !is_open {
                break;
            }
        }
        if is_open {
            return Err(self.wrong("a quote is not closed"));
        }
        match String::from_utf8(line) {
            Ok(line) => Ok(is_any.then_some(line)),
            Err(_) => {
                self.is_whole = true;
                Err(self.wrong("it is not UTF-8"))
            }
        }
    }

    /// The number of the line that was read last, from 1 on.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What is wrong with the line that was read last.
    pub(super) fn wrong(&self, what: &str) -> anyhow::Error {
        let lines = match self.first < self.number {
            true => format!("lines {} to {}", self.first, self.number),
            false => format!("line {}", self.number),
        };
        Failure::Input(format!("{lines} of {}: {what}", self.name)).into()
    }
}

struct Lines<R: Read> {
    lines: LineReader<R>,
    form: Form,
    pace: Pace,
    /// Events that were read.
    events: u64,
    /// When it began.
    start: Timestamp,
    /// Belongs to the next batch: it is due later than the others.
    held: Option<(RegisterEvent, u64, Option<f64>)>,
}

impl<R: Read> Lines<R> {
    fn new(lines: LineReader<R>, form: Form, pace: Pace) -> Self {
        Self { lines, form, pace, events: 0, start: Timestamp::now(), held: None }
    }

    fn send(&mut self, to: &Sender<Result<Item>>) -> Result<()> {
        loop {
            let (batch, end) = self.batch();
            if !batch.events.is_empty() && to.send_blocking(Ok(Item::Batch(batch))).is_err() {
                return Ok(());
            }
            match end {
                End::Batch => {}
                End::Input => return Ok(()),
                End::Wrong(error) if self.pace.keep_going => {
                    let item = Item::Wrong { line: self.lines.number, error };
                    if to.send_blocking(Ok(item)).is_err() {
                        return Ok(());
                    }
                }
                End::Wrong(error) | End::Error(error) => return Err(error),
            }
        }
    }

    fn batch(&mut self) -> (Batch, End) {
        let first = self.lines.number + 1;
        let mut batch = Batch { events: Vec::new(), lines: first..=first, bytes: 0, due: None };
        let mut due = None;
        if let Some((event, line, at)) = self.held.take() {
            batch.events.push(event);
            batch.lines = line..=line;
            due = at;
        }
        let first = *batch.lines.start();
        let end = loop {
            let no_more_yet = self.lines.input.buffer().is_empty() && !batch.events.is_empty();
            if batch.events.len() >= self.pace.most || batch.bytes >= BATCH_BYTES || no_more_yet {
                break End::Batch;
            }
            let line = match self.next() {
                Ok(Some(line)) => line,
                Ok(None) => break End::Input,
                Err(error) if self.lines.is_whole && !self.form.needs_header() => {
                    break End::Wrong(error);
                }
                Err(error) => break End::Error(error),
            };
            batch.bytes += line.len();
            let ParsedEvent { mut event, timestamp } = match self.form.event(&line) {
                Ok(Some(read)) => read,
                Ok(None) => continue,
                Err(error) if self.form.needs_header() => {
                    break End::Error(self.lines.wrong(&error));
                }
                Err(error) => break End::Wrong(self.lines.wrong(&error)),
            };
            let at = self.pace.due(self.events, timestamp);
            self.events += 1;
            if let Form::Exported { times: Times::Now } = self.form {
                event.source_timestamp = self.moved(&event, timestamp, at.unwrap_or_default());
            }
            let later = matches!(self.pace.schedule, Schedule::AsBefore { .. }) && at > due;
            if later && !batch.events.is_empty() {
                self.held = Some((event, self.lines.number, at));
                break End::Batch;
            }
            if batch.events.is_empty() {
                due = at;
            }
            batch.events.push(event);
            batch.lines = first..=self.lines.number;
        };
        // centuries are what a file may say
        batch.due = due.map(|due| Duration::from_secs_f64(due.clamp(0.0, 1e12)));
        (batch, end)
    }

    /// The source timestamp of an event that is due so many seconds after the beginning: as long
    /// before that as it was then.
    fn moved(&self, event: &RegisterEvent, was: Option<Timestamp>, due: f64) -> Option<Timestamp> {
        let (source, was) = (event.source_timestamp?, was?);
        let before = source.as_secs_f64() - was.as_secs_f64();
        self.start.add_secs_f64(due + before).ok()
    }

    /// The next line, in CSV with those that belong to it.
    fn next(&mut self) -> Result<Option<String>> {
        match &self.form {
            Form::Csv { columns, .. } => self.lines.next(Some(Quotes::new(columns.as_ref())), true),
            Form::Text(_) => self.lines.next(None, false),
            _ => self.lines.next_line(),
        }
    }
}

/// Why a batch is not longer.
enum End {
    Batch,
    Input,
    /// A line is not an event.
    Wrong(anyhow::Error),
    /// There is no line to be had.
    Error(anyhow::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(most: usize, rate: Option<f64>) -> Pace {
        Pace::new(&PaceArgs { batch: most, rate, keep_going: false })
    }

    fn read(input: &str, form: Form, pace: Pace) -> (Vec<Batch>, Result<()>) {
        let (sender, receiver) = smol::channel::unbounded();
        let lines =
            LineReader::new(BufReader::new(input.as_bytes()), "standard input".into(), MAX_LINE);
        let end = Lines::new(lines, form, pace).send(&sender);
        drop(sender);
        let mut batches = Vec::new();
        while let Ok(item) = receiver.recv_blocking() {
            match item.expect("errors come last") {
                Item::Batch(batch) => batches.push(batch),
                Item::Wrong { line, error } => panic!("{line}: {error}"),
            }
        }
        (batches, end)
    }

    #[track_caller]
    fn batches(input: &str, most: usize, expected: &[(usize, RangeInclusive<u64>)]) -> Result<()> {
        let (batches, end) = read(input, Form::Jsonl, pace(most, None));
        let batches: Vec<_> =
            batches.into_iter().map(|batch| (batch.events.len(), batch.lines)).collect();
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

    #[test]
    fn what_is_no_text_is_a_line_like_another() {
        let input: &[u8] = b"{\"type\":\"a\"}\nG\xfcte\n{\"type\":\"b\"}\n";
        let (sender, receiver) = smol::channel::unbounded();
        let lines = LineReader::new(BufReader::new(input), "standard input".into(), MAX_LINE);
        let pace = Pace::new(&PaceArgs { batch: 9, rate: None, keep_going: true });
        Lines::new(lines, Form::Jsonl, pace).send(&sender).expect("it goes on");
        drop(sender);
        let items: Vec<_> = std::iter::from_fn(|| receiver.recv_blocking().ok()).collect();
        let told = items.into_iter().map(|item| match item.expect("no end") {
            Item::Batch(batch) => format!("{} of {:?}", batch.events.len(), batch.lines),
            Item::Wrong { line, error } => format!("{line}: {error}"),
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            ["1 of 1..=1", "2: line 2 of standard input: it is not UTF-8", "1 of 3..=3"]
        );
    }

    #[test]
    fn a_rate_makes_small_batches_that_are_due_one_after_the_other() {
        let (batches, end) =
            read(&"{\"type\":\"a\"}\n".repeat(5), Form::Jsonl, pace(256, Some(40.0)));
        end.expect("valid lines");
        let due: Vec<_> = batches.iter().map(|batch| (batch.events.len(), batch.due)).collect();
        let at = |millis| Some(Duration::from_millis(millis));
        assert_eq!(due, [(2, at(0)), (2, at(50)), (1, at(100))]);
    }

    #[test]
    fn events_come_as_they_came_before() {
        let line = |second: &str| {
            format!(
                r#"{{"id":{{"server":1,"session":1,"instance":1}},"type":"a","timestamp":"2023-11-14T22:13:{second}Z"}}"#
            ) + "\n"
        };
        let input = ["00", "00", "02", "01", "59"].map(line).concat();
        let pace = Pace::as_before(2.0, Some(Duration::from_secs(10)), false);
        let (batches, end) = read(&input, Form::Exported { times: Times::Original }, pace);
        end.expect("valid lines");
        let due: Vec<_> = batches.iter().map(|batch| (batch.events.len(), batch.due)).collect();
        let at = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(due, [(2, at(0)), (2, at(1)), (1, at(6))]);
        let source = batches[0].events[0].source_timestamp.expect("the time is kept");
        assert_eq!(source.to_string(), "2023-11-14T22:13:00.000000Z");
    }
}
