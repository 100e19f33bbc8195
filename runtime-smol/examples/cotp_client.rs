//! A COTP client that sends one message to a transport selector, and prints what comes back.
//!
//! ```sh
//! cargo run -p hat-smol --example smol_cotp_client -- localhost:10102
//! ```

use hat_smol::cotp::{Config, ConnectOptions, connect};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let address = std::env::args().nth(1).unwrap_or("localhost:10102".into());
        let config = Config { remote_selector: Some(1.into()), ..Config::default() };
        let options = ConnectOptions { config, ..ConnectOptions::default() };
        let connection = connect(address, options).await?;
        connection.send("hello").await?;
        let answer = connection.receive().await?;
        let size = connection.info().tpdu_size.octets();
        println!("{}, in TPDUs of up to {size} octets", String::from_utf8_lossy(&answer));
        connection.close().await;
        Ok(())
    })
}
