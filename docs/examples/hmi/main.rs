//! A small HMI of a feeder: a page, its state, its calls, and events of `hat serve`.
//!
//! ```sh
//! hat serve
//! cargo run -p hat-tokio --example hmi --features web -- localhost:23012 127.0.0.1:8081
//! hat register 'hmi/feeder 1/breaker/position' --json '"closed"'     # what the field says
//! ```

mod hmi;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let events = args.next().unwrap_or("localhost:23012".into());
    let page = args.next().unwrap_or("127.0.0.1:8081".into());
    let hmi = hmi::start(&events, &page).await?;
    println!("page on http://{}/", hmi.addresses()[0]);
    std::future::pending().await
}
