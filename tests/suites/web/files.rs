//! Files: whole, in parts, unchanged, from folders and from the program.

use std::fs;
use std::io::Read;
use std::time::Duration;

use hat_aio::web::http::header::{self, HeaderValue};
use hat_aio::web::{EmbeddedFile, WebOptions};
use hat_tests::on_every_runtime;

use super::peer::{Peer, get};
use super::{Folder, server, until};

fn options(folder: &Folder) -> WebOptions {
    WebOptions { static_dir: Some(folder.0.clone()), ..WebOptions::default() }
}

const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// In nanoseconds the time above, and the size.
const TAG: &str = "\"ae1b981bc490a00-4\"";

on_every_runtime! {
    async fn a_file<R>() {
        let folder = Folder::new();
        folder.write("page.html", "page");
        let server = server::<R>(options(&folder)).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        for method in ["GET", "HEAD"] {
            peer.send(format!("{method} /page.html HTTP/1.1\r\nHost: plant\r\n\r\n")).await;
            let answer = peer.head().await.expect("an answer");
            assert_eq!(answer.status, 200);
            for (header, expected) in [
                ("content-type", "text/html; charset=utf-8"),
                ("content-length", "4"),
                ("etag", TAG),
                ("last-modified", CHANGED),
                ("accept-ranges", "bytes"),
                ("cache-control", "no-cache"),
                ("x-content-type-options", "nosniff"),
            ] {
                assert_eq!(answer.header(header), expected, "{method} {header}");
            }
            assert!(!answer.header("date").is_empty());
            if method == "GET" {
                assert_eq!(peer.exactly(4).await.expect("a body"), b"page");
            }
        }
        peer.end();
        assert_eq!(peer.rest().await, b"", "nothing after the head");
    }

    async fn names_with_signs<R>() {
        let folder = Folder::new();
        folder.write("a b/žarulja 100%.txt", "light");
        let server = server::<R>(options(&folder)).await;
        let answer = get::<R>(server.addresses()[0], "/a%20b/%C5%BEarulja%20100%25.txt?x", "").await;
        assert_eq!((answer.status, answer.text()), (200, "light"));
    }

    async fn the_root_and_headers_that_are_switched_off<R>() {
        let server = server::<R>(WebOptions::default()).await;
        let answer = get::<R>(server.addresses()[0], "/", "").await;
        assert_eq!((answer.status, answer.header("location")), (302, "./index.html"));
        assert_eq!(answer.header("cache-control"), "no-cache");
        let options =
            WebOptions { no_cache: false, index_path: Some("/app/".into()), ..WebOptions::default() };
        let server = crate::server::<R>(options).await;
        let answer = get::<R>(server.addresses()[0], "/", "").await;
        assert_eq!((answer.status, answer.header("location")), (302, "./app/"));
        assert_eq!(answer.header("cache-control"), "");
    }

    async fn parts<R>() {
        let folder = Folder::new();
        let digits = (0..100_000).map(|n| (n % 251) as u8).collect::<Vec<_>>();
        folder.write("digits", &digits);
        folder.write("empty", "");
        let server = server::<R>(options(&folder)).await;
        let address = server.addresses()[0];
        for (range, from, to) in [
            ("0-0", 0, 1),
            ("1-70000", 1, 70_001),
            ("99999-", 99_999, 100_000),
            ("-70000", 30_000, 100_000),
            ("0-999999", 0, 100_000),
        ] {
            let answer = get::<R>(address, "/digits", &format!("Range: bytes={range}\r\n")).await;
            assert_eq!(answer.status, 206, "{range}");
            assert_eq!(answer.header("content-range"), format!("bytes {from}-{}/100000", to - 1));
            assert!(answer.body == digits[from..to], "{range}");
        }
        let answer = get::<R>(address, "/digits", "Range: bytes=100000-\r\n").await;
        assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */100000"));
        let answer = get::<R>(address, "/digits", "Range: bytes=0-0,5-5\r\n").await;
        assert_eq!((answer.status, answer.body.len()), (200, 100_000));
        let answer = get::<R>(address, "/empty", "").await;
        assert_eq!((answer.status, answer.header("content-length")), (200, "0"));
        let answer = get::<R>(address, "/empty", "Range: bytes=0-\r\n").await;
        assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */0"));
    }

    async fn conditions<R>() {
        let folder = Folder::new();
        folder.write("page.html", "page");
        let server = server::<R>(options(&folder)).await;
        let address = server.addresses()[0];
        for (headers, status) in [
            (format!("If-None-Match: {TAG}\r\n"), 304),
            (format!("If-Modified-Since: {CHANGED}\r\n"), 304),
            (format!("If-Match: {TAG}\r\n"), 200),
            ("If-Match: \"other\"\r\n".to_owned(), 412),
            (format!("If-Range: {TAG}\r\nRange: bytes=0-0\r\n"), 206),
            ("If-Range: \"other\"\r\nRange: bytes=0-0\r\n".to_owned(), 200),
        ] {
            let answer = get::<R>(address, "/page.html", &headers).await;
            assert_eq!(answer.status, status, "{headers}");
            if status == 304 {
                assert_eq!((answer.header("etag"), answer.header("content-length")), (TAG, ""));
                assert_eq!(answer.header("cache-control"), "no-cache");
            }
        }
        // a change of content makes another tag; a file changed just now may change again without
        fs::write(folder.path("page.html"), "other page").expect("written");
        let answer = get::<R>(address, "/page.html", &format!("If-None-Match: {TAG}\r\n")).await;
        assert_eq!((answer.status, answer.text()), (200, "other page"));
        assert!(answer.header("etag").starts_with("W/\""), "{}", answer.header("etag"));
        fs::remove_file(folder.path("page.html")).expect("removed");
        assert_eq!(get::<R>(address, "/page.html", "").await.status, 404);
    }

    async fn a_large_file_is_sent_in_pieces<R>() {
        let folder = Folder::new();
        let bytes = (0..5_000_000_u32).map(|n| (n % 253) as u8).collect::<Vec<_>>();
        folder.write("large", &bytes);
        let server = server::<R>(options(&folder)).await;
        let answer = get::<R>(server.addresses()[0], "/large", "").await;
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert!(answer.body == bytes);
    }

    async fn a_file_that_becomes_shorter_while_it_is_sent<R>() {
        let folder = Folder::new();
        let file = fs::File::create(folder.path("large")).expect("a file");
        file.set_len(256 * 1024 * 1024).expect("a file with a hole");
        let server = server::<R>(options(&folder)).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        peer.send("GET /large HTTP/1.1\r\nHost: plant\r\n\r\n").await;
        let answer = peer.head().await.expect("an answer");
        assert_eq!(answer.header("content-length"), "268435456");
        file.set_len(0).expect("emptied");
        assert!(peer.rest().await.len() < 268_435_456, "the connection ends before its time");
    }

    async fn a_client_that_does_not_read_is_not_waited_for<R>() {
        let folder = Folder::new();
        let file = fs::File::create(folder.path("large")).expect("a file");
        file.set_len(256 * 1024 * 1024).expect("a file with a hole");
        let mut options = options(&folder);
        options.limits.stall_timeout = Duration::from_millis(100);
        let server = server::<R>(options).await;
        let peer = Peer::new::<R>(server.addresses()[0]).await;
        peer.send("GET /large HTTP/1.1\r\nHost: plant\r\n\r\n").await;
        until::<R>(|| server.open_connections() == 1).await;
        until::<R>(|| server.open_connections() == 0).await;
        assert!(peer.rest().await.len() < 268_435_456);
    }

    async fn embedded_files_come_before_the_folder<R>() {
        static EMBEDDED: [EmbeddedFile; 2] = [
            EmbeddedFile { path: "/index.html", content_type: "text/html", bytes: b"embedded" },
            EmbeddedFile { path: "/a/b.js", content_type: "text/javascript", bytes: b"" },
        ];
        let folder = Folder::new();
        folder.write("index.html", "folder");
        folder.write("other.txt", "other");
        let server =
            server::<R>(WebOptions { embedded: &EMBEDDED, ..options(&folder) }).await;
        let address = server.addresses()[0];
        let answer = get::<R>(address, "/index.html", "").await;
        assert_eq!((answer.text(), answer.header("content-type")), ("embedded", "text/html"));
        // sha1sum of what is in it
        let tag = "\"792496cdf1c1b5b9ad44046ca6b64a42c3c4512e\"";
        assert_eq!(answer.header("etag"), tag);
        let answer = get::<R>(address, "/index.html", &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!(answer.status, 304);
        let answer = get::<R>(address, "/index.html", "Range: bytes=2-3\r\n").await;
        assert_eq!((answer.status, answer.text()), (206, "be"));
        assert_eq!(answer.header("content-range"), "bytes 2-3/8");
        assert_eq!(get::<R>(address, "/a/b.js", "").await.status, 200);
        assert_eq!(get::<R>(address, "/other.txt", "").await.text(), "other");
        assert_eq!(get::<R>(address, "/a", "").await.status, 404);
    }

    async fn an_embedded_text_is_compressed_for_who_takes_it<R>() {
        static TEXT: [u8; 10_000] = [b'a'; 10_000];
        static EMBEDDED: [EmbeddedFile; 2] = [
            EmbeddedFile { path: "/page.js", content_type: "text/javascript", bytes: &TEXT },
            EmbeddedFile { path: "/page.png", content_type: "image/png", bytes: &TEXT },
        ];
        let options = WebOptions { embedded: &EMBEDDED, ..WebOptions::default() };
        let server = server::<R>(options).await;
        let address = server.addresses()[0];
        let gzip = "Accept-Encoding: gzip, deflate, br\r\n";
        let plain = get::<R>(address, "/page.js", "").await;
        assert_eq!((plain.status, plain.body.len()), (200, 10_000));
        assert_eq!(plain.header("content-encoding"), "");
        let small = get::<R>(address, "/page.js", gzip).await;
        assert_eq!((small.status, small.header("content-encoding")), (200, "gzip"));
        assert_eq!(small.header("content-length"), small.body.len().to_string());
        assert!(small.body.len() < 100 && small.body.starts_with(&[0x1f, 0x8b]));
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&small.body[..]).read_to_end(&mut text).expect("gzip");
        assert!(text == TEXT);
        // a cache keeps them apart
        let (tag, other) = (plain.header("etag"), small.header("etag"));
        assert_ne!(tag, other);
        for (headers, tag, status) in [
            (gzip, other, 304),
            (gzip, tag, 200),
            ("", tag, 304),
            ("", other, 200),
            ("Accept-Encoding: gzip;q=0\r\n", tag, 304),
        ] {
            let headers = format!("{headers}If-None-Match: {tag}\r\n");
            let answer = get::<R>(address, "/page.js", &headers).await;
            assert_eq!((answer.status, answer.header("vary")), (status, "Accept-Encoding"));
        }
        // a part is one of the file as it is, also where the rest came compressed
        let range = format!("{gzip}Range: bytes=0-99\r\n");
        let part = get::<R>(address, "/page.js", &range).await;
        assert_eq!((part.status, part.body.len(), part.header("etag")), (206, 100, tag));
        assert_eq!(part.header("content-encoding"), "");
        let part = get::<R>(address, "/page.js", &format!("{range}If-Range: {other}\r\n")).await;
        assert_eq!((part.status, part.body.len(), part.header("etag")), (200, 10_000, tag));
        let picture = get::<R>(address, "/page.png", gzip).await;
        assert_eq!((picture.body.len(), picture.header("vary")), (10_000, ""));
        let mut peer = Peer::new::<R>(address).await;
        peer.send(format!("HEAD /page.js HTTP/1.1\r\nHost: plant\r\n{gzip}\r\n")).await;
        let head = peer.head().await.expect("an answer");
        assert_eq!(head.header("content-length"), small.header("content-length"));
        assert_eq!(head.header("content-encoding"), "gzip");
    }

    async fn the_applications_headers_are_in_every_answer_that_has_no_such<R>() {
        let folder = Folder::new();
        folder.write("page.html", "page");
        let headers = [
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
            (header::CONTENT_TYPE, HeaderValue::from_static("never/used")),
        ];
        let options = WebOptions { headers: headers.into_iter().collect(), ..options(&folder) };
        let server = server::<R>(options).await;
        for (path, status) in [("/page.html", 200), ("/nothing", 404), ("/", 302)] {
            let answer = get::<R>(server.addresses()[0], path, "").await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.header("content-security-policy"), "default-src 'none'", "{path}");
            assert_ne!(answer.header("content-type"), "never/used", "{path}");
        }
    }
}
