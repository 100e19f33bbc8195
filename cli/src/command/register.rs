//! `hat register`.

use std::collections::VecDeque;
use std::future::{Future, ready};
use std::io::{self, IsTerminal, Read};
use std::ops::RangeInclusive;
use std::path::Path;
use std::pin::Pin;

use anyhow::{Context, Result};
use hat_aio::Runtime;
use hat_aio::eventer::RequestError;
use hat_core::eventer::{Event, EventType, Json, Payload, RegisterEvent};
use indicatif::{ProgressBar, ProgressStyle};

use super::input::{self, Batch};
use crate::args::RegisterArgs;
use crate::client::{Connected, Wanted};
use crate::exit::Failure;
use crate::output::Output;

/// Requests that may be open: enough to keep a server busy that is far away.
const MAX_OPEN: usize = 64;

/// Bytes that open requests may have: less than what the client's send queue takes, so that each is
/// sent when it is made, and none overtakes another.
const MAX_OPEN_BYTES: usize = 4 * 1024 * 1024;

pub(crate) async fn register<R: Runtime>(mut args: RegisterArgs) -> Result<()> {
    // what cannot be registered needs no connection
    let event = args.event_type.take().map(|event_type| event(&args, event_type)).transpose()?;
    let server = Connected::new::<R>(&args.connect, Wanted::default()).await?;
    let mut output = Output::new(args.output);
    match event {
        Some(event) => {
            let answer = server.client.register_with_response(&[event]).await;
            let events = registered(&server, answer)?;
            if args.response {
                output.all_events(&events)?;
            }
        }
        None => {
            let output = args.response.then_some(&mut output);
            let progress = Progress::start(args.response);
            Pipeline { server: &server, open: VecDeque::new(), open_bytes: 0, output, progress }
                .run(args.batch)
                .await?;
        }
    }
    server.client.close().await;
    Ok(())
}

/// The event that the arguments make.
fn event(args: &RegisterArgs, event_type: EventType) -> Result<RegisterEvent> {
    let payload = match (&args.json, &args.binary, &args.file) {
        (Some(text), ..) => {
            let json = Json::from_text(text.as_str());
            let json = json.map_err(|error| Failure::Input(format!("--json: {error}")))?;
            Some(Payload::from(json))
        }
        (_, Some(name), Some(path)) => Some(Payload::binary(name.as_str(), read(path)?)),
        _ => None,
    };
    Ok(RegisterEvent { event_type, source_timestamp: args.source_timestamp, payload })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().read_to_end(&mut data).map(|_| data),
        false => std::fs::read(path),
    };
    Ok(read.map_err(|error| Failure::Input(format!("cannot read {}: {error}", path.display())))?)
}

type Answer = Result<Option<Vec<Event>>, RequestError>;

fn registered(server: &Connected, answer: Answer) -> Result<Vec<Event>> {
    let events = answer.map_err(|error| Failure::of_request(&server.address, error))?;
    Ok(events.ok_or(Failure::NotRegistered)?)
}

/// Batches on their way to the server, which answers them in order.
struct Pipeline<'a> {
    server: &'a Connected,
    open: VecDeque<Open>,
    open_bytes: usize,
    output: Option<&'a mut Output>,
    progress: Progress,
}

struct Open {
    answer: Pin<Box<dyn Future<Output = Answer>>>,
    lines: RangeInclusive<u64>,
    bytes: usize,
}

/// What the pipeline waits for.
enum Next {
    Answer(Answer),
    Batch(Result<Batch>),
    EndOfInput,
}

impl Pipeline<'_> {
    async fn run(mut self, batch: usize) -> Result<()> {
        let batches = input::batches(batch);
        let mut end = None;
        loop {
            let has_room = self.open.len() < MAX_OPEN && self.open_bytes < MAX_OPEN_BYTES;
            let input = async {
                match (end.is_none() && has_room).then(|| batches.recv()) {
                    Some(batch) => batch.await.map_or(Next::EndOfInput, Next::Batch),
                    None => std::future::pending().await,
                }
            };
            let next = match self.open.front_mut() {
                Some(open) => {
                    let answer = async { Next::Answer(open.answer.as_mut().await) };
                    smol::future::or(answer, input).await
                }
                None if end.is_some() => break,
                None => input.await,
            };
            match next {
                Next::Answer(answer) => self.answered(answer)?,
                Next::Batch(Ok(batch)) => self.ask(batch).await,
                // what was read before the wrong line is on its way
                Next::Batch(Err(error)) => end = Some(Err(error)),
                Next::EndOfInput => end = Some(Ok(())),
            }
        }
        self.progress.finish();
        end.unwrap_or(Ok(()))
    }

    /// Sends a batch. The library sends with the first poll, so that comes now.
    async fn ask(&mut self, batch: Batch) {
        let Batch { events, lines, bytes } = batch;
        let client = self.server.client.clone();
        let mut answer: Pin<Box<dyn Future<Output = Answer>>> =
            Box::pin(async move { client.register_with_response(&events).await });
        if let Some(answered) = smol::future::poll_once(&mut answer).await {
            answer = Box::pin(ready(answered));
        }
        self.open_bytes += bytes;
        self.open.push_back(Open { answer, lines, bytes });
    }

    fn answered(&mut self, answer: Answer) -> Result<()> {
        let Some(Open { lines, bytes, .. }) = self.open.pop_front() else { return Ok(()) };
        self.open_bytes -= bytes;
        let events = registered(self.server, answer)
            .with_context(|| format!("lines {} to {}", lines.start(), lines.end()))?;
        self.progress.advance(events.len(), bytes);
        match &mut self.output {
            Some(output) => output.events(&events),
            None => Ok(()),
        }
    }
}

/// How far it is, for a person who looks.
struct Progress {
    bar: ProgressBar,
    events: usize,
}

impl Progress {
    fn start(printing: bool) -> Self {
        let looking = io::stderr().is_terminal() && !(printing && io::stdout().is_terminal());
        let bar = match input_size() {
            _ if !looking => ProgressBar::hidden(),
            Some(size) => {
                let style = "{bar:30} {percent:>3}%  {msg} events in {elapsed}, {eta} left";
                ProgressBar::new(size).with_style(styled(style))
            }
            None => {
                ProgressBar::new_spinner().with_style(styled("{spinner} {msg} events in {elapsed}"))
            }
        };
        bar.set_message("0");
        Self { bar, events: 0 }
    }

    fn advance(&mut self, events: usize, bytes: usize) {
        self.events += events;
        self.bar.set_message(self.events.to_string());
        self.bar.inc(bytes as u64);
    }

    fn finish(&self) {
        self.bar.finish();
    }
}

fn styled(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The size of standard input, where it is a file.
#[cfg(unix)]
fn input_size() -> Option<u64> {
    use std::os::fd::AsFd;
    let input = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = input.metadata().ok()?;
    metadata.is_file().then_some(metadata.len())
}

/// The size of standard input, where it is a file: not asked for here.
#[cfg(not(unix))]
fn input_size() -> Option<u64> {
    None
}
