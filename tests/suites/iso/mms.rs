//! MMS of `hat-drivers` through our relay: session, presentation and ACSE ride on our COTP in both
//! directions.

use std::io;

use hat_aio::Error;
use hat_core::cotp;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{self, ErrorKind, Handle, from_addr, skipped, to_addr, to_base64};
use hat_tests::runtimes::TestRuntime;
use serde_json::{Value, json};

use crate::drivers::today;
use crate::relay::{Relay, RelayEnd};
use crate::{local, octets};

/// A client and a server that are associated through a relay of ours.
struct Association {
    server: Handle,
    client: Handle,
    /// The server's end.
    accepted: Value,
    ended: tokio::sync::oneshot::Receiver<RelayEnd>,
}

impl Association {
    async fn new<R: TestRuntime>() -> Self {
        let listening = today().expect("mms.listen", json!({"addr": to_addr(local())}));
        let server = peers::handle(&listening["obj"]);
        let relay = Relay::to::<R>(from_addr(&listening["addresses"][0])).await;
        let target = json!({"addr": to_addr(relay.address()), "local_tsel": 1, "remote_tsel": 515});
        let connecting = today().start("mms.connect", target);
        let relayed = relay.accept::<R>().await;
        let (sender, ended) = tokio::sync::oneshot::channel();
        R::spawn(async move {
            let _ = sender.send(relayed.run::<R>().await);
        });
        let client = peers::handle(&connecting.expect()["obj"]);
        let accepted = today().event("accepted", server);
        Self { server, client, accepted, ended }
    }

    fn request(&self, method: &str) -> Value {
        today().expect(&format!("mms.{method}"), json!({"obj": self.client}))
    }
}

/// What the system says of a peer that is not there any more.
const GONE: [io::ErrorKind; 2] = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];

#[track_caller]
fn both_closed(ended: &RelayEnd) {
    for end in [&ended.front, &ended.back] {
        // who closes with something unread resets the connection, which a read tells; or a write
        // does, where the relay hands something on behind the end
        let closed = matches!(end.protocol(), Some(cotp::Error::Closed));
        let gone = matches!(end, Error::Io(error) if GONE.contains(&error.kind()));
        assert!(closed || gone, "{end:?}");
    }
}

on_threaded_runtimes! {
    async fn requests_and_answers<R>() {
        if skipped("iso::mms::requests_and_answers") {
            return;
        }
        let association = Association::new::<R>().await;
        assert_eq!(association.accepted["info"], json!({"local_tsel": 515, "remote_tsel": 1}));
        assert_eq!(association.request("status"), json!({"logical": 0, "physical": 2}));
        let identity = json!({"vendor": "hat", "model": "canned", "revision": "1"});
        assert_eq!(association.request("identify"), identity);

        today().expect("close", json!({"obj": association.client}));
        let ended = association.ended.await.expect("the relay ends with the client");
        both_closed(&ended);
        // association, two requests, and what the client says at its end
        assert!(ended.requests >= 4, "{}", ended.requests);
        assert!(ended.answers >= 3, "{}", ended.answers);
    }

    async fn messages_of_many_tpdus<R>() {
        if skipped("iso::mms::messages_of_many_tpdus") {
            return;
        }
        let association = Association::new::<R>().await;
        let names = association.request("get_name_list");
        let names = names["identifiers"].as_array().expect("a list");
        assert_eq!((names.len(), &names[1999]), (2000, &json!("item01999")));
        for len in [1, 2000, 20_000, 100_000] {
            let data = to_base64(octets(len));
            let params = json!({"obj": association.client, "data": data});
            assert_eq!(today().expect("mms.write", params)["results"], json!([null]), "{len}");
            assert!(association.request("read")["data"] == data, "{len}");
        }
        today().expect("close", json!({"obj": association.client}));
        both_closed(&association.ended.await.expect("the relay ends"));
    }

    async fn the_server_ends<R>() {
        if skipped("iso::mms::the_server_ends") {
            return;
        }
        let association = Association::new::<R>().await;
        today().expect("close", json!({"obj": association.accepted["conn"]}));
        today().event("closed", association.client);
        both_closed(&association.ended.await.expect("the relay ends"));
        let gone = today().request("mms.status", json!({"obj": association.client}));
        assert_eq!(gone.map_err(|error| error.kind), Err(ErrorKind::Connection));
        today().expect("close", json!({"obj": association.server}));
    }
}
