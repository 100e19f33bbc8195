//! A page with the published `@hat-open/juggler` and our server.

use std::net::{Ipv4Addr, SocketAddr};

use hat_aio::Runtime;
use hat_aio::juggler::{Connection, Handler, ListenOptions, SharedState, listen};
use hat_aio::web::WebOptions;
use hat_core::json::{Object, Value};
use hat_tests::peers::browser::{Script, skipped};
use hat_tests::peers::node;
use hat_tests::runtimes::TestRuntime;

/// Rows of a kilobyte each.
const ROWS: usize = 10_000;

struct Requests;

impl Handler for Requests {
    async fn request(
        &self,
        connection: &Connection,
        name: &str,
        data: Value,
    ) -> Result<Value, Value> {
        match name {
            "leaf" => {
                let leaf = "/leaf".parse().expect("a pointer");
                let set = connection.change(|state| state.set(&leaf, data.clone()));
                set.expect("a small value");
                connection.notify("leaf", &data).await.map_err(|error| error.to_string())?;
                Ok(Value::Null)
            }
            _ => Err(data),
        }
    }
}

/// A state of 10 MB, with letters outside of ASCII at all places where it may be cut.
fn state() -> SharedState {
    let row = |n: usize| {
        let text = format!("{n} {}", "čć😀\n\"x".repeat(128));
        Value::Object(Object::from([("id", Value::from(n)), ("text", text.into())]))
    };
    let rows: Value = (0..ROWS).map(row).collect();
    let state = SharedState::default();
    let whole = Object::from([("leaf", Value::from(0)), ("rows", rows)]);
    state.change(|it| it.replace(whole)).expect("within the limits");
    state
}

fn test<R: TestRuntime>() {
    if skipped(&format!("browser::published::{}", R::NAME)) {
        return;
    }
    R::run_without_limit(async {
        let web = WebOptions { static_dir: Some(node::browser()), ..WebOptions::default() };
        let options = ListenOptions { web, state: Some(state()), ..ListenOptions::default() };
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let server = listen::<R>(address, Requests, options).await.expect("a free port");
        let url = format!("http://{}/published.html", server.addresses()[0]);
        let script = move || {
            let script = Script::start("published.mjs", &url, R::NAME);
            script.run(|_, line| panic!("the script asks for nothing: {line}"))
        };
        assert_eq!(<R as Runtime>::unblock(script).await.expect("a thread"), 8);
        server.close().await;
    });
}

#[test]
fn tokio() {
    test::<hat_tokio::Tokio>();
}

#[test]
fn smol() {
    test::<hat_smol::Smol>();
}
