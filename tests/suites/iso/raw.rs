//! What goes on as something else behind COTP's handshake, as RDP does: the stream is given back.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use hat_aio::cotp::{
    ConnectError, ConnectOptions, Decide, Decision, Error, ListenOptions, RawServer, connect_raw,
    listen_raw,
};
use hat_aio::runtime::Stream;
use hat_aio::{tcp, tls};
use hat_core::cotp::{self, Config, ConnectRequest, Reason, Response};
use hat_tests::certificates::Authority;
use hat_tests::on_threaded_runtimes;
use hat_tests::runtimes::{TestRuntime, sleep};

use crate::local;

/// The CR of xfreerdp, whose variable part is `Cookie: mstshash=testuser` and an RDP_NEG_REQ.
const CR: &[u8] =
    b"\x03\0\0\x2e\x29\xe0\0\0\0\0\0Cookie: mstshash=testuser\r\n\x01\0\x08\0\x03\0\0\0";

/// The CC of xrdp.
const CC: &[u8] = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x01\x08\0\x01\0\0\0";

fn variable(packet: &'static [u8]) -> Bytes {
    Bytes::from_static(&packet[11..])
}

/// As RDP has it: no parameters, and references of any kind.
fn rdp(variable: Bytes, reference: u16) -> Config {
    Config { raw_variable_part: Some(variable), source_reference: reference, ..Config::default() }
}

fn calling(variable: Bytes) -> ConnectOptions {
    ConnectOptions { config: rdp(variable, 0), ..ConnectOptions::default() }
}

/// A server that decides so.
async fn server<R: TestRuntime>(decide: Decide) -> RawServer<R::Stream> {
    let config = rdp(Bytes::new(), 0x1234);
    let options = ListenOptions { config, decide: Some(decide), ..ListenOptions::default() };
    listen_raw::<R>(local(), options).await.expect("listens")
}

fn confirming(variable: Bytes) -> Decide {
    Decide::new(move |_| {
        let variable_part = Some(variable.clone());
        Decision::Confirm(Response { variable_part, ..Response::default() })
    })
}

fn bytes_of<R: TestRuntime>(stream: impl Stream) -> tcp::Connection {
    tcp::connect_on::<R>(stream, &tcp::ConnectOptions::default()).expect("it has addresses")
}

/// Passes on what comes at each to the other, and counts it for the first.
async fn relay<R: TestRuntime>(near: tcp::Connection, far: tcp::Connection, count: Arc<AtomicU64>) {
    let (from, to) = (near.clone(), far.clone());
    R::spawn(async move {
        while let Ok(bytes) = from.read(64 * 1024).await {
            if to.write(bytes).await.is_err() {
                break;
            }
        }
        to.close().await;
    });
    while let Ok(bytes) = far.read(64 * 1024).await {
        count.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        if near.write(bytes).await.is_err() {
            break;
        }
    }
    near.close().await;
}

/// A gateway to the server at `to`, which it asks before it confirms. What passes to clients is
/// counted.
async fn gateway<R: TestRuntime>(to: SocketAddr, count: Arc<AtomicU64>) -> SocketAddr {
    let asked = Arc::new(Mutex::new(VecDeque::new()));
    let confirmed = asked.clone();
    let decide = Decide::later(move |request: ConnectRequest| {
        let confirmed = confirmed.clone();
        async move {
            match connect_raw::<R>(to, calling(request.variable)).await {
                Ok(far) => {
                    let variable_part = Some(far.info().agreed.variable.clone());
                    confirmed.lock().expect("no panic").push_back(far);
                    Decision::Confirm(Response { variable_part, ..Response::default() })
                }
                Err(_) => Decision::Refuse(Reason::NotSpecified, None),
            }
        }
    });
    let gateway = server::<R>(decide).await;
    let address = gateway.addresses()[0];
    R::spawn(async move {
        while let Some(near) = gateway.accept().await {
            // a test has one client at a time
            let far = asked.lock().expect("no panic").pop_front().expect("it was asked");
            let (near, far) = (bytes_of::<R>(near.into_stream()), bytes_of::<R>(far.into_stream()));
            R::spawn(relay::<R>(near, far, count.clone()));
        }
    });
    address
}

