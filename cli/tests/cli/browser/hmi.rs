//! The example application of `docs/examples/hmi`, with `hat` as its event server.

use std::thread;

use hat_tests::peers::browser::{Script, skipped};
use serde_json::Value;

use crate::process::{Hat, Server, hat, hat_with};

#[path = "../../../../docs/examples/hmi/hmi.rs"]
mod application;

/// Starts the example, which ends with the process, and gives its page.
fn start(events: &str) -> String {
    let (sender, page) = std::sync::mpsc::channel();
    let events = events.to_owned();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("Tokio").block_on(async {
            let hmi = application::start(&events, "127.0.0.1:0").await.expect("it starts");
            let _ = sender.send(hmi.addresses()[0].to_string());
            std::future::pending::<()>().await;
        });
    });
    page.recv().expect("it listens")
}

#[test]
fn an_application_with_a_page_and_events() {
    if skipped("browser::hmi") {
        return;
    }
    let server = Server::start("tokio", "");
    let address = server.address.clone();
    let connect = format!("--connect {address}");
    let mut running = Some(server);
    let before = "{\"type\":\"hmi/feeder 1/current\",\"payload\":{\"kind\":\"json\",\"data\":12.5}}\n\
                  {\"type\":\"hmi/feeder 1/breaker/position\",\"payload\":{\"kind\":\"json\",\"data\":\"closed\"}}\n";
    assert_eq!(hat_with(&format!("register {connect}"), before).code, Some(0));

    let script = Script::start("hmi.mjs", &format!("http://{}/", start(&address)), "hmi");
    let mut commands = String::new();
    let checks = script.run(|want, line| {
        let asked: Value = serde_json::from_str(line).expect("an object");
        match want {
            "register" => {
                let events = asked["events"].as_array().expect("events");
                let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
                assert_eq!(hat_with(&format!("register {connect}"), &lines).code, Some(0));
            }
            "commands" => {
                let found = hat(&format!("query timeseries ?/?/breaker/command {connect}"));
                assert_eq!(found.code, Some(0));
                commands = found.stdout.join("\n");
                return if found.stdout.len() == 1 { "1" } else { "other" };
            }
            "stop" => {
                let Server { hat, .. } = running.take().expect("it runs");
                hat.signal("INT");
                assert_eq!(hat.end().code, Some(0));
            }
            "start" => {
                let hat = Hat::start(&format!("serve --no-own-events --listen {address}"));
                assert!(hat.error_line().starts_with("listening on "));
                running = Some(Server { hat, address: address.clone() });
            }
            _ => panic!("the script asks for something new: {line}"),
        }
        "done"
    });
    assert_eq!(checks, 4);
    assert!(
        commands.contains("\"to\": \"closed\"") || commands.contains("\"to\":\"closed\""),
        "{commands}"
    );
}
