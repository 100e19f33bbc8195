//! An event server in a process of its own, for tests that kill it, starve it, or measure it; or a
//! crowd of its clients.
//!
//! ```text
//! event-server serve RUNTIME           listening ADDRESS
//!   report                             connections=… tasks=… descriptors=… resident=… peak=…
//!                                      KiB; 0 if unknown
//!   notify BYTES COUNT                 notified, one after the other
//!   close                              closed
//! event-server crowd ADDRESS COUNT     up, once all are taken; they go when it is killed
//! ```
//!
//! It ends with its standard input. Queries of clients called `unanswered` are not answered.

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::thread;

use bytes::Buf;
use hat_aio::eventer::{ConnectionInfo, Handler, ListenOptions, Server, listen};
use hat_core::eventer::client::{Client, Config};
use hat_core::eventer::message::InitReq;
use hat_core::eventer::{
    Event, EventId, EventType, Payload, QueryParams, QueryResult, Status, Timestamp,
};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_smol::async_std::AsyncStd;
use hat_tests::counting::CountingRuntime;
use hat_tests::runtimes::TestRuntime;
use smol::channel::{Receiver, bounded};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", "tokio"] => hat_tokio::Tokio::run_without_limit(serve::<hat_tokio::Tokio>()),
        ["serve", "smol"] => hat_smol::Smol::run_without_limit(serve::<hat_smol::Smol>()),
        ["serve", "async-std"] => AsyncStd::run_without_limit(serve::<AsyncStd>()),
        ["crowd", address, count] => crowd(address, count.parse()?),
        _ => Err("event-server serve RUNTIME | event-server crowd ADDRESS COUNT".into()),
    }
}

struct Answers;

impl Handler for Answers {
    async fn query(&self, info: &ConnectionInfo, _params: QueryParams) -> QueryResult {
        if info.client_name == "unanswered" {
            std::future::pending::<()>().await;
        }
        QueryResult::default()
    }
}

struct Here;

async fn serve<R: TestRuntime>() -> Result<()> {
    let options = ListenOptions { status: Status::Operational, ..ListenOptions::default() };
    let server = listen::<CountingRuntime<R, Here>>(("127.0.0.1", 0), Answers, options).await?;
    say(&format!("listening {}", server.addresses()[0]))?;
    let commands = commands();
    while let Ok(command) = commands.recv().await {
        match command.split(' ').collect::<Vec<_>>()[..] {
            ["report"] => say(&report(&server, CountingRuntime::<R, Here>::tasks()))?,
            ["notify", bytes, count] => {
                notify(&server, bytes.parse()?, count.parse()?).await;
                say("notified")?;
            }
            ["close"] => {
                server.close().await;
                say("closed")?;
            }
            _ => return Err(format!("no such command: {command}").into()),
        }
    }
    Ok(())
}

/// The lines of standard input, from a thread: they must not hold up the runtime.
fn commands() -> Receiver<String> {
    let (sender, commands) = bounded(1);
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send_blocking(line).is_err() {
                return;
            }
        }
    });
    commands
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn report(server: &Server, tasks: usize) -> String {
    let connections = server.connections().len();
    // with no descriptor left there is none to find out with
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("0")
    };
    let (resident, peak) = (kib("VmRSS:"), kib("VmHWM:"));
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    format!(
        "connections={connections} tasks={tasks} descriptors={descriptors} resident={resident} peak={peak}"
    )
}

async fn notify(server: &Server, bytes: usize, count: i64) {
    let payload = Payload::binary("", vec![0; bytes]);
    for instance in 1..=count {
        let event = Event {
            id: EventId::new(1, 1, instance),
            event_type: EventType::from_segments(["a"]),
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: Some(payload.clone()),
        };
        server.notify_events(&[event], false, false).await;
        server.caught_up().await;
    }
}

/// Clients of a few bytes each: all that the server has, and next to nothing here.
fn crowd(address: &str, count: usize) -> Result<()> {
    let init = InitReq { client_name: "crowd".into(), ..InitReq::default() };
    let mut client = Client::new(Config::default(), &init, Instant::ORIGIN)?;
    let length = client.tx().remaining();
    let init = client.tx().copy_to_bytes(length);
    let mut crowd = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&init)?;
        crowd.push(stream);
    }
    for stream in &mut crowd {
        stream.read_exact(&mut [0])?;
    }
    say("up")?;
    // until whoever started us ends us
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
