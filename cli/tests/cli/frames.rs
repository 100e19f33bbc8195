//! `hat chatter`, `hat juggler`: messages by hand, and the proxy between real peers.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use hat_tests::peers::{self, Peer};
use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};

/// Something that listens, and where.
fn listening(args: &str) -> (Hat, String) {
    listening_with(args, "")
}

fn listening_with(args: &str, input: &str) -> (Hat, String) {
    let hat = Hat::start_with(args, input);
    let line = hat.error_line();
    let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
    (hat, address.to_owned())
}

/// A proxy before `address`, which says when a connection comes and goes.
fn proxy(address: &str, args: &str) -> (Hat, String) {
    listening(&format!("chatter proxy {address} {args}"))
}

on_every_runtime! {
    fn messages_by_hand(runtime) {
        let (listener, address) = listening(&format!("chatter listen --listen 127.0.0.1:0 --echo --runtime {runtime}"));
        let answer = hat(&format!("chatter send {address} Test.Data 81ff --runtime {runtime}")).json().remove(0);
        assert_eq!((&answer["type"], &answer["data"], &answer["last"]), (&json!("Test.Data"), &json!("81ff"), &json!(true)));
        let came = listener.json();
        assert_eq!((&came["type"], &came["data"], &came["first"]), (&json!("Test.Data"), &json!("81ff"), &json!(true)));
        assert!(listener.error_line().contains("disconnected: "));
        assert_eq!(hat(&format!("chatter send {address} A.B --last --runtime {runtime}")).json(), [""; 0]);
        assert_eq!(listener.json()["type"], "A.B");
        let hangs = hat(&format!("chatter send {address} A.B --last --dialect hat --module M --runtime {runtime}"));
        assert!(hangs.code.is_some(), "the other dialect ends in some way");
        listener.signal("INT");
        assert_eq!(listener.end().code, Some(0));
        let nobody = peers::unused_addr();
        assert!(hat(&format!("chatter send {nobody} A.B")).failed(3).contains("cannot connect"));
    }

    /// The peer is at fault, or gone: neither is the input of who sends.
    fn messages_to_peers_that_end(runtime) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || {
            use std::io::Write;
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.expect("a connection");
                if number == 0 {
                    // a block that is no message
                    stream.write_all(b"\x01\x01\x00").expect("written");
                    let _ = std::io::copy(&mut stream, &mut std::io::sink());
                }
            }
        });
        let send = format!("chatter send {address} A.B --runtime {runtime}");
        hat(&send).failed(5);
        for _ in 0..20 {
            hat(&send).failed(6);
            // what is with the system before the end is seen counts as sent
            let code = hat(&format!("{send} --last")).code;
            assert!([Some(0), Some(6)].contains(&code), "{code:?}");
        }
    }

    fn a_proxy_before_an_event_server(runtime) {
        let server = Server::start(runtime, "");
        let (proxy, address) = proxy(&server.address, &format!("--json --runtime {runtime}"));
        hat_with(&format!("register a/b --token s3 --connect {address} --runtime {runtime}"), "[1]").failed(4);
        hat_with(&format!("register a/b --connect {address} --runtime {runtime}"), "[1]").json();
        let mut said = Vec::new();
        while !said.iter().any(|(_, text): &(String, String)| text.contains("MsgRegisterRes")) {
            let frame = proxy.json();
            assert!(frame["octets"].as_u64() > Some(2), "{frame}");
            said.push((frame["from"].as_str().expect("text").to_owned(), frame["text"].as_str().expect("text").to_owned()));
        }
        let all = format!("{said:?}");
        for (from, part) in [
            ("client", "HatEventer.MsgInitReq id 1"),
            ("server", "invalid client token"),
            ("server", "Success(Operational)"),
            ("client", "HatEventer.MsgRegisterReq"),
        ] {
            assert!(said.iter().any(|(who, text)| who == from && text.contains(part)), "{part} in {all}");
        }
        assert!(!all.contains("s3"), "the token is a secret: {all}");
        proxy.signal("INT");
        assert_eq!(proxy.end().code, Some(0));
    }

    fn a_proxy_between_peers_of_cotp(runtime) {
        let echo = Hat::start(&format!("cotp echo --listen 127.0.0.1:0 --runtime {runtime}"));
        let line = echo.error_line();
        let (proxy, address) = proxy(line.strip_prefix("listening on ").expect("listens"), &format!("--runtime {runtime}"));
        let answer = hat(&format!("cotp send {address} 32:01:00 --remote-tsel 0/2 --runtime {runtime}"));
        assert_eq!(answer.json_lines(), ["320100"]);
        let lines: Vec<_> = (0..4).map(|_| proxy.line()).collect();
        let of = |part: &str| lines.iter().any(|line| line.contains(part));
        for part in ["client COTP", "CR from reference", "server COTP", "CC from reference", "the end of a message: 320100"] {
            assert!(of(part), "{part} in {lines:?}");
        }
        assert!(echo.error_line().contains("connected: remote TSEL none, local TSEL 0102"), "a line per caller");
        assert!(echo.error_line().contains("disconnected after 1 messages of 3 octets were sent back"));
    }

    /// Of a message as much as was asked for, and a mark where there is more.
    fn as_much_of_a_message_as_is_wanted(runtime) {
        let echo = Hat::start(&format!("cotp echo --listen 127.0.0.1:0 --runtime {runtime}"));
        let line = echo.error_line();
        let echo_address = line.strip_prefix("listening on ").expect("listens");
        let octets = "0a".repeat(60);
        for (most, shown) in [(60, octets.clone()), (3, "0a0a0a…".to_owned())] {
            let (proxy, address) = proxy(echo_address, &format!("--most {most} --runtime {runtime}"));
            hat(&format!("cotp send {address} {octets} --runtime {runtime}")).json_lines();
            let lines: Vec<_> = (0..4).map(|_| proxy.line()).collect();
            let expected = format!("DT 60 octets of data, the end of a message: {shown}");
            assert_eq!(lines.iter().filter(|line| line.ends_with(&expected)).count(), 2, "{lines:?}");
        }
        let (_server, address) = listening(&format!("juggler serve --listen 127.0.0.1:0 --runtime {runtime}"));
        let (proxy, address) = proxy(&address, &format!("--most 4 --json --runtime {runtime}"));
        hat(&format!("juggler call {address} add {{\"x\":1}} --runtime {runtime}")).json_lines();
        let mut frames = std::iter::repeat_with(|| proxy.json());
        let frame = frames.find(|frame| frame["protocol"] == "Juggler").expect("without an end");
        assert!(frame["text"].as_str().is_some_and(|text| text.ends_with('…') && text.chars().count() == 5), "{frame}");
    }

    fn juggler_from_a_shell(runtime) {
        let input = "{\"a\":1}\n";
        let (server, address) = listening_with(&format!("juggler serve --listen 127.0.0.1:0 --runtime {runtime}"), "");
        let (proxy, through) = proxy(&address, &format!("--runtime {runtime}"));
        let result = hat(&format!("juggler call {through} add {{\"x\":[1,2.5]}} --runtime {runtime}"));
        assert_eq!(result.json_lines(), [r#"{"x":[1,2.5]}"#]);
        let asked = server.json();
        assert_eq!((&asked["request"], &asked["data"]), (&json!("add"), &json!({"x": [1, 2.5]})));
        let lines: Vec<_> = (0..4).map(|_| proxy.line()).collect();
        for part in ["HTTP", "GET /ws HTTP/1.1", "101", r#""name":"add""#] {
            assert!(lines.iter().any(|line| line.contains(part)), "{part} in {lines:?}");
        }
        // as a browser writes it
        let call = |rest: &str| hat(&format!("juggler call ws://{through}{rest} x 5 --runtime {runtime}"));
        for rest in ["/ws", "", "/", "/else --ws-path /ws"] {
            assert_eq!(call(rest).json_lines(), ["5"], "{rest}");
        }
        assert_ne!(call("/else").code, Some(0));
        // an input that ends is the end, once it was told
        let (server, address) = listening_with(&format!("juggler serve --listen 127.0.0.1:0 --runtime {runtime}"), input);
        drop((server, address));
    }
}

/// A server whose state and notifications come from a terminal, so to speak: the pipe stays open.
#[test]
fn a_state_that_is_watched() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let mut command = Command::new(env!("CARGO_BIN_EXE_hat"));
    command.args(["juggler", "serve", "--listen", "127.0.0.1:0"]);
    let mut serve =
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut input = serve.stdin.take().expect("a pipe");
    let mut said = std::io::BufReader::new(serve.stderr.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on ").expect("listens").to_owned();
    writeln!(input, "{{\"a\":[1,2],\"b\":1}}").expect("written");
    let watch = Hat::start(&format!("juggler watch {address} --path /a"));
    let until = |wanted: Value| {
        // the state may be told in more steps than it was set in
        while watch.json() != wanted {}
    };
    until(json!({"state": [1, 2]}));
    writeln!(input, "{{\"a\":[1,2],\"b\":2}}\n{{\"a\":[3]}}").expect("written");
    until(json!({"state": [3]}));
    writeln!(input, "{{\"notify\":\"alarm\",\"data\":{{\"x\":1}}}}").expect("written");
    assert_eq!(watch.json(), json!({"notify": "alarm", "data": {"x": 1}}));
    drop(input);
    assert_eq!(serve.wait().expect("ends").code(), Some(0));
    watch.end().failed_after(6);
}

/// The deployed peers with the proxy between them.
#[test]
fn the_deployed_client_through_the_proxy() {
    if peers::skipped("the_deployed_client_through_the_proxy") {
        return;
    }
    let server = Server::start("tokio", "");
    let (proxy, address) = proxy(&server.address, "--json");
    let address = address.parse().expect("an address");
    let peer = Peer::today();
    let client =
        peer.open("eventer.connect", json!({"addr": peers::to_addr(address), "client_name": "c"}));
    let events = json!([{"type": ["a"], "source_timestamp": null, "payload": null}]);
    peer.expect(
        "eventer.register",
        json!({"obj": client, "events": events, "with_response": true}),
    );
    let mut texts = Vec::new();
    while !texts.iter().any(|text: &String| text.contains("MsgRegisterRes")) {
        texts.push(proxy.json()["text"].as_str().expect("text").to_owned());
    }
    assert!(texts[0].contains(r#"client_name: "c""#), "{texts:?}");
}

/// Both ends are the deployed package: what they say to each other comes through as it was sent,
/// and is printed.
#[test]
fn the_deployed_peers_talk_through_the_proxy() {
    if peers::skipped("the_deployed_peers_talk_through_the_proxy") {
        return;
    }
    let (peer, theirs) = (Peer::today(), peers::unused_addr());
    let listen =
        json!({"addr": peers::to_addr(theirs), "status": "operational", "has_register_cb": true});
    let server = peer.open("eventer.listen", listen);
    let (proxy, address) = proxy(&theirs.to_string(), "--json");
    let address = peers::to_addr(address.parse().expect("an address"));
    let client = peer.open("eventer.connect", json!({"addr": address, "client_name": "behind"}));

    let events = json!([{"type": ["a", "b"], "source_timestamp": null, "payload": {"kind": "json", "data": [1.5]}}]);
    let params = json!({"obj": client, "events": events, "with_response": true});
    let response = peer.start("eventer.register", params);
    let call = peer.call_of("register", server);
    assert_eq!(
        (&call.params["info"]["client_name"], &call.params["events"]),
        (&json!("behind"), &events)
    );
    let mut registered = events;
    registered[0]["id"] = json!([1, 2, 3]);
    registered[0]["timestamp"] = json!([100, 5]);
    call.reply(Ok(json!({"events": registered})));
    assert_eq!(response.expect(), json!({"events": registered}));

    let mut said = Vec::new();
    while !said.iter().any(|line: &String| line.contains("MsgRegisterRes")) {
        let frame = proxy.json();
        said.push(format!("{}: {}", frame["from"].as_str().expect("a text"), frame["text"]));
    }
    for part in
        ["client: ", "server: ", "MsgInitReq", "MsgInitRes", "MsgRegisterReq", "behind", "1.5"]
    {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:?}");
    }
}

#[test]
fn what_is_no_juggler_server() {
    let server = Server::start("tokio", "");
    let ended = hat(&format!("juggler call {} x --timeout 5", server.address));
    assert!(ended.failed(5).contains("is not a Juggler server"), "{ended:?}");
    assert!(hat("juggler call a:1 x {").failed(2).contains("the data: "));
}

/// As at a terminal where nobody has typed anything yet.
#[test]
fn a_juggler_server_whose_input_says_nothing_ends_at_the_first_ctrl_c() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hat"))
        .args(["juggler", "serve", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    BufReader::new(stderr).read_line(&mut line).expect("a line");
    assert!(line.starts_with("listening on "), "{line}");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    for _ in 0..600 {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            return assert_eq!(status.code(), Some(0));
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("it runs");
    panic!("it does not end");
}
