//! What commands print: JSON lines, a table, CSV, payloads, or lines of one's own.

pub(crate) mod csv;
mod part;
mod template;
mod terminal;

use std::io::{self, BufWriter, Stdout, Write};

use anyhow::{Context, Result};
use comfy_table::{ContentArrangement, Table, presets};
use hat_core::eventer::{Event, Payload, Status, Timestamp};

use hat_core::json::Pointer;
use hat_server::json;

use crate::args::{Format, OutputArgs};
use crate::exit::{Failure, say, shown};
pub(crate) use part::part;
pub(crate) use template::Template;

const HEADER: [&str; 5] = ["ID", "TIMESTAMP", "SOURCE TIMESTAMP", "TYPE", "PAYLOAD"];

/// The widths of columns whose last rows are not known yet. The last column has none.
const WIDTHS: [usize; 4] = [10, 27, 27, 30];

/// Standard output.
pub(crate) struct Output {
    format: Format,
    /// The part of payloads that is printed.
    path: Option<Pointer>,
    out: BufWriter<Stdout>,
    /// What is printed must not control it.
    to_terminal: bool,
    header: bool,
    status: Option<Status>,
}

impl Output {
    pub(crate) fn new(args: OutputArgs) -> Self {
        let OutputArgs { format, path } = args;
        let (out, to_terminal) = (BufWriter::new(io::stdout()), terminal::is_one());
        Self { format, path, out, to_terminal, header: true, status: None }
    }

    /// For people.
    pub(crate) fn table() -> Self {
        Self::new(OutputArgs { format: Format::Table, path: None })
    }

    /// Events of which more may come.
    pub(crate) fn events(&mut self, events: &[Event]) -> Result<()> {
        for event in events {
            self.event(event)?;
        }
        self.flush()
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        let picked;
        let event = match &self.path {
            None => event,
            Some(path) => {
                picked = Event { payload: part(event.payload.as_ref(), path), ..event.clone() };
                &picked
            }
        };
        let payload = event.payload.as_ref();
        let header = std::mem::take(&mut self.header);
        let line = match &self.format {
            Format::Jsonl if self.to_terminal => terminal::json(&json::event(event)),
            Format::Jsonl => json::event(event),
            Format::Table => {
                if header {
                    self.line(&aligned(HEADER.map(str::to_owned)))?;
                }
                aligned(row(event))
            }
            Format::Csv => {
                if header {
                    self.line(&csv::header())?;
                }
                let line = csv::line(event, payload);
                if self.to_terminal { shown(&line) } else { line }
            }
            Format::Payload => match payload {
                Some(Payload::Binary(binary)) if self.to_terminal => {
                    let text = terminal::binary(&binary.data);
                    return written(self.out.write_all(text.as_bytes()));
                }
                Some(Payload::Binary(binary)) => return written(self.out.write_all(&binary.data)),
                Some(Payload::Json(json)) => {
                    let line = json.text().replace(['\n', '\r'], " ");
                    if self.to_terminal { terminal::json(&line) } else { line }
                }
                None => String::new(),
            },
            Format::Template(template) => template.line(event, payload),
        };
        self.line(&line)
    }

    /// All the events there are.
    pub(crate) fn all_events(&mut self, events: &[Event]) -> Result<()> {
        if !matches!(self.format, Format::Table) {
            return self.events(events);
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(HEADER);
        let path = self.path.as_ref();
        table.add_rows(events.iter().map(|event| match path {
            None => row(event),
            Some(path) => {
                row(&Event { payload: part(event.payload.as_ref(), path), ..event.clone() })
            }
        }));
        self.line(&table.to_string())?;
        self.flush()
    }

    /// The server's status, unless it is the one printed last: what a client reads first may be
    /// told again. Where events are printed in a form that has no place for it, on standard error.
    pub(crate) fn status(&mut self, status: Status) -> Result<()> {
        if self.status.replace(status) == Some(status) {
            return Ok(());
        }
        let line = match self.format {
            Format::Jsonl => json::status(status),
            Format::Table => format!("{}  status is {status}", Timestamp::now()),
            Format::Csv | Format::Payload | Format::Template(_) => {
                say(&format!("status is {status}"));
                return Ok(());
            }
        };
        self.line(&line)?;
        self.flush()
    }

    /// Any line, as it is.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        written(self.out.write_all(line.as_bytes()).and_then(|()| self.out.write_all(b"\n")))
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        written(self.out.flush())
    }
}

/// One line on standard output, for commands that print nothing else.
pub(crate) fn print(line: &str) -> Result<()> {
    print_text(&format!("{line}\n"))
}

/// One line of JSON on standard output, in which texts of a peer may be.
pub(crate) fn print_json(line: &str) -> Result<()> {
    if terminal::is_one() { print(&terminal::json(line)) } else { print(line) }
}

/// Whole lines on standard output, for commands that print nothing else.
pub(crate) fn print_text(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// A reader that went, such as `head`, is the quiet end of a command.
pub(crate) fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            Err(Failure::OutputClosed.into())
        }
        result => result.context("cannot write the output"),
    }
}

fn row(event: &Event) -> [String; 5] {
    let id = event.id;
    [
        format!("{},{},{}", id.server, id.session, id.instance),
        event.timestamp.to_string(),
        event.source_timestamp.map(|timestamp| timestamp.to_string()).unwrap_or_default(),
        shown(&event.event_type.to_string()),
        payload(event.payload.as_ref()),
    ]
}

/// A payload for people.
pub(crate) fn payload(payload: Option<&Payload>) -> String {
    match payload {
        None => String::new(),
        Some(Payload::Json(json)) => shown(json.text()),
        Some(Payload::Binary(binary)) => {
            format!("{} ({} bytes)", shown(&binary.data_type), binary.data.len())
        }
    }
}

fn aligned(row: [String; 5]) -> String {
    let mut line = String::new();
    for (index, cell) in row.iter().enumerate() {
        match WIDTHS.get(index) {
            Some(width) => line += &format!("{cell:width$}  "),
            None => line += cell,
        }
    }
    line.truncate(line.trim_end().len());
    line
}
