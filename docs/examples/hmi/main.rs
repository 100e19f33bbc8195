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
    let argument = |n, default: &str| std::env::args().nth(n).unwrap_or(default.into());
    let hmi = hmi::start(&argument(1, "localhost:23012"), &argument(2, "127.0.0.1:8081")).await?;
    println!("page on http://{}/", hmi.addresses()[0]);
    std::future::pending().await
}
