//! A Juggler client that follows the server's state, and asks for a change.
//!
//! ```sh
//! cargo run -p hat-tokio --example juggler_client --features juggler -- localhost:23030
//! ```

use hat_tokio::juggler::{ConnectOptions, connect};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:23030".into());
    let client = connect(address, ConnectOptions::default()).await?;
    println!("the state is {}", client.changed().await?);
    let answer = client.send("set temperature", &21.into()).await?;
    println!("the answer is {answer}");
    println!("the state is {}", client.changed().await?);
    client.close().await;
    Ok(())
}
