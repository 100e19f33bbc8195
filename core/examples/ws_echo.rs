//! WebSocket on a plain blocking socket: what an event loop of one's own does with a machine of this crate.
//!
//! ```text
//! cargo run --example ws_echo -- server 127.0.0.1:9001            echoes every message, a thread a connection
//! cargo run --example ws_echo -- client 127.0.0.1:9001 /path      echoes what the server sends, until it closes
//! cargo run --example ws_echo -- autobahn 127.0.0.1:9001 NAME     is tested by Autobahn's fuzzing server, all its cases
//! ```
//!
//! The loop is the one of the crate's documentation: poll, write, wait. A blocking one has a limit: while it writes it does not
//! read, so two of them that both send more than the system buffers stop each other. `aio` does both at once.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{self, Config, Connection, Incoming, Request, Response, SendError};

/// How long the peer may take to end its side once we have ended ours.
const LINGER: Duration = Duration::from_secs(1);

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["server", address] => serve(address),
        ["client", address, path] => client(address, path.into(), echo).map(drop),
        ["autobahn", address, name] => autobahn(address, name),
        _ => {
            Err("usage: ws_echo server ADDRESS | client ADDRESS PATH | autobahn ADDRESS NAME"
                .into())
        }
    }
}

fn serve(address: &str) -> Result {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            let connection = Connection::accept(Config::default(), Instant::ORIGIN);
            match run(stream, connection, echo) {
                Ok(end) => println!("{end}"),
                Err(error) => println!("the socket failed: {error}"),
            }
        });
    }
    Ok(())
}

fn client(
    address: &str,
    path: String,
    on: impl FnMut(&mut Connection, Incoming) -> std::result::Result<(), SendError>,
) -> Result<ws::Error> {
    let stream = TcpStream::connect(address)?;
    // the standard library's only randomness
    let config = Config { mask_seed: RandomState::new().hash_one(0), ..Config::default() };
    let connection = Connection::connect(config, Request::new(address, path), Instant::ORIGIN)?;
    run(stream, connection, on)
}

/// What an application does.
fn echo(connection: &mut Connection, incoming: Incoming) -> std::result::Result<(), SendError> {
    match incoming {
        Incoming::Request(_) => {
            connection.confirm(&Response::default()).expect("a request waits");
            Ok(())
        }
        Incoming::Text(text) => connection.send_text(&text),
        Incoming::Binary(data) => connection.send_binary(&data),
        _ => Ok(()),
    }
}

/// Drives a connection until it is over, and says why.
fn run(
    mut stream: TcpStream,
    mut connection: Connection,
    mut on: impl FnMut(&mut Connection, Incoming) -> std::result::Result<(), SendError>,
) -> Result<ws::Error> {
    stream.set_nodelay(true)?;
    let start = std::time::Instant::now();
    let now = || Instant::from_origin(start.elapsed());
    let mut rx = RecvBuf::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        // 1. poll; what cannot be queued now is not polled for
        let mut end = None;
        while end.is_none() && connection.queued() < connection.config().max_queued / 2 {
            match connection.poll(&mut rx, now()) {
                Ok(Polled::Incoming(incoming)) => on(&mut connection, incoming)?,
                Ok(_) => break,
                Err(error) => end = Some(error),
            }
        }
        // 2. write, also after an error
        let wrote = connection.tx().has_remaining();
        while connection.tx().has_remaining() {
            let count = stream.write(connection.tx().chunk())?;
            connection.tx().advance(count);
        }
        if let Some(error) = end {
            linger(&mut stream, &mut chunk);
            return Ok(error);
        }
        if wrote {
            continue;
        }
        // 3. wait for bytes or for the deadline
        let left = connection.deadline().map(|at| (at - now()).max(Duration::from_millis(1)));
        stream.set_read_timeout(left)?;
        match stream.read(&mut chunk) {
            Ok(0) => rx.eof = true,
            Ok(count) => rx.feed(&chunk[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ends our side, and waits until the peer has ended its own: a socket closed before may throw away what was written last.
fn linger(stream: &mut TcpStream, chunk: &mut [u8]) {
    let ended =
        stream.shutdown(Shutdown::Write).and_then(|()| stream.set_read_timeout(Some(LINGER)));
    while ended.is_ok() && stream.read(chunk).is_ok_and(|count| count > 0) {}
}

/// One connection asks how many cases there are, one each runs them, the last one has the report written.
fn autobahn(address: &str, name: &str) -> Result {
    let mut count = String::new();
    client(address, "/getCaseCount".into(), |_, incoming| {
        if let Incoming::Text(text) = incoming {
            count = text.to_string();
        }
        Ok(())
    })?;
    for case in 1..=count.parse::<u32>()? {
        if let Err(error) = client(address, format!("/runCase?case={case}&agent={name}"), echo) {
            println!("case {case}: the socket failed: {error}");
        }
    }
    client(address, format!("/updateReports?agent={name}"), echo)?;
    println!("{count} cases");
    Ok(())
}
