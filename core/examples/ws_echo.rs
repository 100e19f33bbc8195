//! WebSocket on a plain blocking socket: what an event loop of one's own does with a machine of
//! this crate.
//!
//! ```text
//! # echoes every message, a thread a connection
//! cargo run --example ws_echo -- server 127.0.0.1:9001
//! # echoes what the server sends, until it closes
//! cargo run --example ws_echo -- client 127.0.0.1:9001 /path
//! # is tested by Autobahn's fuzzing server, all its cases
//! cargo run --example ws_echo -- autobahn 127.0.0.1:9001 NAME
//! ```
//!
//! The loop is that of `hat_core::driver`: poll, write, wait. A blocking one has a limit: while it
//! writes it does not read, so two of them that both send more than the system buffers stop each
//! other. `aio` does both at once.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use hat_core::driver::{self, Driver};
use hat_core::time::Instant;
use hat_core::ws::{self, Config, Connection, Deflate, Incoming, Request, Response, SendError};

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
            let connection = Connection::accept(config(), Instant::ORIGIN);
            match run(stream, connection, echo) {
                Ok(end) => println!("{end}"),
                Err(error) => println!("the socket failed: {error}"),
            }
        });
    }
    Ok(())
}

/// Messages of any size are compressed where the peer can, with the help of those before.
fn config() -> Config {
    let deflate = Deflate { min_size: 1, context_takeover: true, ..Deflate::default() };
    Config { deflate: Some(deflate), ..Config::default() }
}

fn client(
    address: &str,
    path: String,
    on: impl FnMut(&mut Connection, Incoming) -> std::result::Result<(), SendError>,
) -> Result<ws::Error> {
    let stream = TcpStream::connect(address)?;
    // the standard library's only randomness
    let config = Config { mask_seed: RandomState::new().hash_one(0), ..config() };
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
    stream: TcpStream,
    connection: Connection,
    mut on: impl FnMut(&mut Connection, Incoming) -> std::result::Result<(), SendError>,
) -> Result<ws::Error> {
    stream.set_nodelay(true)?;
    let start = std::time::Instant::now();
    let now = || Instant::from_origin(start.elapsed());
    let mut driver = Driver::new(connection, stream);
    loop {
        match driver.wait(now) {
            Ok(Some(incoming)) => on(driver.machine(), incoming)?,
            Ok(None) => return Err("nothing can come any more".into()),
            Err(driver::Error::Protocol(end)) => {
                driver.flush()?;
                linger(driver.socket());
                return Ok(end);
            }
            Err(driver::Error::Io(error)) => return Err(error.into()),
        }
    }
}

/// Ends our side, and waits until the peer has ended its own: a socket closed before may throw away
/// what was written last.
fn linger(stream: &mut TcpStream) {
    let mut chunk = [0; 16 * 1024];
    let ended =
        stream.shutdown(Shutdown::Write).and_then(|()| stream.set_read_timeout(Some(LINGER)));
    while ended.is_ok() && stream.read(&mut chunk).is_ok_and(|count| count > 0) {}
}

/// One connection asks how many cases there are, one each runs them, the last one has the report
/// written.
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
