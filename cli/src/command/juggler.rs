//! `hat juggler`: what web developers ask of a server, and a server to try a page with.

use std::future::pending;
use std::io::{self, BufReader};
use std::thread;

use anyhow::Result;
use hat_aio::juggler::{
    Client, ConnectError, ConnectOptions, Connection, Error, Handler, ListenOptions, RequestError,
    SharedState, WsOptions, connect, listen,
};
use hat_aio::{Address, Runtime, SocketOptions};
use hat_core::json::{Limits, Value};
use hat_core::juggler::{Error as JugglerError, State};
use hat_core::ws;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::{or, yield_now};

use super::input::{LineReader, MAX_LINE};
use crate::args::{CallArgs, JugglerCommand, JugglerServeArgs, PeerOfJuggler, WatchArgs};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::listening;
use crate::output;
use crate::runtime::{sleep, within};

/// How long changes of the state gather before they are told: as `hat-juggler`.
const FLUSH: std::time::Duration = std::time::Duration::from_millis(200);

pub(crate) async fn juggler<R: Runtime>(command: JugglerCommand) -> Result<()> {
    match command {
        JugglerCommand::Watch(args) => watch::<R>(args).await,
        JugglerCommand::Call(args) => call::<R>(args).await,
        JugglerCommand::Serve(args) => serve::<R>(args).await,
    }
}

impl PeerOfJuggler {
    async fn connected<R: Runtime>(&self, every_change: bool) -> Result<Client> {
        let credentials = match &self.user {
            None => None,
            Some(user) => {
                let (name, password) = user.split_once(':').ok_or_else(|| {
                    Failure::Input("--user: write the user name, a colon and the password".into())
                })?;
                Some((name.to_owned(), password.to_owned()))
            }
        };
        let ws = WsOptions {
            ws_path: self.ws_path().into(),
            credentials,
            tls: self.tls.connector(self.address(), self.timeout)?,
            socket: SocketOptions { connect_timeout: self.timeout, ..SocketOptions::default() },
            ..WsOptions::default()
        };
        let options = ConnectOptions { ws, every_change, ..ConnectOptions::default() };
        let (address, time) = (self.address().clone(), self.timeout);
        match within::<R, _>(time, connect::<R>(address.clone(), options)).await {
            None => Err(Failure::TimedOut { address, time }.into()),
            Some(Ok(client)) => Ok(client),
            Some(Err(ConnectError::Connect(error))) => Err(Failure::of_connect(error).into()),
            Some(Err(ConnectError::Ended(error))) => Err(not_taken(address, &error).into()),
            Some(Err(error)) => Err(Failure::Input(error.to_string()).into()),
        }
    }

    fn over(&self, error: &Error) -> Failure {
        Failure::of_end(self.address().clone(), error)
    }
}

/// Why a server does not accept the WebSocket of a client.
fn not_taken(address: Address, error: &Error) -> Failure {
    match error.protocol() {
        None if error.tls().is_some() => Failure::of_end(address, error),
        // who asks is not who may: another path or host would be no better
        Some(JugglerError::Ws(ws::Error::Refused { status: 401 | 403, .. })) => {
            Failure::Rejected { address, reason: error.to_string() }
        }
        _ => {
            let reason = format!("it does not accept the WebSocket: {error}");
            Failure::NotJuggler { address, reason }
        }
    }
}

/// What a client is told.
enum Update {
    State(Value),
    Notify(hat_aio::juggler::Notice),
}

