//! A Chatter client that asks one question, prints the answer, and closes the connection.
//!
//! ```sh
//! cargo run -p hat-smol --example smol_chatter_client -- localhost:23020
//! ```

use hat_smol::chatter::{ConnectOptions, Data, connect};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let address = std::env::args().nth(1).unwrap_or("localhost:23020".into());
        let connection = connect(address, ConnectOptions::default()).await?;
        let question = connection.request(Data::new("Example.Question", "is it warm?"));
        // a request has no time limit of its own: dropping it gives the conversation up
        let answer = smol::future::or(async { Ok(question.await?) }, async {
            smol::Timer::after(Duration::from_secs(10)).await;
            Err(Box::<dyn std::error::Error>::from("no answer in ten seconds"))
        });
        let answer = answer.await?;
        println!("{}: {}", answer.data.r#type, String::from_utf8_lossy(&answer.data.data));
        connection.close().await;
        Ok(())
    })
}
