//! There is no systemd on this system, and so nobody to be told.

use hat_aio::Runtime;
use hat_server::EngineHandle;

pub(crate) fn progress(_: &str) {}

pub(super) fn ready() {}

pub(super) fn stopping() {}

pub(super) async fn follow<R: Runtime>(_: EngineHandle) {}
