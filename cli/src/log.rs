//! Logs on standard error: silent unless something is wrong or `-v` asks for more.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging: `RUST_LOG` decides, unless `-v` is given.
pub(crate) fn start(verbose: u8) {
    let filter = match verbose {
        0 => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")),
        1 => EnvFilter::new("info"),
        2 => EnvFilter::new("debug"),
        _ => EnvFilter::new("trace"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
