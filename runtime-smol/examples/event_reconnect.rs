//! An event client that comes back after every outage, and asks for the events that it missed.
//!
//! ```sh
//! cargo run -p hat-smol --example smol_event_reconnect -- localhost:23012
//! ```

use hat_smol::eventer::{CatchUpConfig, ReconnectOptions, Update, keep_connected};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let address = std::env::args().nth(1).unwrap_or("localhost:23012".into());
        let catch_up = Some(CatchUpConfig::default());
        let mut options = ReconnectOptions { catch_up, ..ReconnectOptions::default() };
        options.client.subscriptions = vec!["plant/boiler/*".into()];
        let client = keep_connected(address, "example", options).await?;
        loop {
            match client.next().await? {
                Update::Connected(status) => println!("connected: the server is {status}"),
                Update::Status(status) => println!("the server is {status}"),
                Update::Events(events) => {
                    for event in &events {
                        println!("{}: {:?}", event.event_type, event.payload);
                    }
                }
                Update::CaughtUp { gap: None, .. } => println!("nothing was missed"),
                Update::CaughtUp { gap: Some(gap), .. } => {
                    println!("events may be missing: {gap:?}");
                }
                Update::Disconnected { reason, retry_in } => {
                    println!("disconnected: {reason}; the next try is in {retry_in:?}");
                }
                other => println!("{other:?}"),
            }
        }
    })
}
