//! `hat juggler`: what is told, and how its commands end.

use std::net::SocketAddr;

use hat_core::json::Value;
use hat_smol::juggler::{ListenOptions, Server, listen};
use serde_json::json;
use smol::future::poll_once;

use crate::on_every_runtime;
use crate::process::Hat;

/// A server of the library.
fn library(options: ListenOptions) -> (Server, SocketAddr) {
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    let server = smol::block_on(listen(address, (), options)).expect("a free port");
    let address = server.addresses()[0];
    (server, address)
}

on_every_runtime! {
    /// What came before the server closed is told, also where the end is seen first.
    fn notifications_before_the_end(runtime) {
        const COUNT: i64 = 2_000;
        let (server, address) = library(ListenOptions::default());
        let watch = Hat::start(&format!("juggler watch {address} --runtime {runtime}"));
        let connection = loop {
            match server.connections().pop() {
                Some(connection) => break connection,
                None => std::thread::yield_now(),
            }
        };
        // it reads all of it at once, with the end behind it
        watch.signal("STOP");
        smol::block_on(async {
            for number in 0..COUNT {
                connection.notify("n", &Value::from(number)).await.expect("sent");
            }
            connection.drain().await.expect("with the system");
            let mut closing = Box::pin(server.close());
            poll_once(&mut closing).await;
            watch.signal("CONT");
            closing.await;
        });
        for number in 0..COUNT {
            assert_eq!(watch.json(), json!({"notify": "n", "data": number}));
        }
        watch.end().failed(6);
    }
}
