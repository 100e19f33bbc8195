//! An event client on a plain blocking socket: it subscribes to a type, registers an event of it,
//! and prints what the server tells.
//! `cargo run -p hat-core --example eventer_blocking -- 127.0.0.1:23012 plant/boiler`

use std::net::TcpStream;
use std::time::Instant as Clock;

use hat_core::driver::Driver;
use hat_core::eventer::client::{Client, Config, Incoming};
use hat_core::eventer::message::InitReq;
use hat_core::eventer::{EventType, Payload, RegisterEvent};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:23012".into());
    let event_type: EventType =
        arguments.next().unwrap_or_else(|| "plant/boiler".into()).parse()?;

    let origin = Clock::now();
    let now = || Instant::from_origin(origin.elapsed());
    let init = InitReq {
        client_name: "blocking".into(),
        subscriptions: vec![event_type.clone()],
        ..InitReq::default()
    };
    let client = Client::new(Config::default(), &init, now())?;
    let mut driver = Driver::new(client, TcpStream::connect(address)?);

    // nothing is awaited that cannot come: this client never closes before it has its event
    while let Some(incoming) = driver.wait(now)? {
        match incoming {
            Incoming::Ready(status) => {
                println!("the server is {status}");
                let payload = Some(Payload::binary("text", &b"hello"[..]));
                let event = RegisterEvent { payload, ..RegisterEvent::new(event_type.clone()) };
                driver.machine().register(&[event])?;
            }
            Incoming::Events { events, ack, .. } => {
                for event in &events {
                    println!("{} at {}", event.event_type, event.timestamp);
                }
                if let Some(ack) = ack {
                    driver.machine().ack(ack)?;
                }
                // what is queued is still written
                driver.machine().close();
                driver.flush()?;
                return Ok(());
            }
            other => println!("{other:?}"),
        }
    }
    Err("the connection was closed before an event came".into())
}
