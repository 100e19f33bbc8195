//! A Chatter server that answers each question in its conversation.
//!
//! ```sh
//! cargo run -p hat-tokio --example chatter_server -- localhost:23020
//! ```

use hat_tokio::chatter::{Connection, Data, ListenOptions, SendOptions, listen};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:23020".into());
    let server = listen(address, ListenOptions::default()).await?;
    println!("listening on {}", server.addresses()[0]);
    while let Some(connection) = server.accept().await {
        tokio::spawn(async move {
            let Err(why) = answer(&connection).await;
            println!("{}: {why}", connection.remote_address());
        });
    }
    Ok(())
}

/// Answers until the connection is over, and says why it is.
async fn answer(
    connection: &Connection,
) -> Result<std::convert::Infallible, Box<dyn std::error::Error>> {
    loop {
        let question = connection.receive().await?;
        let text = String::from_utf8_lossy(&question.data.data).to_uppercase();
        let conversation = Some(question.conversation);
        let options = SendOptions { conversation, ..SendOptions::default() };
        connection.send(Data::new("Example.Answer", text), options).await?;
    }
}
