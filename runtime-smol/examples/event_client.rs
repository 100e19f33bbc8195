//! An event client that subscribes, registers one event, and prints what it is told.
//!
//! ```sh
//! cargo run -p hat-smol --example smol_event_client -- localhost:23012
//! ```

use hat_smol::eventer::{ConnectOptions, Notification, RegisterEvent, connect};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let address = std::env::args().nth(1).unwrap_or("localhost:23012".into());
        let subscriptions = vec!["plant/boiler/*".into()];
        let options = ConnectOptions { subscriptions, ..ConnectOptions::default() };
        let client = connect(address, "example", options).await?;
        client.register(&[RegisterEvent::json("plant/boiler/celsius", &81.5)?]).await?;
        loop {
            match client.next().await? {
                Notification::Status(status) => println!("the server is {status}"),
                Notification::Events(events) => {
                    for event in &events {
                        println!("{}: {:?}", event.event_type, event.payload);
                    }
                }
            }
        }
    })
}
