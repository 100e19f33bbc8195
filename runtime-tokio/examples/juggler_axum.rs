//! A Juggler server within axum, beside pages and routes of one's own.
//!
//! ```sh
//! cargo run -p hat-tokio --example juggler_axum --features web -- localhost:23040
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::get;
use hat_tokio::juggler::{
    Connection, Deflate, Handler, ListenOptions, Server, SharedState, Value, serve,
};
use hat_tokio::web::{Client, Origins};

struct Echo;

impl Handler for Echo {
    async fn request(&self, _: &Connection, _: &str, data: Value) -> Result<Value, Value> {
        Ok(data)
    }
}

/// Takes the WebSocket of a client that axum has let in.
async fn websocket(
    State(server): State<Arc<Server>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    match server.upgrade(&mut request, &Origins::Same) {
        Err(refusal) => refusal.map(Body::from),
        Ok((response, upgrading, agreement)) => {
            tokio::spawn(async move {
                // where the client is gone before it has the answer there is nothing to serve
                if let Ok(stream) = upgrading.stream().await {
                    let client = Client { address: remote.ip().to_string(), user: None };
                    server.serve_on(stream, client, agreement);
                }
            });
            response.map(|()| Body::empty())
        }
    }
}

/// The whole server: a page, and the WebSocket that follows `state`.
pub(crate) fn app(state: &SharedState) -> Router {
    let mut options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
    // messages are compressed where clients can
    options.ws.deflate = Some(Deflate::default());
    let server = Arc::new(serve(Echo, options));
    Router::new().route("/", get("a page")).route("/ws", get(websocket)).with_state(server)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:23040".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let app = app(&SharedState::default());
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
