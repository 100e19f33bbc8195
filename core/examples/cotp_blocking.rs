//! COTP on a plain blocking socket: what an event loop of one's own does with ISO transport class
//! 0.
//!
//! ```text
//! # sends every message back, a thread a connection
//! cargo run -p hat-core --example cotp_blocking -- server 127.0.0.1:10102
//! # sends one, and prints what comes back
//! cargo run -p hat-core --example cotp_blocking -- client 127.0.0.1:10102 hello
//! ```

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::time::Instant as Clock;

use hat_core::cotp::{self, Config, Connection, Incoming};
use hat_core::driver::{self, Driver};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["server", address] => serve(address),
        ["client", address, text] => client(address, text.to_owned()),
        _ => Err("usage: cotp_blocking server ADDRESS | client ADDRESS TEXT".into()),
    }
}

fn serve(address: &str) -> Result {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            if let Err(error) = echo(stream) {
                println!("{error}");
            }
        });
    }
    Ok(())
}

/// One connection, until the peer ends it.
fn echo(stream: TcpStream) -> Result {
    let now = clock();
    // a request is confirmed by the machine itself, unless the configuration says otherwise
    let mut driver = Driver::new(Connection::accept(Config::default(), now())?, stream);
    let mut message = Vec::new();
    loop {
        match driver.wait(&now) {
            Ok(Some(Incoming::Data { data, end })) => {
                message.extend_from_slice(&data);
                if end {
                    driver.machine().send(std::mem::take(&mut message).into())?;
                }
            }
            Ok(Some(Incoming::Connected(info))) => println!("TPDUs of {}", info.tpdu_size),
            Ok(Some(other)) => println!("{other:?}"),
            Ok(None) | Err(driver::Error::Protocol(cotp::Error::Closed)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn client(address: &str, text: String) -> Result {
    let now = clock();
    let connection = Connection::connect(Config::default(), now())?;
    let mut driver = Driver::new(connection, TcpStream::connect(address)?);
    while let Some(incoming) = driver.wait(&now)? {
        match incoming {
            Incoming::Connected(_) => driver.machine().send(text.clone().into())?,
            Incoming::Data { data, end } => {
                print!("{}", String::from_utf8_lossy(&data));
                if end {
                    println!();
                    driver.machine().close();
                    driver.flush()?;
                    return Ok(());
                }
            }
            other => println!("{other:?}"),
        }
    }
    Err("the connection was closed before an answer came".into())
}

/// The time of one program: every machine in it counts from the same origin.
fn clock() -> impl Fn() -> Instant {
    let origin = Clock::now();
    move || Instant::from_origin(origin.elapsed())
}
