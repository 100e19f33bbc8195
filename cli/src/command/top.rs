//! `hat top`: rates and latest values, type by type.

mod model;
mod view;

use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hat_aio::Runtime;
use hat_aio::eventer::Notification;
use hat_core::eventer::{EventType, LatestParams};
use ratatui::crossterm::event::{self, Event as Input, KeyCode, KeyEventKind, KeyModifiers};
use smol::channel::{Receiver, bounded};

use crate::args::TopArgs;
use crate::client::{Interest, QueryOutcome, ServerClient};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output;
use crate::runtime::{sleep, within};
use model::{Model, Sort};

/// From one picture to the next.
const TICK: Duration = Duration::from_millis(500);

pub(crate) async fn top<R: Runtime>(args: TopArgs) -> Result<()> {
    if args.once.is_none() && !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        let text = "this is not a terminal: use --once SECONDS to print the table once, or `hat subscribe` to print events";
        return Err(Failure::Input(text.into()).into());
    }
    let interrupt = Interrupt::watch()?;
    let types = match args.types.is_empty() {
        true => vec![EventType::from_segments(["*"])],
        false => args.types.clone(),
    };
    let wanted = Interest { types: types.clone(), ..Interest::default() };
    let server = ServerClient::new::<R>(&args.connect, wanted).await?;
    let mut model = Model::new(server.address.to_string(), server.client.status());
    latest::<R>(&args, &mut model).await?;
    match args.once {
        Some(time) => once::<R>(&server, &interrupt, &mut model, time).await?,
        None => watch::<R>(&server, &interrupt, &mut model).await?,
    }
    server.client.close().await;
    Ok(())
}

/// The latest events, on another connection: what they are may end it, where there are many.
async fn latest<R: Runtime>(args: &TopArgs, model: &mut Model) -> Result<()> {
    let mut asker = ServerClient::new::<R>(&args.connect, Interest::default()).await?;
    let event_types = (!args.types.is_empty()).then(|| args.types.clone());
    match asker.ask::<R>(&args.connect, &LatestParams { event_types }.into()).await? {
        QueryOutcome::Answer(result) => {
            if result.more_follows {
                say(
                    "note: the server has more types than fit in one response: the others appear with their next event",
                );
            }
            result.events.into_iter().for_each(|event| model.known(event));
        }
        QueryOutcome::Ended(_) => say(
            "note: the latest events do not fit in one response: types appear with their next event",
        ),
    }
    asker.client.close().await;
    Ok(())
}

/// Takes what the server tells for so long.
async fn take<R: Runtime>(server: &ServerClient, model: &mut Model, time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match within::<R, _>(left, server.next()).await {
            None => return Ok(()),
            Some(Ok(Notification::Status(status))) => model.status = status,
            Some(Ok(Notification::Events(events))) => {
                events.into_vec().into_iter().for_each(|event| model.told(event));
            }
            Some(Err(error)) => return Err(error),
        }
        if left.is_zero() {
            return Ok(());
        }
    }
}

async fn once<R: Runtime>(
    server: &ServerClient,
    interrupt: &Interrupt,
    model: &mut Model,
    time: Duration,
) -> Result<()> {
    let start = Instant::now();
    match interrupt.or(take::<R>(server, model, time)).await {
        Some(taken) => taken?,
        None => return Ok(()),
    }
    model.tick(start.elapsed());
    for line in view::lines(model, usize::MAX) {
        output::print(&line)?;
    }
    Ok(())
}

async fn watch<R: Runtime>(
    server: &ServerClient,
    interrupt: &Interrupt,
    model: &mut Model,
) -> Result<()> {
    let mut terminal = ratatui::try_init().context("cannot use the terminal")?;
    let shown = show::<R>(server, interrupt, model, &mut terminal).await;
    ratatui::restore();
    shown
}

async fn show<R: Runtime>(
    server: &ServerClient,
    interrupt: &Interrupt,
    model: &mut Model,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<()> {
    let keys = keys();
    let mut last = Instant::now();
    loop {
        terminal.draw(|frame| view::draw(frame, model)).context("cannot draw")?;
        let step = async {
            let taken = async { take::<R>(server, model, TICK).await.map(|()| None) };
            let key = async { Ok(Some(pressed::<R>(&keys).await)) };
            // a key is answered at once
            smol::future::or(key, taken).await
        };
        let Some(step) = interrupt.or(step).await else { return Ok(()) };
        if let Some(key) = step?
            && !press(model, key)
        {
            return Ok(());
        }
        if last.elapsed() >= TICK {
            model.tick(last.elapsed());
            last = Instant::now();
        }
    }
}

/// The next key; never, where nothing can be read.
async fn pressed<R: Runtime>(keys: &Receiver<KeyCode>) -> KeyCode {
    match keys.recv().await {
        Ok(key) => key,
        Err(_) => loop {
            sleep::<R>(Duration::from_secs(3600)).await;
        },
    }
}

/// What a key does. `false` is the end.
fn press(model: &mut Model, key: KeyCode) -> bool {
    match key {
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Char('r') => model.sort = Sort::Rate,
        KeyCode::Char('n') => model.sort = Sort::Name,
        KeyCode::Char('a') => model.sort = Sort::Age,
        KeyCode::Char(' ') => model.paused = !model.paused,
        KeyCode::Down | KeyCode::Char('j') => model.scroll(1),
        KeyCode::Up | KeyCode::Char('k') => model.scroll(-1),
        KeyCode::PageDown => model.scroll(20),
        KeyCode::PageUp => model.scroll(-20),
        KeyCode::Home => model.scroll(isize::MIN),
        _ => {}
    }
    true
}

/// Keys, read in a thread of their own: it blocks, and ends with the process.
fn keys() -> Receiver<KeyCode> {
    let (sender, receiver) = bounded(16);
    thread::spawn(move || {
        while let Ok(input) = event::read() {
            let key = match input {
                Input::Key(key) if key.kind == KeyEventKind::Release => continue,
                // the terminal gives no signal while it gives every key
                Input::Key(key)
                    if key.code == KeyCode::Char('c')
                        && key.modifiers.contains(KeyModifiers::CONTROL) =>
                {
                    KeyCode::Esc
                }
                Input::Key(key) => key.code,
                // drawn anew
                Input::Resize(..) => KeyCode::Null,
                _ => continue,
            };
            if sender.send_blocking(key).is_err() {
                return;
            }
        }
    });
    receiver
}
