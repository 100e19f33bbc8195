//! Logs on standard error: silent but for warnings and errors, unless the command line, the
//! environment or a configuration asks for more.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::conf::log_levels::{UNSAID, directives};
use crate::conf::settings::LogSettings;

/// What was started.
struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    /// `-v` or `RUST_LOG` decides: a configuration does not.
    is_decided: bool,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Starts logging: `RUST_LOG` decides, unless `-v` is given.
pub(crate) fn start(verbose: u8) {
    let environment = EnvFilter::try_from_default_env().ok();
    let is_decided = verbose > 0 || environment.is_some();
    let filter = match verbose {
        0 => environment.unwrap_or_else(|| EnvFilter::new(UNSAID)),
        1 => EnvFilter::new("info"),
        2 => EnvFilter::new("debug"),
        _ => EnvFilter::new("trace"),
    };
    let (filter, handle) = reload::Layer::new(filter);
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(layer).init();
    // started once
    let _ = LOG.set(Log { filter: handle, is_decided });
}

/// Takes the levels of a configuration, unless `-v` or `RUST_LOG` decides. An error says what is
/// wrong with them.
pub(crate) fn configure(settings: &LogSettings) -> Result<(), String> {
    let is_decided = LOG.get().is_some_and(|log| log.is_decided);
    match is_decided || *settings == LogSettings::default() {
        true => filter(settings).map(drop),
        false => set(settings),
    }
}

/// Takes these levels from now on.
pub(crate) fn set(settings: &LogSettings) -> Result<(), String> {
    let filter = filter(settings)?;
    let log = LOG.get().ok_or("nothing is logged")?;
    log.filter.reload(filter).map_err(|error| error.to_string())
}

fn filter(settings: &LogSettings) -> Result<EnvFilter, String> {
    let directives = directives(settings);
    EnvFilter::try_new(&directives).map_err(|error| format!("log: `{directives}`: {error}"))
}
