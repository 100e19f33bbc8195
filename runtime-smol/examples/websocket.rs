//! A WebSocket server and a client of it.
//!
//! ```sh
//! cargo run -p hat-smol --example smol_websocket --features web -- localhost:23050
//! ```

use hat_smol::websocket::{self, ConnectOptions, ListenOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let address = std::env::args().nth(1).unwrap_or("localhost:23050".into());
        let server = websocket::listen(address, ListenOptions::default()).await?;
        println!("listening on {}", server.addresses()[0]);
        let url = format!("ws://{}", server.addresses()[0]);
        let client = websocket::connect(url, ConnectOptions::default()).await?;
        let accepted = server.accept().await.ok_or("the server is closed")?;
        client.send("a text").await?;
        client.send(vec![1, 2, 3]).await?;
        for _ in 0..2 {
            println!("over WebSocket came {:?}", accepted.receive().await?);
        }
        accepted.close_with(4000, "that is all").await?;
        println!("the server closed: {:?}", client.peer_close());
        Ok(())
    })
}
