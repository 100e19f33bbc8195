//! `hat register`: one event, or those that come on standard input.

use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::Result;
use hat_aio::Runtime;
use hat_core::eventer::{EventType, Json, Payload, RegisterEvent};

use super::input::{Form, Pace, items};
use super::pipeline::{Pipeline, input_size, registered};
use crate::args::{InputFormat, RegisterArgs};
use crate::client::{Interest, ServerClient};
use crate::exit::Failure;
use crate::output::Output;

pub(crate) async fn register<R: Runtime>(mut args: RegisterArgs) -> Result<()> {
    // what cannot be registered needs no connection
    let form = match (args.input, args.event_type.is_some()) {
        (None, true) => None,
        (input, _) => {
            let input = input.unwrap_or(InputFormat::Jsonl);
            Some(Form::new(input, args.event_type.take())?)
        }
    };
    let event = args.event_type.take().map(|event_type| event(&args, event_type)).transpose()?;
    let server = ServerClient::new::<R>(&args.connect, Interest::default()).await?;
    let mut output = Output::new(args.output);
    if let Some(event) = event {
        let answer = server.client.register_with_response(&[event]).await;
        let events = registered(&server, answer)?;
        if args.response {
            output.all_events(&events)?;
        }
    } else if let Some(form) = form {
        let output = args.response.then_some(&mut output);
        let items = items(form, Pace::new(&args.pace));
        Pipeline::new(&server, output, args.pace.keep_going)
            .run::<R>(items, input_size().is_some())
            .await?;
    }
    server.client.close().await;
    Ok(())
}

/// The event that the arguments make.
fn event(args: &RegisterArgs, event_type: EventType) -> Result<RegisterEvent> {
    let event =
        |payload| RegisterEvent { event_type, source_timestamp: args.source_timestamp, payload };
    if let Some(text) = &args.json {
        return Ok(event(Some(json(text, "--json")?)));
    }
    let file = args.file.as_deref().filter(|path| path.as_os_str() != "-");
    let piped = !args.no_payload && !io::stdin().is_terminal();
    let asked = args.file.is_some() || args.binary.is_some();
    if !asked && !piped {
        return Ok(event(None));
    }
    let data = match file {
        Some(path) => read_file(path)?,
        None => read_input()?,
    };
    if let Some(name) = &args.binary {
        return Ok(event(Some(Payload::binary(name.as_str(), data))));
    }
    let from = file.map_or("standard input".to_owned(), |path| path.display().to_string());
    let text = String::from_utf8(data).map_err(|_| not_json(&from, "it is not UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() && file.is_none() {
        return Ok(event(None));
    }
    Ok(event(Some(json(text, &from)?)))
}

fn json(text: &str, from: &str) -> Result<Payload> {
    let json = Json::from_text(text).map_err(|error| match from {
        "--json" => Failure::Input(format!("--json: {error}")),
        from => not_json(from, &error.to_string()),
    })?;
    Ok(json.into())
}

fn not_json(from: &str, error: &str) -> Failure {
    Failure::Input(format!(
        "{from}: {error}; a payload is JSON, or with --binary NAME any bytes (--no-payload reads none)"
    ))
}

fn read_input() -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let read = io::stdin().read_to_end(&mut data);
    read.map_err(|error| Failure::Input(format!("cannot read standard input: {error}")))?;
    Ok(data)
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let read = std::fs::read(path);
    Ok(read.map_err(|error| Failure::Input(format!("cannot read {}: {error}", path.display())))?)
}
