//! The program as a person or a script uses it: real processes, their output, their exit codes.

mod adminer;
mod browser;
#[cfg(unix)]
mod chapter;
mod completions;
mod conf;
mod cotp;
mod demo;
mod endings;
mod failures;
mod frames;
mod help;
mod history;
mod juggler;
mod metrics;
#[cfg(target_os = "linux")]
mod misfortunes;
mod monitor;
mod peers;
mod plant;
mod process;
#[cfg(target_os = "linux")]
mod progress;
mod reconnect;
mod redundancy;
mod register;
mod round_trips;
mod store;
mod store_import;
mod subscribe;
#[cfg(unix)]
mod systemd;
mod tls;
mod transfer;
#[cfg(unix)]
mod unix;
mod web;

/// Makes a test for each runtime of each body, which gets the runtime's name: `--runtime tokio`,
/// `--runtime smol`.
macro_rules! on_every_runtime {
    ($($(#[$meta:meta])* fn $name:ident($runtime:ident) $body:block)+) => {
        $($(#[$meta])* mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($runtime: &str) $body

            #[test]
            fn tokio() {
                body("tokio");
            }

            #[test]
            fn smol() {
                body("smol");
            }
        })+
    };
}
use on_every_runtime;
