//! An event server within a program of one's own, with its events on a disk.
//!
//! ```sh
//! cargo run -p hat-server --example embedded -- localhost:23012 /tmp/events
//! ```

use std::path::Path;
use std::sync::Arc;

use hat_server::store::{DiskOptions, DiskStore};
use hat_server::{EventServer, Options};
use hat_tokio::eventer::RegisterEvent;
use hat_tokio::{Address, Tokio};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("localhost:23012".into());
    let folder = arguments.next().ok_or("give a folder to keep the events in")?;

    let store = DiskStore::open(Path::new(&folder), DiskOptions::default())?;
    let options = Options::new(Address::try_from(address)?, 1);
    let server = EventServer::start::<Tokio>(options, Arc::new(store)).await?;
    println!("listening on {}", server.addresses()[0]);

    // the program itself needs no connection
    let event = RegisterEvent::json("plant/boiler/celsius", &81.5)?;
    let registered = server.handle().register(vec![event]).await?;
    println!("registered {}", registered[0].event_type);

    println!("{}", server.ended().await);
    // tells clients, and waits until what was registered is on the disk
    server.stop().await?;
    Ok(())
}
