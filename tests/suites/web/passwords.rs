//! HTTP Basic authentication with htpasswd files.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hat_aio::juggler::{self, ConnectOptions, ListenOptions, SharedState, WsOptions};
use hat_aio::web::{ListenError, WebOptions, listen};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep};

use super::peer::{Answer, Peer, get};
use super::{Folder, local, server, until};

/// Lines of `htpasswd -nb`, with `-m`, `-B -C 4` and `-s`: the password is `secret`.
const USERS: &str = "apr1:$apr1$DM4zBRQb$ZR0gVBEfO.mgpAoC3YNW10\n\
    bcrypt:$2y$04$SlY8GFd.TaD5rNOAgs.FGO/uEPW0bRh9hQb041V8guKhNFUXRmir6\n\
    sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n";

fn basic(credentials: &str) -> String {
    format!("Authorization: Basic {}\r\n", BASE64.encode(credentials))
}

fn options(folder: &Folder) -> WebOptions {
    folder.write("www/page.html", "page");
    WebOptions {
        static_dir: Some(folder.path("www")),
        htpasswd_file: Some(folder.write("users", USERS)),
        ..WebOptions::default()
    }
}

/// Asks until the answer has this status: a file is looked at once a second.
async fn until_status<R: TestRuntime>(
    address: std::net::SocketAddr,
    credentials: &str,
    status: u16,
) -> Answer {
    loop {
        let answer = get::<R>(address, "/page.html", &basic(credentials)).await;
        if answer.status == status {
            return answer;
        }
        sleep::<R>(std::time::Duration::from_millis(50)).await;
    }
}

