//! Requests that no client sends by accident, and the answer to each.

use std::time::Duration;

use bytes::Bytes;
use hat_aio::web::http::{Request, Response};
use hat_aio::web::{Limits, Routes, WebOptions};
use hat_tests::on_every_runtime;

use super::peer::Peer;
use super::{Folder, server};

/// What else a client sends once it has its answer: whether the connection is still open to it.
const PROBE: &str = "GET /fine.txt HTTP/1.1\r\nHost: plant\r\n\r\n";

/// A page, what is beside its folder, and links in and out.
fn site() -> (Folder, WebOptions) {
    let folder = Folder::new();
    folder.write("secret.txt", "secret");
    folder.write("www-other/secret.txt", "secret");
    folder.write("www/fine.txt", "fine");
    folder.write("www/sub/page.html", "<p>");
    folder.write("www/.htpasswd", "secret");
    folder.write("www/.git/config", "secret");
    #[cfg(unix)]
    {
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, folder.path(name)).expect("a link");
        };
        link("sub/page.html", "www/inside.html");
        link("../secret.txt", "www/outside.txt");
        link("..", "www/up");
        link(folder.path("secret.txt").to_str().expect("a path"), "www/absolute.txt");
        let absolute = |to: &str, name: &str| {
            link(folder.path(to).to_str().expect("a path"), name);
        };
        absolute("www/sub/page.html", "www/absolute-inside.html");
        absolute("www/sub", "www/absolute-sub");
        absolute("www-other", "www/absolute-sibling");
        absolute("", "www/absolute-up");
        link("../absolute-inside.html", "www/sub/twice.html");
        link("../www-other", "www/sibling");
        link("loop", "www/loop");
        let made = std::process::Command::new("mkfifo").arg(folder.path("www/pipe")).status();
        assert!(made.expect("mkfifo").success());
    }
    let echo = |request: Request<Bytes>| async move {
        (request.uri().path() == "/echo").then(|| Response::new(request.into_body()))
    };
    let limits = Limits { head_size: 8 * 1024, headers: 20, body_size: 100, ..Limits::default() };
    let options = WebOptions {
        static_dir: Some(folder.path("www")),
        routes: Some(Routes::new(echo)),
        limits,
        ..WebOptions::default()
    };
    (folder, options)
}

/// Sends `request`, then the probe, and tells what came of it: the statuses of all answers, and
/// whether the connection was closed then.
async fn outcome<R: hat_tests::runtimes::TestRuntime>(
    address: std::net::SocketAddr,
    request: &[u8],
) -> String {
    let mut peer = Peer::new::<R>(address).await;
    peer.send(request).await;
    let mut outcome = String::new();
    while let Some(answer) = peer.answer().await {
        assert!(!answer.text().contains("secret"), "{}", request.escape_ascii());
        outcome += &format!("{} ", answer.status);
        if answer.text() == "fine" {
            return outcome + "open";
        }
        peer.send(PROBE).await;
    }
    outcome + "closed"
}

fn lines(lines: &[&str]) -> Vec<u8> {
    (lines.join("\r\n") + "\r\n\r\n").into_bytes()
}

/// A request for a path.
fn get(path: &str) -> Vec<u8> {
    lines(&[&format!("GET {path} HTTP/1.1"), "Host: plant"])
}

/// A request with one header more.
fn with(header: &str) -> Vec<u8> {
    lines(&["GET /sub/page.html HTTP/1.1", "Host: plant", header])
}

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: plant\r\nTransfer-Encoding: chunked\r\n\r\n";

