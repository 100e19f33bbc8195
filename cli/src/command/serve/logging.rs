//! The levels of the log in the hands of the adminer.

use std::sync::{Mutex, PoisonError};

use hat_server::adminer::LogControl;
use serde_json::Value;

use crate::conf::log_levels;
use crate::log;

/// What was taken last.
pub(super) struct Levels(Mutex<Value>);

impl Levels {
    /// At first that of the deployed server's configuration; null where there is none.
    pub(super) fn new(conf: Value) -> Self {
        Self(Mutex::new(conf))
    }
}

impl LogControl for Levels {
    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).to_string()
    }

    fn set(&self, conf: &str) -> Result<(), String> {
        let conf: Value = serde_json::from_str(conf).map_err(|error| error.to_string())?;
        let levels = log_levels::read(&conf)?;
        log::set(&levels.settings)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = conf;
        Ok(())
    }
}