on_every_runtime! {
    async fn who_may_come_in<R>() {
        let folder = Folder::new();
        let server = server::<R>(options(&folder)).await;
        let mut peer = Peer::new::<R>(server.addresses()[0]).await;
        let twice = basic("sha:secret").repeat(2);
        let long = basic(&format!("apr1:{}", "x".repeat(1025)));
        for (headers, status) in [
            ("", 401),
            (&*basic("apr1:secret"), 200),
            (&*basic("bcrypt:secret"), 200),
            (&*basic("sha:secret"), 200),
            (&*basic("sha:secret").replace("Basic", "basic"), 200),
            (&*basic("bcrypt:secret"), 200),
            (&*basic("apr1:wrong"), 401),
            (&*basic("bcrypt:wrong"), 401),
            (&*basic("sha:wrong"), 401),
            (&*basic("nobody:secret"), 401),
            (&*basic(":secret"), 401),
            (&*basic("apr1"), 401),
            (&*basic("apr1:"), 401),
            (&*basic(""), 401),
            (&*long, 401),
            (&*twice, 401),
            ("Authorization: Basic %%%\r\n", 401),
            ("Authorization: Basic\r\n", 401),
            ("Authorization: Bearer x\r\n", 401),
            ("Authorization: \r\n", 401),
        ] {
            let request = format!("GET /page.html HTTP/1.1\r\nHost: plant\r\n{headers}\r\n");
            let answer = peer.ask(request).await;
            assert_eq!(answer.status, status, "{headers}");
            if status == 401 {
                let challenge = answer.header("www-authenticate");
                assert_eq!(challenge, "Basic realm=\"hat\", charset=\"UTF-8\"");
                assert!(!answer.text().contains("page"));
            }
        }
    }

    async fn what_is_not_there_is_not_told_without_a_password<R>() {
        let folder = Folder::new();
        let server = server::<R>(options(&folder)).await;
        for path in ["/", "/page.html", "/none", "/ws", "/../users"] {
            assert_eq!(get::<R>(server.addresses()[0], path, "").await.status, 401, "{path}");
        }
    }

    async fn a_changed_file_is_read_again<R>() {
        let folder = Folder::new();
        let server = server::<R>(options(&folder)).await;
        let address = server.addresses()[0];
        until_status::<R>(address, "apr1:secret", 200).await;
        // `other`, by `openssl passwd -apr1`
        fs::write(folder.path("users"), "apr1:$apr1$abcdefgh$Z2c9NiKlv6d.KgXK4n2DD/\n").expect("written");
        until_status::<R>(address, "apr1:other", 200).await;
        // also where it was right a moment ago
        until_status::<R>(address, "apr1:secret", 401).await;
        until_status::<R>(address, "sha:secret", 401).await;
    }

    /// Within about two seconds; nothing here waits for a time.
    async fn a_page_is_closed_when_its_user_is_gone_or_has_another_password<R>() {
        let folder = Folder::new();
        let state = SharedState::default();
        let listening = ListenOptions { web: options(&folder), state: Some(state), ..ListenOptions::default() };
        let server = juggler::listen::<R>(local(), (), listening).await.expect("listens");
        let address = server.addresses()[0];
        let open = async |user: &str| {
            let credentials = Some((user.to_owned(), "secret".to_owned()));
            let ws = WsOptions { credentials, ..WsOptions::default() };
            let options = ConnectOptions { ws, ..ConnectOptions::default() };
            juggler::connect::<R>(address, options).await
        };
        let removed = open("apr1").await.expect("let in");
        let changed = open("sha").await.expect("let in");
        let stays = open("bcrypt").await.expect("let in");
        until::<R>(|| server.connections().len() == 3).await;

        let lines: Vec<_> = USERS.lines().collect();
        fs::write(folder.path("users"), lines[1..].join("\n")).expect("written");
        removed.closed().await;
        assert!(open("apr1").await.is_err(), "and does not come in again");
        until::<R>(|| server.connections().len() == 2).await;

        // while the file cannot be read nobody comes in, and nobody is thrown out
        fs::write(folder.path("users"), "sha:no hash").expect("written");
        until_status::<R>(address, "sha:secret", 503).await;
        // `other`, by `openssl passwd -apr1`
        let other = format!("{}\nsha:$apr1$abcdefgh$Z2c9NiKlv6d.KgXK4n2DD/\n", lines[1]);
        fs::write(folder.path("users"), other).expect("written");
        changed.closed().await;
        until::<R>(|| server.connections().len() == 1).await;
        stays.send("", &1.into()).await.expect("it is no concern of who stays");
        server.close().await;
    }

    async fn nobody_comes_in_while_the_file_is_wrong<R>() {
        let folder = Folder::new();
        let server = server::<R>(options(&folder)).await;
        let address = server.addresses()[0];
        fs::write(folder.path("users"), "apr1:secret\n").expect("written");
        let answer = until_status::<R>(address, "apr1:secret", 503).await;
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(get::<R>(address, "/page.html", "").await.status, 503);
        fs::remove_file(folder.path("users")).expect("removed");
        until_status::<R>(address, "apr1:secret", 503).await;
        fs::write(folder.path("users"), USERS).expect("written");
        until_status::<R>(address, "apr1:secret", 200).await;
    }

    async fn files_that_no_server_starts_with<R>() {
        let folder = Folder::new();
        let options = options(&folder);
        let path = folder.path("users");
        let fails = async || listen::<R>(local(), options.clone()).await.map(|_| ()).expect_err("wrong");
        fs::write(&path, format!("{USERS}ana:$6$salt$hash\n")).expect("written");
        let text = format!(
            "{}, line 4: hashes of the kind `$6$` are not supported: create the line again with `htpasswd -B`",
            path.display()
        );
        assert_eq!(fails().await.to_string(), text);
        fs::remove_file(&path).expect("removed");
        let error = fails().await;
        assert!(matches!(error, ListenError::Htpasswd(_)), "{error}");
        assert!(error.to_string().starts_with("cannot read the password file "), "{error}");
    }

    async fn many_at_once<R>() {
        let folder = Folder::new();
        let server = server::<R>(options(&folder)).await;
        let mut peers = Vec::new();
        for number in 0..20 {
            let peer = Peer::new::<R>(server.addresses()[0]).await;
            let password = if number % 2 == 0 { "secret" } else { "wrong" };
            let headers = basic(&format!("bcrypt:{password}"));
            peer.send(format!("GET /page.html HTTP/1.1\r\nHost: plant\r\n{headers}\r\n")).await;
            peers.push(peer);
        }
        for (number, mut peer) in peers.into_iter().enumerate() {
            let answer = peer.answer().await.expect("an answer");
            assert_eq!(answer.status, if number % 2 == 0 { 200 } else { 401 });
        }
    }

    /// Those that cannot even wait are refused at once, and hold up nobody who was let in before.
    async fn more_passwords_than_may_wait<R>() {
        let folder = Folder::new();
        let options = options(&folder);
        // a hash that takes long, and is that of no password
        let slow = USERS.lines().nth(1).expect("a line").replace("bcrypt:$2y$04$", "slow:$2y$10$");
        fs::write(folder.path("users"), format!("{USERS}{slow}\n")).expect("written");
        let server = server::<R>(options).await;
        let address = server.addresses()[0];
        let known = basic("sha:secret");
        assert_eq!(get::<R>(address, "/page.html", &known).await.status, 200);
        let (sender, answers) = smol::channel::unbounded();
        for _ in 0..200 {
            let mut peer = Peer::new::<R>(address).await;
            let headers = basic("slow:guess");
            peer.send(format!("GET /page.html HTTP/1.1\r\nHost: plant\r\n{headers}\r\n")).await;
            let sender = sender.clone();
            R::spawn(async move {
                if let Some(answer) = peer.answer().await {
                    let _ = sender.send(answer).await;
                }
            });
        }
        drop(sender);
        let busy = loop {
            let answer = answers.recv().await.expect("some are too many");
            if answer.status != 401 {
                break answer;
            }
        };
        assert_eq!((busy.status, busy.header("retry-after")), (503, "1"));
        assert!(busy.text().contains("passwords"), "{}", busy.text());
        assert_eq!(get::<R>(address, "/page.html", &known).await.status, 200);
    }
}