fn table() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let long = "x".repeat(9000);
    let many = "X-Header: x\r\n".repeat(30);
    vec![
        // ways out of the folder
        ("two dots", get("/../secret.txt"), "404 200 open"),
        ("two dots below", get("/sub/../../secret.txt"), "404 200 open"),
        ("dots encoded", get("/%2e%2e/secret.txt"), "404 200 open"),
        ("one dot encoded", get("/.%2E/secret.txt"), "404 200 open"),
        ("slash encoded", get("/..%2fsecret.txt"), "404 200 open"),
        ("all encoded", get("/%2e%2e%2fsecret.txt"), "404 200 open"),
        ("encoded twice", get("/%252e%252e/secret.txt"), "404 200 open"),
        ("encoded twice, slash", get("/..%252fsecret.txt"), "404 200 open"),
        ("backslash", get("/..\\secret.txt"), "404 200 open"),
        ("backslash encoded", get("/..%5csecret.txt"), "404 200 open"),
        ("overlong UTF-8", get("/%c0%ae%c0%ae/secret.txt"), "404 200 open"),
        ("full width dots", get("/%ef%bc%8e%ef%bc%8e/secret.txt"), "404 200 open"),
        ("NUL", get("/fine.txt%00.html"), "404 200 open"),
        ("no slash", get("//secret.txt"), "404 200 open"),
        ("absolute", get("//etc/passwd"), "404 200 open"),
        ("absolute, encoded", get("/%2fetc%2fpasswd"), "404 200 open"),
        ("drive", get("/C:/secret.txt"), "404 200 open"),
        ("a folder of a similar name", get("/../www-other/secret.txt"), "404 200 open"),
        ("in a URL", get("http://plant/../secret.txt"), "404 200 open"),
        ("hidden file", get("/.htpasswd"), "404 200 open"),
        ("hidden folder", get("/.git/config"), "404 200 open"),
        ("folder", get("/sub"), "404 200 open"),
        ("folder with a slash", get("/sub/"), "404 200 open"),
        ("below a file", get("/fine.txt/x"), "404 200 open"),
        ("a name too long", get(&format!("/{}", "x".repeat(5000))), "404 200 open"),
        // links and what is no file
        (
            "link inside",
            get("/inside.html"),
            if cfg!(unix) { "200 200 open" } else { "404 200 open" },
        ),
        (
            "link inside, absolute",
            get("/absolute-inside.html"),
            if cfg!(unix) { "200 200 open" } else { "404 200 open" },
        ),
        (
            "linked folder inside, absolute",
            get("/absolute-sub/page.html"),
            if cfg!(unix) { "200 200 open" } else { "404 200 open" },
        ),
        (
            "a link to an absolute link",
            get("/absolute-sub/twice.html"),
            if cfg!(unix) { "200 200 open" } else { "404 200 open" },
        ),
        ("linked folder beside, absolute", get("/absolute-sibling/secret.txt"), "404 200 open"),
        ("in and out by absolute links", get("/absolute-up/www/fine.txt"), "404 200 open"),
        ("link out", get("/outside.txt"), "404 200 open"),
        ("link out, absolute", get("/absolute.txt"), "404 200 open"),
        ("linked folder above", get("/up/secret.txt"), "404 200 open"),
        ("linked folder beside", get("/sibling/secret.txt"), "404 200 open"),
        ("in and out by links", get("/up/www/fine.txt"), "404 200 open"),
        ("link to itself", get("/loop"), "404 200 open"),
        ("named pipe", get("/pipe"), "404 200 open"),
        // first lines
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "400 closed"),
        ("no version", b"GET /fine.txt\r\n\r\n".to_vec(), "400 closed"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "closed"),
        ("HTTP/3.0", lines(&["GET / HTTP/3.0", "Host: plant"]), "400 closed"),
        ("control byte", b"GET /\x01 HTTP/1.1\r\nHost: plant\r\n\r\n".to_vec(), "400 closed"),
        ("long path", get(&format!("/{long}")), "431 closed"),
        ("wrong method", lines(&["DELETE /fine.txt HTTP/1.1", "Host: plant"]), "405 200 open"),
        ("unknown method", lines(&["STEAL /fine.txt HTTP/1.1", "Host: plant"]), "405 200 open"),
        ("TRACE", lines(&["TRACE /fine.txt HTTP/1.1", "Host: plant"]), "405 200 open"),
        ("OPTIONS *", lines(&["OPTIONS * HTTP/1.1", "Host: plant"]), "405 200 open"),
        ("CONNECT", lines(&["CONNECT elsewhere:80 HTTP/1.1", "Host: plant"]), "405 200 open"),
        // heads
        ("no Host", lines(&["GET /sub/page.html HTTP/1.1", "X: y"]), "400 closed"),
        ("two Hosts", with("Host: elsewhere"), "400 closed"),
        ("a Host that is none", lines(&["GET /fine.txt HTTP/1.1", "Host: a b"]), "400 closed"),
        ("a Host with a user", lines(&["GET /fine.txt HTTP/1.1", "Host: u@plant"]), "400 closed"),
        (
            "a Host that is an address",
            lines(&["GET /fine.txt HTTP/1.1", "Host: ssl+sbs://plant:80"]),
            "400 closed",
        ),
        (
            "an absolute target",
            lines(&["GET http://plant/fine.txt HTTP/1.1", "Host: plant"]),
            "200 open",
        ),
        (
            "an absolute target of another host than Host",
            lines(&["GET http://elsewhere/fine.txt HTTP/1.1", "Host: plant"]),
            "200 open",
        ),
        (
            "an absolute target with a user",
            lines(&["GET http://u@plant/fine.txt HTTP/1.1", "Host: plant"]),
            "400 closed",
        ),
        ("long header", with(&format!("X: {long}")), "431 closed"),
        (
            "endless header",
            format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000)).into_bytes(),
            "431 closed",
        ),
        ("many headers", with(many.trim_end()), "431 closed"),
        ("header without a name", with(": x"), "400 closed"),
        ("space before the colon", with("X : x"), "400 closed"),
        ("folded header", with("X: x\r\n y"), "400 closed"),
        ("NUL in a header", with("X: a\0b"), "400 closed"),
        ("CR alone", with("X: a\rTransfer-Encoding: chunked"), "400 closed"),
        // ranges and conditions that make no sense
        ("range beyond the end", with("Range: bytes=10-20"), "416 200 open"),
        ("range of nothing", with("Range: bytes=-0"), "416 200 open"),
        ("range backwards", with("Range: bytes=2-1"), "200 200 open"),
        ("many ranges", with("Range: bytes=0-0,0-0,0-0,0-0,0-0,0-0"), "200 200 open"),
        ("huge range", with("Range: bytes=0-99999999999999999999999999"), "206 200 open"),
        ("range in words", with("Range: bytes=all"), "200 200 open"),
        ("date in words", with("If-Modified-Since: yesterday"), "200 200 open"),
        ("tag without quotes", with("If-None-Match: x"), "200 200 open"),
        // upgrades
        ("no upgrade", get("/ws"), "426 200 open"),
        ("upgrade to something else", with("Upgrade: h2c\r\nConnection: Upgrade"), "200 200 open"),
        (
            "upgrade without a key",
            lines(&[
                "GET /ws HTTP/1.1",
                "Host: plant",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
            ]),
            "400 200 open",
        ),
        (
            "upgrade from elsewhere",
            lines(&[
                "GET /ws HTTP/1.1",
                "Host: plant",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Origin: http://elsewhere",
            ]),
            "403 200 open",
        ),
        // bodies
        (
            "body too large",
            lines(&["POST /echo HTTP/1.1", "Host: plant", "Content-Length: 101"]),
            "413 closed",
        ),
        (
            "body too large, in chunks",
            [CHUNKED.as_bytes(), b"65\r\n", &[b'x'; 101], b"\r\n0\r\n\r\n"].concat(),
            "413 closed",
        ),
        ("chunk of a size that is none", (CHUNKED.to_owned() + "x\r\n").into(), "400 closed"),
        (
            "chunk of a huge size",
            (CHUNKED.to_owned() + "fffffffffffffffff\r\n").into(),
            "400 closed",
        ),
        ("negative length", with("Content-Length: -1"), "400 closed"),
        ("length with a sign", with("Content-Length: +1"), "400 closed"),
        ("length too large", with("Content-Length: 99999999999999999999"), "400 closed"),
        ("two lengths", with("Content-Length: 1\r\nContent-Length: 2"), "400 closed"),
        ("two lengths in one", with("Content-Length: 1, 2"), "400 closed"),
        // smuggling: the second request is never seen
        (
            "chunks and a length",
            lines(&[
                "POST /echo HTTP/1.1",
                "Host: plant",
                "Content-Length: 6",
                "Transfer-Encoding: chunked",
                "",
                "0",
                "",
                "GET /fine.txt HTTP/1.1",
                "Host: plant",
            ]),
            "200 closed",
        ),
        (
            "a length and chunks",
            lines(&[
                "POST /echo HTTP/1.1",
                "Host: plant",
                "Transfer-Encoding: chunked",
                "Content-Length: 6",
                "",
                "0",
                "",
                "GET /fine.txt HTTP/1.1",
                "Host: plant",
            ]),
            "200 closed",
        ),
        ("chunks that are not last", with("Transfer-Encoding: chunked, gzip"), "400 closed"),
        ("another encoding", with("Transfer-Encoding: gzip"), "400 closed"),
        ("chunked, spelt oddly", with("Transfer-Encoding: xchunked"), "400 closed"),
        (
            "chunks in HTTP/1.0",
            lines(&["GET /sub/page.html HTTP/1.0", "Transfer-Encoding: chunked"]),
            "400 closed",
        ),
    ]
}

