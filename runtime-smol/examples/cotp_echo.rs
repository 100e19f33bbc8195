//! A COTP server that sends every message back.
//!
//! ```sh
//! cargo run -p hat-smol --example smol_cotp_echo -- localhost:10102
//! ```

use hat_smol::cotp::{ListenOptions, listen};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let address = std::env::args().nth(1).unwrap_or("localhost:10102".into());
        let server = listen(address, ListenOptions::default()).await?;
        println!("listening on {}", server.addresses()[0]);
        while let Some(connection) = server.accept().await {
            smol::spawn(async move {
                while let Ok(message) = connection.receive().await {
                    if connection.send(message).await.is_err() {
                        break;
                    }
                }
                println!("{}: {}", connection.remote_address(), connection.close().await);
            })
            .detach();
        }
        Ok(())
    })
}