async fn watch<R: Runtime>(args: WatchArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let WatchArgs { peer, path, count } = args;
    let Some(client) = interrupt.or(peer.connected::<R>(true)).await else { return Ok(()) };
    let client = client?;
    let mut left = count.unwrap_or(usize::MAX);
    let mut last = None;
    while left > 0 {
        let Some(next) = interrupt.or(next(&client)).await else { break };
        let line = match next.map_err(|error| peer.over(&error))? {
            Update::State(state) => {
                let part = path.as_ref().map_or(Some(&state), |path| state.get(path)).cloned();
                let part = part.unwrap_or_default();
                if path.is_some() && last.as_ref() == Some(&part) {
                    continue;
                }
                let line = format!(r#"{{"state":{part}}}"#);
                last = Some(part);
                line
            }
            Update::Notify(notified) => {
                let name = Value::from(&*notified.name);
                format!(r#"{{"notify":{name},"data":{}}}"#, notified.data)
            }
        };
        output::print_json(&line)?;
        left -= 1;
    }
    client.close().await;
    Ok(())
}

/// What comes next: changes before notifications, and the end behind all of both.
async fn next(client: &Client) -> Result<Update, Error> {
    let change = async {
        match client.next_change().await {
            Ok(state) => Ok(Update::State(state)),
            // notifications that came before the end wait in an inbox of their own
            Err(_) => pending().await,
        }
    };
    let notified = async {
        match client.notification().await {
            Ok(notice) => Ok(Update::Notify(notice)),
            // a change may have come since it was looked for
            Err(_) => client.next_change().await.map(Update::State),
        }
    };
    or(change, notified).await
}

async fn call<R: Runtime>(args: CallArgs) -> Result<()> {
    let CallArgs { peer, name, data } = args;
    let data = parsed(&data).map_err(|error| Failure::Input(format!("the data: {error}")))?;
    let client = peer.connected::<R>(false).await?;
    let (address, time) = (peer.address().clone(), peer.timeout);
    let result = match within::<R, _>(time, client.send(&name, &data)).await {
        None => return Err(Failure::Silent { address, time }.into()),
        Some(Ok(result)) => result,
        Some(Err(RequestError::Failed(error))) => {
            let text = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
            return Err(Failure::CallFailed { address, name, text }.into());
        }
        Some(Err(RequestError::Ended(error))) => return Err(peer.over(&error).into()),
        // too large, in practice
        Some(Err(error)) => return Err(Failure::Input(error.to_string()).into()),
    };
    output::print_json(&result.to_string())?;
    client.close().await;
    Ok(())
}

fn parsed(text: &str) -> Result<Value, String> {
    Value::parse(text, &Limits::default()).map_err(|error| error.to_string())
}

/// Prints requests, and gives each its own data back.
struct Echo {
    /// Takes what went wrong with the output.
    failed: Sender<anyhow::Error>,
}

impl Handler for Echo {
    async fn request(
        &self,
        connection: &Connection,
        name: &str,
        data: Value,
    ) -> Result<Value, Value> {
        let (name, from) = (Value::from(name), Value::from(connection.remote()));
        let line = format!(r#"{{"request":{name},"data":{data},"from":{from}}}"#);
        // the answer is due all the same
        if let Err(error) = output::print_json(&line) {
            // the first says enough
            let _ = self.failed.try_send(error);
        }
        Ok(data)
    }
}

async fn serve<R: Runtime>(args: JugglerServeArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let state = SharedState::new(State::new(Limits::default()), Some(FLUSH));
    let mut options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
    options.web.static_dir = args.files;
    options.web.tls = args.tls.acceptor(&args.listen)?;
    let at = args.listen.clone();
    let (sender, failed) = bounded(1);
    let server = listen::<R>(args.listen, Echo { failed: sender }, options).await;
    let server = server.map_err(|error| Failure::CannotListen(error.to_string()))?;
    listening::say(&at, server.addresses());
    let told = async {
        let lines = lines();
        let mut is_any = false;
        while let Ok(line) = lines.recv().await {
            is_any = true;
            let (number, line) = line?;
            if line.trim().is_empty() {
                continue;
            }
            let wrong = |error| Failure::Input(format!("line {number} of standard input: {error}"));
            let value = parsed(&line).map_err(wrong)?;
            let field = |name: &str| value.as_object().and_then(|object| object.get(name)).cloned();
            match (field("notify"), field("data")) {
                (Some(name), Some(data)) if name.as_str().is_some() => {
                    server.notify_all(name.as_str().unwrap_or_default(), &data);
                }
                _ => {
                    let set = state.change(|state| state.replace(value));
                    set.map_err(|error| wrong(error.to_string()))?;
                }
            }
            // an input without a pause must not be all that is looked at
            yield_now().await;
        }
        if !is_any {
            // without an input it is there to be asked
            pending::<()>().await;
        }
        Ok(())
    };
    let failed = async {
        let error = failed.recv().await;
        // whose request could not be printed is about to be answered
        sleep::<R>(FLUSH).await;
        error.map_or(Ok(()), Err)
    };
    let ended = interrupt.or(or(failed, told)).await;
    state.flush();
    server.close().await;
    ended.unwrap_or(Ok(()))
}

/// Lines of standard input with their numbers, read in a thread of their own.
fn lines() -> Receiver<Result<(u64, String)>> {
    let (sender, receiver) = bounded(16);
    thread::spawn(move || {
        let input = BufReader::new(io::stdin());
        let mut lines = LineReader::new(input, "standard input".into(), MAX_LINE);
        loop {
            let line = match lines.next_line() {
                Ok(None) => return,
                Ok(Some(line)) => Ok((lines.number(), line)),
                Err(error) => Err(error),
            };
            let is_over = line.is_err();
            if sender.send_blocking(line).is_err() || is_over {
                return;
            }
        }
    });
    receiver
}