on_every_runtime! {
    async fn each_gets_its_answer<R>() {
        let (_folder, options) = site();
        let server = server::<R>(options).await;
        let mut wrong = Vec::new();
        for (name, request, expected) in table() {
            let outcome = outcome::<R>(server.addresses()[0], &request).await;
            if outcome != expected {
                wrong.push(format!("{name}: {outcome}, not {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn heads_that_never_end_are_not_waited_for<R>() {
        let (_folder, mut options) = site();
        options.limits.head_timeout = Duration::from_millis(100);
        let server = server::<R>(options).await;
        for begin in ["", "G", "GET /fine.txt HTTP/1.1\r\n", "GET /fine.txt HTTP/1.1\r\nHost: plant\r\n"] {
            let peer = Peer::new::<R>(server.addresses()[0]).await;
            peer.send(begin).await;
            assert_eq!(peer.rest().await, b"", "{begin}");
        }
    }

    async fn a_head_in_drops_has_one_time_for_all_of_it<R>() {
        let (_folder, mut options) = site();
        options.limits.head_timeout = Duration::from_millis(100);
        let server = server::<R>(options).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        for _ in 0.. {
            peer.send("x").await;
            if hat_tests::runtimes::within::<R, _>(Duration::from_millis(20), peer.head()).await.is_some() {
                break;
            }
        }
    }

    async fn bodies_that_never_end_are_not_waited_for<R>() {
        let (_folder, mut options) = site();
        options.limits.body_timeout = Duration::from_millis(100);
        let server = server::<R>(options).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        let answer = peer.ask("POST /echo HTTP/1.1\r\nHost: plant\r\nContent-Length: 9\r\n\r\nx").await;
        assert_eq!(answer.status, 408);
        assert_eq!(peer.rest().await, b"");
    }
}
