//! A COTP server that sends every message back.
//!
//! ```sh
//! cargo run -p hat-tokio --example cotp_echo -- localhost:10102
//! ```

use hat_tokio::cotp::{ListenOptions, listen};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:10102".into());
    let server = listen(address, ListenOptions::default()).await?;
    println!("listening on {}", server.addresses()[0]);
    while let Some(connection) = server.accept().await {
        tokio::spawn(async move {
            while let Ok(message) = connection.receive().await {
                if connection.send(message).await.is_err() {
                    break;
                }
            }
            println!("{}: {}", connection.remote_address(), connection.close().await);
        });
    }
    Ok(())
}
