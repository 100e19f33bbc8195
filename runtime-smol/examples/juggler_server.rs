//! A Juggler server: every client follows one state, and may ask for it to be changed.
//!
//! ```sh
//! cargo run -p hat-smol --example smol_juggler_server --features web -- localhost:23030
//! ```

use hat_smol::json::Object;
use hat_smol::juggler::{Connection, Handler, ListenOptions, SharedState, Value, listen};

struct Plant(SharedState);

impl Handler for Plant {
    async fn request(&self, client: &Connection, name: &str, data: Value) -> Result<Value, Value> {
        if name != "set temperature" {
            return Err(format!("no such request: {name}").into());
        }
        let path = "/temperature".parse().expect("a pointer");
        let set = self.0.change(|state| state.set(&path, data));
        set.map_err(|error| error.to_string())?;
        Ok(format!("set for {}", client.remote()).into())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let address = std::env::args().nth(1).unwrap_or("localhost:23030".into());
        let state = SharedState::default();
        let begin = Object::from([("temperature", 20.5)]);
        state.change(|state| state.replace(Value::Object(begin)))?;
        let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
        let server = listen(address, Plant(state), options).await?;
        println!("listening on {}", server.addresses()[0]);
        std::future::pending().await
    })
}
