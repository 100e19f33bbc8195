//! A Chatter client that asks one question, prints the answer, and closes the connection.
//!
//! ```sh
//! cargo run -p hat-tokio --example chatter_client -- localhost:23020
//! ```

use hat_tokio::chatter::{ConnectOptions, Data, connect};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:23020".into());
    let connection = connect(address, ConnectOptions::default()).await?;
    let question = connection.request(Data::new("Example.Question", "is it warm?"));
    // a request has no time limit of its own: dropping it gives the conversation up
    let answer = tokio::time::timeout(Duration::from_secs(10), question).await??;
    println!("{}: {}", answer.data.r#type, String::from_utf8_lossy(&answer.data.data));
    connection.close().await;
    Ok(())
}
