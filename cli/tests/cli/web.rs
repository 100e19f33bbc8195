//! `hat serve --web` without a browser: files and their headers, the state, requests, passwords,
//! origins.

pub(crate) mod http;

use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hat_core::json::{Limits, Value};
use hat_core::ws;
use hat_tokio::Address;
use hat_tokio::juggler::{self, Client, ConnectOptions, RequestError, WsOptions};
use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};
use crate::store::Folder;
use http::{extensions, get, get_as, upgrade};

/// A server with a page, and where that is.
struct PageServer {
    server: Server,
    page: SocketAddr,
}

impl PageServer {
    #[track_caller]
    fn start(runtime: &str, args: &str) -> Self {
        let server = Server::start(runtime, &format!("--web 127.0.0.1:0 {args}"));
        let line = server.hat.error_line();
        let page = line.strip_prefix("page on http://").and_then(|rest| rest.strip_suffix('/'));
        let page = page.and_then(|page| page.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        Self { server, page }
    }

    fn connect(&self) -> String {
        format!("--connect {}", self.server.address)
    }

    async fn client(&self, ws: WsOptions) -> Result<Client, juggler::ConnectError> {
        let options = ConnectOptions { ws, ..ConnectOptions::default() };
        juggler::connect(Address::from(self.page), options).await
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("Tokio").block_on(test)
}

/// Waits until the state has something at `path`; the test hangs, and fails by the limit of its
/// processes, if it never has.
async fn told(client: &Client, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    let path = path.parse().expect("a pointer");
    let mut state = client.state();
    loop {
        match state.get(&path) {
            Some(value) if is(value) => return value.clone(),
            _ => state = client.changed().await.expect("the connection stays"),
        }
    }
}

fn value(json: serde_json::Value) -> Value {
    json.into()
}

async fn failed(client: &Client, name: &str, data: serde_json::Value) -> String {
    match client.send(name, &value(data)).await {
        Err(RequestError::Failed(Value::String(text))) => text.to_string(),
        answer => panic!("{name} is not refused with a text: {answer:?}"),
    }
}

/// A file of its own for a test, gone after it.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hat-{}-{name}", std::process::id()));
        fs::write(&path, text).expect("a temporary file");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

on_every_runtime! {
    fn the_files_of_the_page(runtime) {
        let served = PageServer::start(runtime, "");
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
        for (path, content_type, start) in [
            ("/index.html", "text/html; charset=utf-8", "<!doctype html>"),
            ("/style.css", "text/css; charset=utf-8", ""),
            ("/icon.svg", "image/svg+xml", "<svg"),
            ("/app.js", "text/javascript; charset=utf-8", "// "),
        ] {
            let answer = get(served.page, path, "");
            assert_eq!((answer.status, answer.header("content-type")), (200, content_type), "{path}");
            assert!(answer.body.starts_with(start), "{path}: {}", answer.body);
            assert_eq!(answer.header("content-security-policy"), policy, "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
        }
        let answer = get(served.page, "/", "");
        assert_eq!((answer.status, answer.header("location")), (302, "./index.html"));
        for path in ["/README.md", "/package.json", "/web/index.html", "/../Cargo.toml"] {
            assert_ne!(get(served.page, path, "").status, 200, "{path}");
        }
    }

    fn a_page_is_told_what_happens(runtime) {
        let served = PageServer::start(runtime, "--server-id 7");
        let connect = served.connect();
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            let server = told(&page, "/server", |it| !it.is_null()).await;
            let of = |path: &str| server.get(&path.parse().expect("a pointer")).cloned();
            assert_eq!(of("/server_id"), Some(7.into()));
            assert_eq!(of("/status"), Some("operational".into()));
            assert_eq!(of("/addresses"), Some(value(json!([served.server.address]))));
            assert_eq!(of("/name"), Some(concat!("hat ", env!("CARGO_PKG_VERSION")).into()));

            // from another process
            hat(&format!("register a/b --json 1.50 {connect}")).json();
            let event = told(&page, "/events/a~1b", |it| !it.is_null()).await;
            assert_eq!(event.get(&"/id".parse().expect("a pointer")), Some(&value(json!([7, 1, 1]))));
            let payload = event.get(&"/payload".parse().expect("a pointer"));
            assert_eq!(payload, Some(&value(json!({"json": {"text": "1.50", "size": 4}}))));

            // a client that comes and goes
            let follower = Hat::start(&format!("subscribe --name historian x/* {connect} --persisted"));
            let is_there = |it: &Value| it.as_object().is_some_and(|clients| !clients.is_empty());
            let clients = told(&page, "/clients", is_there).await;
            let (_, client) = clients.as_object().expect("clients").iter().next().expect("one");
            let of = |path: &str| client.get(&path.parse().expect("a pointer")).cloned();
            assert_eq!(of("/name"), Some("historian".into()));
            assert_eq!(of("/subscriptions"), Some(value(json!(["x/*"]))));
            assert_eq!(of("/persisted"), Some(true.into()));
            drop(follower);
            told(&page, "/clients", |it| !is_there(it)).await;

            // and the seconds
            let counted = |it: &Value| {
                let counts = it.as_array().expect("counts");
                assert_eq!(counts.len(), 300);
                counts.iter().filter_map(Value::as_u64).sum::<u64>() == 1
            };
            told(&page, "/rate/counts", counted).await;
            for name in ["registered", "events_kept", "event_types"] {
                told(&page, &format!("/server/{name}"), |it| it.as_u64() == Some(1)).await;
            }
        });
    }

    fn a_page_registers(runtime) {
        let served = PageServer::start(runtime, "");
        let connect = format!("{} --runtime {runtime}", served.connect());
        let follower = Hat::start(&format!("subscribe --status page/* {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            let request = json!({"type": "page/x", "source_timestamp": [5, 6], "payload": {"json": {"text": "[1.50]"}}});
            let answer = page.send("register", &value(request)).await.expect("registered");
            let of = |path: &str| answer.get(&path.parse().expect("a pointer")).cloned();
            assert_eq!(of("/id"), Some(value(json!([1, 1, 1]))));
            assert_eq!(of("/source_timestamp"), Some(value(json!([5, 6]))));
            assert_eq!(of("/payload"), Some(value(json!({"json": {"text": "[1.50]", "size": 6}}))));
            assert_eq!(told(&page, "/events/page~1x", |_| true).await, answer);

            let line = follower.json();
            assert_eq!((&line["id"]["server"], &line["id"]["instance"]), (&json!(1), &json!(1)));
            assert_eq!(line["payload"], json!({"kind": "json", "data": [1.5]}));
            let queried = hat(&format!("query latest page/* {connect}")).json();
            assert_eq!(queried, [line]);
            // who did it is an event of the same session
            let record = hat(&format!("query latest hat/* {connect}")).json().remove(0);
            assert_eq!(record["segments"], json!(["hat", "1", "page", "anonymous"]));
            assert_eq!(record["id"], json!({"server": 1, "session": 1, "instance": 2}));
            assert_eq!(record["payload"]["data"]["registered"], json!(["page", "x"]));

            let request = json!({"type": "page/y", "payload": {"binary": {"type": "T", "data": "AP8="}}});
            page.send("register", &value(request)).await.expect("registered");
            let payload = json!({"kind": "binary", "type": "T", "data": "AP8="});
            assert_eq!(follower.json()["payload"], payload);
        });
    }

    /// Each has looked at what is there, and decided by it.
    fn of_two_users_at_once_one_is_asked_again(runtime) {
        let served = PageServer::start(runtime, "");
        let refused = "a newer event of this type has been registered meanwhile, so nothing was registered: review it again";
        run(async {
            let pages = [
                served.client(WsOptions::default()).await.expect("a page"),
                served.client(WsOptions::default()).await.expect("a page"),
            ];
            // none, then the one of the round before
            let mut expected = json!(null);
            for round in 0..20 {
                let ask = |page: usize| {
                    let payload = json!({"json": {"text": format!("[{round}, {page}]")}});
                    let data = json!({"type": "breaker", "payload": payload, "expected": expected});
                    let client = &pages[page];
                    async move { client.send("register", &value(data)).await }
                };
                let (first, second) = tokio::join!(ask(0), ask(1));
                let (done, other) = if first.is_ok() { (first, second) } else { (second, first) };
                let done = done.expect("one of them");
                assert!(
                    matches!(&other, Err(RequestError::Failed(Value::String(text))) if &**text == refused),
                    "{other:?}"
                );
                let latest = pages[0].send("event", &value(json!({"type": "breaker"}))).await;
                let latest: serde_json::Value = serde_json::from_str(&latest.expect("an event").to_string()).expect("JSON");
                assert_eq!(serde_json::from_str::<serde_json::Value>(&done.to_string()).expect("JSON"), latest);
                expected = json!({"id": latest["id"], "timestamp": latest["timestamp"]});
            }
            // another process
            hat(&format!("register breaker --json 1 {}", served.connect())).json();
            let data = json!({"type": "breaker", "expected": expected});
            assert_eq!(failed(&pages[0], "register", data).await, refused);
        });
    }

    fn a_page_for_looking_only(runtime) {
        let served = PageServer::start(runtime, "--web-read-only");
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            assert_eq!(told(&page, "/server/read_only", |_| true).await, true.into());
            let expected = "this page is read-only: it registers nothing";
            assert_eq!(failed(&page, "register", json!({"type": "a"})).await, expected);
            assert_eq!(page.send("echo", &value(json!(5))).await.expect("an echo"), value(json!(5)));
        });
    }

    /// Types, payloads, counts: all of it from the disk.
    fn a_page_shows_what_a_store_holds(runtime) {
        let folder = Folder::new();
        let args = format!("--server-id 7 --store {}", folder.of("store"));
        let server = Server::start(runtime, &args);
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let lines = "{\"type\":\"a/b\",\"payload\":{\"kind\":\"json\",\"data\":1}}\n\
                     {\"type\":[\"a/b\",\"c\"]}\n\
                     {\"type\":\"a/b\",\"payload\":{\"kind\":\"json\",\"data\":2}}\n";
        hat_with(&format!("register {connect}"), lines).json();
        server.hat.signal("KILL");
        drop(server);
        let served = PageServer::start(runtime, &args);
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            let payload = told(&page, "/events/a~1b/payload/json/text", |_| true).await;
            assert_eq!(payload, value(json!("2")));
            told(&page, "/events/a%2Fb~1c", |it| !it.is_null()).await;
            for (name, count) in [("registered", 0), ("events_kept", 3), ("event_types", 2)] {
                told(&page, &format!("/server/{name}"), |it| it.as_u64() == Some(count)).await;
            }
            let asked = page.send("event", &value(json!({"type": "a/b"}))).await.expect("an event");
            assert_eq!(told(&page, "/events/a~1b", |_| true).await, asked);
            // and what is new besides
            hat(&format!("register a/b --json 3 {}", served.connect())).json();
            told(&page, "/events/a~1b/payload/json/text", |it| it.as_str() == Some("3")).await;
        });
    }

    /// A slash within a segment, and one between two.
    fn types_that_print_alike_are_two(runtime) {
        let served = PageServer::start(runtime, "");
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            for (name, payload) in [("a/b/c", "1"), ("a%2Fb/c", "2")] {
                let request = json!({"type": name, "payload": {"json": {"text": payload}}});
                page.send("register", &value(request)).await.expect("registered");
            }
            for (path, payload) in [("/events/a~1b~1c", "1"), ("/events/a%2Fb~1c", "2")] {
                let path = format!("{path}/payload/json/text");
                told(&page, &path, |it| it.as_str() == Some(payload)).await;
            }
        });
    }

    fn long_payloads_are_cut_and_had_whole(runtime) {
        let served = PageServer::start(runtime, "");
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            let text = format!("\"{}\"", "č".repeat(100_000));
            let request = json!({"type": "long", "payload": {"json": {"text": text}}});
            let answer = page.send("register", &value(request)).await.expect("registered");
            let whole = json!({"json": {"text": text, "size": 200_002}});
            let payload = "/payload".parse().expect("a pointer");
            assert_eq!(answer.get(&payload), Some(&value(whole)));
            let shown = told(&page, "/events/long/payload", |_| true).await;
            let cut = format!("\"{}", "č".repeat(4095));
            let cut = json!({"json": {"text": cut, "size": 200_002, "truncated": true}});
            assert_eq!(shown, value(cut));
            let asked = page.send("event", &value(json!({"type": "long"}))).await;
            assert_eq!(asked.expect("an event"), answer);
        });
    }

    fn bad_requests_are_told_what_is_wrong(runtime) {
        let served = PageServer::start(runtime, "");
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            for (name, data, expected) in [
                ("register", json!({}), "an event needs a field `type`"),
                ("register", json!({"type": "a/?"}), "the type: `?` and `*` are not allowed in a segment: ?"),
                ("register", json!({"type": "a", "payload": 5}), "the payload must be an object, not number"),
                ("register", json!({"type": "a", "deadline": 1}), "the request arrived too late, so nothing was registered: the server or the connection was delayed"),
                ("register", json!({"type": "a", "deadline": "soon"}), "the deadline: write seconds since 1970"),
                ("echo", json!("x"), "`echo` needs a number"),
                ("event", json!(null), "the data of `event` must be an object, not null"),
                ("other", json!({}), "unknown request: use one of `register`, `event`, `history`, `types`, `stream`, `echo`"),
            ] {
                assert_eq!(failed(&page, name, data).await, expected, "{name}");
            }
            let nothing = page.send("event", &value(json!({"type": "nothing"}))).await;
            assert_eq!(nothing.expect("an answer"), value(json!(null)));
            // and nothing was registered, and the page goes on
            assert_eq!(hat(&format!("query latest {}", served.connect())).json(), [""; 0]);
            let echo = value(json!([1]));
            assert_eq!(page.send("", &echo).await.expect("an echo"), echo);
        });
    }

    fn passwords(runtime) {
        // `printf secret | openssl dgst -sha1 -binary | base64`
        let file = File::new(&format!("{runtime}.htpasswd"), "operator:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
        let served = PageServer::start(runtime, &format!("--web-htpasswd {}", file.0.display()));
        assert_eq!(get(served.page, "/index.html", "").status, 401);
        // operator:wrong, operator:secret
        let authorization = |it: &str| format!("Authorization: Basic {it}\r\n");
        let wrong = authorization("b3BlcmF0b3I6d3Jvbmc=");
        assert_eq!(get(served.page, "/index.html", &wrong).status, 401);
        // who runs the server is told, without having asked for it
        let mut line = served.server.hat.error_line();
        while !line.contains("operator") {
            assert!(line.contains("refused a wrong user or password"), "{line}");
            line = served.server.hat.error_line();
        }
        assert!(line.contains("set the password in the htpasswd file"), "{line}");
        let right = authorization("b3BlcmF0b3I6c2VjcmV0");
        assert_eq!(get(served.page, "/index.html", &right).status, 200);
        run(async {
            assert!(served.client(WsOptions::default()).await.is_err());
            let credentials = Some(("operator".to_owned(), "secret".to_owned()));
            let ws = WsOptions { credentials, ..WsOptions::default() };
            let page = served.client(ws).await.expect("a page");
            told(&page, "/server/status", |_| true).await;
        });
    }

    /// Of a page that is open: what the file says by now counts, and what it says wrongly does not.
    fn roles_change_while_a_page_is_open(runtime) {
        let passwords = File::new(&format!("{runtime}.passwords"), "operator:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
        let roles = File::new(&format!("{runtime}.roles"), "operator: viewer\n");
        let args = format!("--web-htpasswd {} --web-roles {}", passwords.0.display(), roles.0.display());
        let served = PageServer::start(runtime, &args);
        run(async {
            let credentials = Some(("operator".to_owned(), "secret".to_owned()));
            let page = served.client(WsOptions { credentials, ..WsOptions::default() }).await.expect("a page");
            let registers = async || match page.send("register", &value(json!({"type": "a"}))).await {
                Ok(_) => true,
                Err(RequestError::Failed(Value::String(text))) => {
                    assert_eq!(&*text, "operator may only view: registering requires the role `operator`");
                    false
                }
                Err(error) => panic!("{error}"),
            };
            let until = async |expected: bool| while registers().await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            assert!(!registers().await);
            fs::write(&roles.0, "operator: operator\n").expect("a file");
            until(true).await;
            // what is wrong is told to who runs the server, once for each slip
            for (text, wrong) in [(Some("operator\n"), "line 1 of "), (None, "cannot read the file of roles ")] {
                match text {
                    Some(text) => fs::write(&roles.0, text).expect("a file"),
                    None => fs::remove_file(&roles.0).expect("a file"),
                }
                let line = served.server.hat.error_line();
                assert!(line.contains("the roles of the page remain unchanged") && line.contains(wrong), "{line}");
                assert!(registers().await);
            }
            fs::write(&roles.0, "").expect("a file");
            until(false).await;
        });
    }

    fn pages_from_elsewhere(runtime) {
        let elsewhere = "Origin: https://elsewhere.example\r\n";
        let served = PageServer::start(runtime, "");
        assert_eq!(upgrade(served.page, elsewhere), 403);
        let line = served.server.hat.error_line();
        assert!(line.contains("https://elsewhere.example") && line.contains("--web-origin"), "{line}");
        assert_eq!(upgrade(served.page, &format!("Origin: http://{}\r\n", served.page)), 101);
        // a name that leads here, of somebody else's page (DNS rebinding)
        assert_eq!(get_as(served.page, "elsewhere.example", "/index.html").status, 421);
        let line = served.server.hat.error_line();
        assert!(line.contains("refused a request for an unknown host name"), "{line}");
        assert!(line.contains("elsewhere.example"), "{line}");
        let served = PageServer::start(runtime, "--web-origin https://elsewhere.example");
        assert_eq!(upgrade(served.page, elsewhere), 101);
        assert_eq!(upgrade(served.page, "Origin: https://other.example\r\n"), 403);
        let served = PageServer::start(runtime, "--web-origin any");
        assert_eq!(upgrade(served.page, elsewhere), 101);
    }

    fn a_server_that_stops_tells_its_pages(runtime) {
        let served = PageServer::start(runtime, "");
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            told(&page, "/server/status", |it| it.as_str() == Some("operational")).await;
            served.server.hat.signal("TERM");
            // one follows the other at once
            let ends = |it: &Value| matches!(it.as_str(), Some("stopping" | "standby"));
            told(&page, "/server/status", ends).await;
            while page.changed().await.is_ok() {}
        });
        let ended = served.server.hat.end();
        assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &[][..]));
    }

    fn what_cannot_be_served(runtime) {
        let serve = format!("serve --listen 127.0.0.1:0 --runtime {runtime}");
        let taken = PageServer::start(runtime, "");
        let mut lines = hat(&format!("{serve} --web {}", taken.page));
        assert!(lines.stderr.remove(0).starts_with("listening on "));
        assert!(lines.failed(3).contains("cannot listen"), "{lines:?}");
        let mut lines = hat(&format!("{serve} --web 127.0.0.1:0 --web-htpasswd /nonexistent/file"));
        assert!(lines.stderr.remove(0).starts_with("listening on "));
        assert!(lines.failed(2).contains("/nonexistent/file"), "{lines:?}");
        hat(&format!("{serve} --web-trust-proxy")).failed(2);
    }

    fn what_has_been_is_asked_for_in_pages(runtime) {
        let served = PageServer::start(runtime, "");
        let connect = served.connect();
        let lines: String =
            (0..5).map(|n| format!("{{\"type\":\"a/b\",\"payload\":{{\"kind\":\"json\",\"data\":{n}}}}}\n")).collect();
        assert_eq!(hat_with(&format!("register {connect}"), &lines).code, Some(0));
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            let ask = async |data: serde_json::Value| {
                let answer = page.send("history", &value(data)).await.expect("an answer");
                let more = answer.get(&"/more".parse().expect("a pointer")).cloned();
                let events = answer.get(&"/events".parse().expect("a pointer")).and_then(Value::as_array).cloned();
                let text = |event: &Value| event.get(&"/payload/json/text".parse().expect("a pointer")).and_then(Value::as_str).map(str::to_owned);
                let events = events.expect("events");
                let last = events.iter().last().and_then(|it| it.get(&"/id".parse().expect("a pointer"))).cloned();
                (events.iter().filter_map(text).collect::<Vec<_>>().join(" "), more, last)
            };
            let (texts, more, last) = ask(json!({"types": ["a/b"], "limit": 3})).await;
            assert_eq!((&*texts, more), ("4 3 2", Some(true.into())));
            let id: Vec<i64> = last.expect("an id").as_array().expect("three").iter().filter_map(Value::as_i64).collect();
            let (texts, more, _) = ask(json!({"types": ["a/b"], "limit": 3, "after": id})).await;
            assert_eq!((&*texts, more), ("1 0", Some(false.into())));
            let (texts, ..) = ask(json!({"types": ["a/b"], "order": "ascending", "limit": 1})).await;
            assert_eq!(texts, "0");
            let (texts, ..) = ask(json!({"types": ["a/b"], "by": "source_timestamp"})).await;
            assert_eq!(texts, "");
            let refused = failed(&page, "history", json!({"types": ["a/*"]})).await;
            assert!(refused.starts_with("query types with `?` or `*` can span at most 366 days"), "{refused}");

            // and types by their names
            let found = page.send("types", &value(json!({"any": [{"words": ["A"], "patterns": ["?/b"]}]}))).await.expect("types");
            let of = |path: &str| found.get(&path.parse().expect("a pointer")).cloned();
            assert_eq!(of("/found"), Some(1.into()));
            assert_eq!(of("/events/a~1b/payload/json/text"), Some("4".into()));
            assert_eq!(failed(&page, "types", json!({})).await, "`any`: write a list of 1 to 8 searches");
        });
    }

    fn what_pages_are_told_is_compressed_unless_that_is_switched_off(runtime) {
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        for (args, answer) in [("", Some(both)), ("--web-no-compression", None)] {
            let served = PageServer::start(runtime, args);
            assert_eq!(extensions(served.page, offer).as_deref(), answer, "{args}");
            assert_eq!(extensions(served.page, ""), None, "{args}");
        }
    }

    /// Beyond --max-types pages are not shown a type; a search and the details ask the store.
    fn a_search_finds_types_that_pages_are_not_shown(runtime) {
        let folder = Folder::new();
        let served = PageServer::start(runtime, &format!("--max-types 2 --store {}", folder.of("events")));
        let connect = served.connect();
        let lines: String = ["a/old", "a/older", "b/x", "a/new"]
            .map(|it| format!("{{\"type\":\"{it}\",\"payload\":{{\"kind\":\"json\",\"data\":\"{it}\"}}}}\n"))
            .concat();
        assert_eq!(hat_with(&format!("register --batch 1 {connect}"), &lines).code, Some(0));
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            told(&page, "/server/types_cut", |it| it == &2.into()).await;
            let shown = told(&page, "/events", |it| it.as_object().is_some_and(|it| it.len() == 2)).await;
            assert!(shown.get(&"/a~1old".parse().expect("a pointer")).is_none());
            let found = page.send("types", &value(json!({"any": [{"patterns": ["a/*"]}], "limit": 2}))).await.expect("types");
            let of = |path: &str| found.get(&path.parse().expect("a pointer")).cloned();
            assert_eq!((of("/found"), of("/searched")), (Some(3.into()), Some(4.into())));
            assert_eq!(of("/events").and_then(|it| it.as_object().map(hat_core::json::Object::len)), Some(2));
            let found = page.send("types", &value(json!({"any": [{"words": ["older"]}]}))).await.expect("types");
            let text = "/events/a~1older/payload/json/text".parse().expect("a pointer");
            assert_eq!(found.get(&text), Some(&"\"a/older\"".into()));
            let event = page.send("event", &value(json!({"type": "a/old"}))).await.expect("an event");
            let text = "/payload/json/text".parse().expect("a pointer");
            assert_eq!(event.get(&text), Some(&"\"a/old\"".into()));
            let none = page.send("event", &value(json!({"type": "a/none"}))).await;
            assert_eq!(none.expect("an answer"), value(json!(null)));
        });
    }

    fn events_come_as_they_are_registered(runtime) {
        let served = PageServer::start(runtime, "");
        let connect = served.connect();
        run(async {
            let page = served.client(WsOptions::default()).await.expect("a page");
            let following = page.send("stream", &value(json!({"any": [{"patterns": ["a/*"]}]}))).await;
            assert_eq!(following.expect("an answer"), Value::Null);
            hat(&format!("register b/x --json 0 {connect}")).json();
            hat(&format!("register a/x --json 1 {connect}")).json();
            let told = page.notification().await.expect("a notification");
            let of = |path: &str| told.data.get(&path.parse().expect("a pointer")).cloned();
            assert_eq!(told.name, "events");
            assert_eq!(of("/events/0/type"), Some("a/x".into()));
            assert_eq!(of("/events/0/payload/json/text"), Some("1".into()));
            assert_eq!(of("/missed"), Some(0.into()));
            assert_eq!(page.send("stream", &value(json!({}))).await.expect("an answer"), Value::Null);
        });
    }
}

