//! A Juggler client that comes back after every outage, and follows the server's state across them.
//!
//! ```sh
//! cargo run -p hat-tokio --example juggler_reconnect --features juggler -- localhost:23030
//! ```

use hat_tokio::juggler::{ReconnectOptions, Update, WhileDisconnected, keep_connected};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:23030".into());
    let options = ReconnectOptions {
        while_disconnected: WhileDisconnected::Wait,
        ..ReconnectOptions::default()
    };
    let client = keep_connected(address, options).await?;
    // waits until there is a connection, now and in every outage
    println!("the answer is {}", client.send("set temperature", &21.into()).await?);
    loop {
        match client.next().await? {
            Update::Connected => println!("connected"),
            Update::State(state) => println!("the state is {state}"),
            Update::Notified(notified) => println!("{}: {}", notified.name, notified.data),
            Update::Disconnected { reason, retry_in } => {
                println!("disconnected: {reason}; the next try is in {retry_in:?}");
                println!("the state was {}", client.state());
            }
            other => println!("{other:?}"),
        }
    }
}
