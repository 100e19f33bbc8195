//! What was printed counts as arrived: this system is not asked.

use anyhow::Result;

pub(super) struct Delivery;

impl Delivery {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn is_complete(&self) -> Result<bool> {
        Ok(true)
    }
}