/// What a state may hold, for a client that reads it all.
#[test]
fn ten_thousand_types_are_one_state() {
    let served = PageServer::start("tokio", "");
    let line = |n: usize| {
        format!("{{\"type\":\"load/{n}\",\"payload\":{{\"kind\":\"json\",\"data\":{n}}}}}\n")
    };
    let lines: String = (0..10_000).map(line).collect();
    run(async {
        let page = served.client(WsOptions::default()).await.expect("a page");
        let registering = Hat::start_with(&format!("register {}", served.connect()), &lines);
        let all = |it: &Value| it.as_object().is_some_and(|events| events.len() == 10_000);
        let events = told(&page, "/events", all).await;
        assert_eq!(registering.end().code, Some(0));
        let text = Value::parse("\"9999\"", &Limits::default()).expect("JSON");
        let last = "/load~19999/payload/json/text".parse().expect("a pointer");
        assert_eq!(events.get(&last), Some(&text));
        // a page that comes late is told the same
        let late = served.client(WsOptions::default()).await.expect("a page");
        assert_eq!(told(&late, "/events", |_| true).await, events);
        // and so is one that takes it compressed
        let config = ws::Config { deflate: Some(ws::Deflate::default()), ..ws::Config::default() };
        let options = WsOptions { config, ..WsOptions::default() };
        let compressed = served.client(options).await.expect("a page");
        assert_eq!(told(&compressed, "/events", |_| true).await, events);
    });
}