/// Counts when it is dropped.
struct CountDrop(Arc<AtomicU64>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

on_threaded_runtimes! {
    async fn a_server_gives_the_stream_back_behind_its_cc<R>() {
        let server = server::<R>(confirming(variable(CC))).await;
        let mut peer = TcpStream::connect(server.addresses()[0]).expect("connected");
        // at once, as no client of RDP does
        peer.write_all(&[CR, b"behind"].concat()).expect("written");
        let accepted = server.accept().await.expect("a connection");
        assert_eq!(accepted.info().agreed.variable, variable(CR));
        let mut cc = [0; 19];
        peer.read_exact(&mut cc).expect("the CC");
        assert_eq!(cc, CC);
        let stream = bytes_of::<R>(accepted.into_stream());
        // the server does not matter any more
        server.close().await;
        assert_eq!(stream.read_exact(6).await.expect("read"), "behind");
        stream.write("answer").await.expect("written");
        stream.close().await;
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).expect("the end");
        assert_eq!(rest, b"answer");
    }

    async fn a_client_gives_the_stream_back_behind_the_cc<R>() {
        let listener = TcpListener::bind(local()).expect("listens");
        let address = listener.local_addr().expect("an address");
        let peer = thread::spawn(move || {
            let mut peer = listener.accept().expect("a client").0;
            let mut cr = vec![0; CR.len()];
            peer.read_exact(&mut cr).expect("the CR");
            assert_eq!(cr, CR);
            peer.write_all(&[CC, b"behind"].concat()).expect("written");
            let mut rest = Vec::new();
            peer.read_to_end(&mut rest).expect("the end");
            rest
        });
        let connected = connect_raw::<R>(address, calling(variable(CR))).await.expect("confirmed");
        assert_eq!(connected.info().agreed.variable, variable(CC));
        let stream = bytes_of::<R>(connected.into_stream());
        assert_eq!(stream.read_exact(6).await.expect("read"), "behind");
        stream.write("answer").await.expect("written");
        stream.close().await;
        assert_eq!(peer.join().expect("no panic"), b"answer");
    }

    async fn a_refusal<R>() {
        let server = server::<R>(Decide::new(|_| Decision::Refuse(Reason::Congestion, None))).await;
        let refused = connect_raw::<R>(server.addresses()[0], calling(variable(CR))).await;
        let ConnectError::Ended(Error::Protocol(error)) = refused.expect_err("refused") else {
            panic!("not by the peer");
        };
        assert!(matches!(error, cotp::Error::Refused { reason: Reason::Congestion, .. }), "{error}");
        let failure = server.handshake_failure().await.expect("told");
        assert!(failure.remote.is_some());
        // silence ends with the time for it, and the server
        let _silent = TcpStream::connect(server.addresses()[0]).expect("connected");
        server.close().await;
    }

    async fn a_decision_is_not_waited_for_where_the_peer_leaves<R>() {
        let (asked, gone) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (asking, going) = (asked.clone(), gone.clone());
        let decide = Decide::later(move |_| {
            let dropped = CountDrop(going.clone());
            asking.fetch_add(1, Ordering::SeqCst);
            async move {
                let _dropped = dropped;
                std::future::pending().await
            }
        });
        let server = server::<R>(decide).await;
        let mut peer = TcpStream::connect(server.addresses()[0]).expect("connected");
        peer.write_all(&[CR, b"behind"].concat()).expect("written");
        while asked.load(Ordering::SeqCst) == 0 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
        sleep::<R>(Duration::from_millis(20)).await;
        assert_eq!(gone.load(Ordering::SeqCst), 0);
        drop(peer);
        let failure = server.handshake_failure().await.expect("told");
        assert!(failure.remote.is_some());
        assert_eq!(gone.load(Ordering::SeqCst), 1);
    }

    async fn what_came_while_a_decision_was_waited_for_is_behind_the_cc<R>() {
        let decide = Decide::later(|_| async {
            sleep::<R>(Duration::from_millis(50)).await;
            let variable_part = Some(variable(CC));
            Decision::Confirm(Response { variable_part, ..Response::default() })
        });
        let server = server::<R>(decide).await;
        let mut peer = TcpStream::connect(server.addresses()[0]).expect("connected");
        let behind = [7; 10_000];
        peer.write_all(&[CR, &behind].concat()).expect("written");
        let accepted = server.accept().await.expect("a connection");
        let stream = bytes_of::<R>(accepted.into_stream());
        assert_eq!(stream.read_exact(behind.len()).await.expect("read"), &behind[..]);
    }

    /// The whole of a session as RDP's: CR, CC, then TLS from end to end through a gateway.
    async fn tls_through_a_gateway<R>() {
        let authority = Authority::new("The plant");
        let text = |pem: String| tls::Pem::Text(Bytes::from(pem));
        let issued = authority.issue(&["localhost"]);
        let identity = tls::Identity::new(text(issued.pem()));
        let acceptor = tls::AcceptorOptions::new(identity).build().expect("a certificate");
        let options = tls::ConnectorOptions { roots: text(authority.pem()).into(), ..Default::default() };
        let connector = options.build().expect("a root");

        let far = server::<R>(confirming(variable(CC))).await;
        let address = gateway::<R>(far.addresses()[0], Arc::default()).await;
        R::spawn(async move {
            let accepted = far.accept().await.expect("asked by the gateway");
            assert_eq!(accepted.info().agreed.variable, variable(CR));
            let secure = acceptor.accept::<R, _>(accepted.into_stream()).await.expect("TLS");
            let stream = bytes_of::<R>(secure);
            let read = stream.read_exact(8).await.expect("read");
            stream.write(read).await.expect("written");
            stream.close().await;
        });
        let near = connect_raw::<R>(address, calling(variable(CR))).await.expect("confirmed");
        assert_eq!(near.info().agreed.variable, variable(CC));
        let secure = connector.connect::<R, _>(near.into_stream(), "localhost").await.expect("TLS");
        let stream = bytes_of::<R>(secure);
        stream.write("question").await.expect("written");
        assert_eq!(stream.read_exact(8).await.expect("read"), "question");
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// rdesktop, through our gateway, gets the login screen of xrdp.
#[test]
fn rdesktop_to_xrdp_through_a_gateway() {
    type R = hat_tokio::Tokio;
    if let Some(missing) = ["xrdp", "rdesktop", "Xvfb"].into_iter().find(|it| !is_installed(it)) {
        // by hand: CI has no screen, and needs none of them
        let line =
            format!("skipped: rdesktop_to_xrdp_through_a_gateway ({missing} is not installed)\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    }
    let port = TcpListener::bind(local()).expect("a port").local_addr().expect("an address").port();
    let log = std::env::temp_dir().join(format!("hat-xrdp-{}.ini", std::process::id()));
    let ini = std::fs::read_to_string("/etc/xrdp/xrdp.ini").expect("of its package");
    let ini = ini.replace("port=3389", &format!("port=tcp://127.0.0.1:{port}"));
    std::fs::write(&log, ini).expect("written");
    let mut xrdp = Command::new("xrdp");
    xrdp.args(["--nodaemon", "--config"]).arg(&log).stdout(Stdio::null()).stderr(Stdio::null());
    let _xrdp = Process(xrdp.spawn().expect("starts"));
    // it chooses a free screen, and says which
    let mut screen = Command::new("Xvfb");
    screen
        .args(["-displayfd", "1", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut screen = Process(screen.spawn().expect("starts"));
    let mut display = String::new();
    let out = screen.0.stdout.take().expect("a pipe");
    BufReader::new(out).read_line(&mut display).expect("a number");
    let session = async {
        let far = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(far).is_err() {
            sleep::<R>(Duration::from_millis(50)).await;
        }
        let count = Arc::new(AtomicU64::new(0));
        let address = gateway::<R>(far, count.clone()).await;
        let mut client = Command::new("rdesktop");
        client
            .env("DISPLAY", format!(":{}", display.trim()))
            .args(["-u", "nobody", "-g", "800x600"]);
        client.arg(address.to_string()).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut client = Process(client.stderr(Stdio::null()).spawn().expect("starts"));
        // it does not know the certificate
        let mut stdin = client.0.stdin.take().expect("a pipe");
        let _ = stdin.write_all(b"yes\n");
        // what it takes to show a login screen; a handshake alone is some kilobytes
        while count.load(Ordering::SeqCst) < 30_000 {
            assert!(client.0.try_wait().expect("a child").is_none(), "rdesktop has given up");
            sleep::<R>(Duration::from_millis(50)).await;
        }
    };
    <R as TestRuntime>::run(session);
    let _ = std::fs::remove_file(log);
}
