//! A server of this library, on any runtime.

use std::time::{Duration, Instant};

use hat_aio::Runtime;
use hat_aio::juggler::{Connection, Handler, ListenOptions, SharedState, listen};
use hat_aio::runtime::sleep;
use hat_core::json::{Pointer, Value};
use hat_core::juggler::State;
use smol::channel::{Sender, unbounded};

use super::LEAF;
use crate::side;

/// Answers with what it got; `run` asks for changes of the leaf for so many milliseconds.
struct Echo(Sender<u64>);

impl Handler for Echo {
    async fn request(&self, _: &Connection, name: &str, data: Value) -> Result<Value, Value> {
        if name == "run" {
            // an error: the process ends
            let _ = self.0.send(data.as_u64().unwrap_or_default()).await;
        }
        Ok(data)
    }
}

pub(super) async fn serve<R: Runtime>(size: usize) -> anyhow::Result<()> {
    let state = SharedState::new(State::default(), Some(Duration::ZERO));
    state.change(|it| it.replace(Value::from(super::state(size))))?;
    let (sender, runs) = unbounded();
    let mut options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
    options.config.parallel_requests = true;
    let server = listen::<R>(("127.0.0.1", 0), Echo(sender), options).await?;
    side::listening(server.addresses()[0].port());
    let leaf = Pointer::new(LEAF);
    while let Ok(milliseconds) = runs.recv().await {
        let start = Instant::now();
        for n in 0..milliseconds {
            let at = start + Duration::from_millis(n);
            sleep::<R>(at.saturating_duration_since(Instant::now())).await;
            state.change(|it| it.set(&leaf, n + 1))?;
        }
        server.notify_all("done", &Value::Null);
    }
    Ok(())
}
