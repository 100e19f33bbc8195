//! Every protocol over streams that are no TCP sockets of the runtime: here the two ends of a Unix
//! socket.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hat_aio::chatter::{self, RequestError, SendOptions};
use hat_aio::eventer::{self, ConnectionInfo, Handler, Notification};
use hat_aio::{Address, ConnectError, Error, IoStream, SocketOptions, cotp, tcp, tpkt};
use hat_core::chatter::Config;
use hat_core::eventer::{Event, EventId, EventType, RegisterEvent, Timestamp};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::sleep;
use smol::net::unix::UnixStream as SmolUnixStream;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{data, local, pair};

type Stream = IoStream<SmolUnixStream>;

fn ends() -> (Stream, Stream) {
    let (one, other) = SmolUnixStream::pair().expect("a pair");
    (IoStream::new(one), IoStream::new(other))
}

#[track_caller]
fn nobody_reads<T, E>(told: Result<T, Error<E>>) {
    let Err(Error::Io(error)) = told else { panic!("no error of the stream") };
    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
}

/// A folder of its own for a test, gone after it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hat-unix-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn socket(&self) -> std::path::PathBuf {
        self.0.join("hat.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server whose queue is full.
struct FullListener {
    socket: Socket,
    waiting: Vec<Socket>,
}

impl FullListener {
    fn new(path: &Path) -> Self {
        let new = || Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        let (socket, mut waiting) = (new(), Vec::new());
        let at = SockAddr::unix(path).expect("a short path");
        socket.bind(&at).expect("a free place");
        socket.listen(1).expect("listens");
        loop {
            let next = new();
            next.set_nonblocking(true).expect("a socket");
            if next.connect(&at).is_err() {
                return Self { socket, waiting };
            }
            waiting.push(next);
        }
    }

    /// Takes all that wait.
    fn take(&self) -> Vec<Socket> {
        self.waiting.iter().map(|_| self.socket.accept().expect("it waits").0).collect()
    }
}

struct Echo;

impl Handler for Echo {
    async fn register(&self, _: &ConnectionInfo, events: Vec<RegisterEvent>) -> Option<Vec<Event>> {
        let register = |(instance, it): (i64, RegisterEvent)| Event {
            id: EventId::new(1, 1, instance),
            event_type: it.event_type,
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: it.payload,
        };
        Some((1..).zip(events).map(register).collect())
    }
}

on_every_runtime! {
    async fn chatter_over_a_unix_socket<R>() {
        let (one, other) = ends();
        let one = chatter::connect_on::<R>(one, &Default::default()).expect("a connection");
        let other = chatter::connect_on::<R>(other, &Default::default()).expect("a connection");
        for size in [1, 100_000, 3_000_000] {
            let payload = vec![7; size];
            one.send(data(payload.clone()), SendOptions::default()).await.expect("sent");
            assert!(other.receive().await.expect("received").data.data == payload);
        }
        one.close().await;
        assert!(other.receive().await.expect_err("the end").protocol().is_some());
    }

    /// Over an address, and over a stream that there is already.
    async fn half_close_over_a_unix_socket<R>() {
        let config = hat_core::tcp::Config { allow_half_open: true, ..Default::default() };
        let options = tcp::ConnectOptions { config, ..Default::default() };
        let folder = Folder::new();
        let address = Address::unix(folder.socket());
        let server = tcp::listen::<R>(&address, options.clone().into()).await;
        let server = server.expect("a free place");
        let client = tcp::connect::<R>(&address, options.clone()).await.expect("it listens");
        let accepted = server.accept().await.expect("the other end");
        let (one, other) = ends();
        let one = tcp::connect_on::<R>(one, &options).expect("a connection");
        let other = tcp::connect_on::<R>(other, &options).expect("a connection");
        for (one, other) in [(client, accepted), (one, other)] {
            one.write("question").await.expect("written");
            one.end();
            assert_eq!(other.read_exact(8).await.expect("read"), "question");
            let end = other.read(1).await.expect_err("its side has ended");
            assert!(end.protocol().is_some(), "{end}");
            other.write("answer").await.expect("our side is open");
            other.close().await;
            assert_eq!(one.read_exact(6).await.expect("read"), "answer");
            one.closed().await;
        }
        server.close().await;
    }

    async fn tcp_and_tpkt_over_a_unix_socket<R>() {
        let (one, other) = ends();
        let one = tcp::connect_on::<R>(one, &Default::default()).expect("a connection");
        let other = tcp::connect_on::<R>(other, &Default::default()).expect("a connection");
        one.write("hello").await.expect("written");
        assert_eq!(other.read_exact(5).await.expect("read"), "hello");

        let (one, other) = ends();
        let one = tpkt::connect_on::<R>(one, &Default::default()).expect("a connection");
        let other = tpkt::connect_on::<R>(other, &Default::default()).expect("a connection");
        one.send("hello").await.expect("sent");
        assert_eq!(other.receive().await.expect("received"), "hello");
    }

    async fn cotp_over_a_unix_socket<R>() {
        let (one, other) = ends();
        R::spawn(async move {
            let other = cotp::serve_on::<R>(other, &Default::default()).await.expect("confirmed");
            let message = other.receive().await.expect("received");
            other.send(message).await.expect("sent");
            other.closed().await;
        });
        let one = cotp::connect_on::<R>(one, &Default::default()).await.expect("confirmed");
        one.send("hello").await.expect("sent");
        assert_eq!(one.receive().await.expect("received"), "hello");
    }

    /// A server that listens on TCP serves streams of other kinds too.
    async fn eventer_over_a_unix_socket<R>() {
        let server = eventer::listen::<R>(local(), Echo, Default::default()).await.expect("listens");
        let (one, other) = ends();
        server.serve_on(other);
        let options = eventer::ConnectOptions {
            subscriptions: vec![EventType::from_segments(["*"])],
            ..Default::default()
        };
        let client = eventer::connect_on::<R>(one, "client", options).await.expect("taken");
        assert_eq!(server.connections().len(), 1);
        let event = RegisterEvent::new("a/b");
        let registered = client.register_with_response(&[event]).await.expect("answered");
        let registered = registered.expect("registered");
        server.notify_events(&registered, false, false).await;
        let told = client.next().await.expect("told");
        assert!(matches!(&told, Notification::Events(events) if events[..] == registered[..]));
        drop(told);
        server.close().await;
        client.closed().await;
    }

    /// It may go on writing, or say nothing: that what was sent to it is lost is told.
    async fn a_peer_that_reads_no_more<R>() {
        let folder = Folder::new();
        let address = Address::unix(folder.socket());

        let server = tcp::listen::<R>(&address, Default::default()).await.expect("a free place");
        let mut peer = UnixStream::connect(folder.socket()).expect("it listens");
        let connection = server.accept().await.expect("the peer");
        peer.write_all(b"last words").expect("room");
        peer.shutdown(Shutdown::Read).expect("connected");
        connection.write("lost").await.expect("room");
        nobody_reads(connection.drain().await);
        assert_eq!(connection.read_exact(10).await.expect("written before"), "last words");
        nobody_reads(connection.read(1).await);
        server.close().await;

        let server = chatter::listen::<R>(&address, Default::default()).await.expect("a place");
        let peer = UnixStream::connect(folder.socket()).expect("it listens");
        let connection = server.accept().await.expect("the peer");
        peer.shutdown(Shutdown::Read).expect("connected");
        connection.send(data("lost"), SendOptions::default()).await.expect("room");
        nobody_reads(connection.receive().await);
        let sent = connection.send(data("more"), SendOptions::default()).await;
        assert!(sent.expect_err("over").fault.is_closed());
        server.close().await;
    }

    /// By address, for every protocol alike.
    async fn a_unix_socket_as_an_address<R>() {
        let folder = Folder::new();
        let address = format!("unix:{}", folder.socket().display());
        let server = eventer::listen::<R>(&address, Echo, Default::default()).await;
        let server = server.expect("a free place");
        assert_eq!(server.addresses(), []);
        let client = eventer::connect::<R>(&address, "client", Default::default()).await;
        let client = client.expect("taken");
        let event = RegisterEvent::new("a/b");
        let registered = client.register_with_response(&[event]).await.expect("answered");
        assert_eq!(registered.expect("registered").len(), 1);
        server.close().await;
        client.closed().await;
        assert!(!folder.socket().exists(), "the file goes with its server");
        let refused = eventer::connect::<R>(&address, "client", Default::default()).await;
        let text = refused.expect_err("nobody").to_string();
        assert!(text.contains(&address), "{text}");

        // a client that comes back finds the next one
        let options = eventer::ReconnectOptions::default();
        let returning = eventer::keep_connected::<R>(&address, "client", options).await;
        let returning = returning.expect("an address");
        let server = chatter::listen::<R>(&address, Default::default()).await.expect("a free place");
        let other = chatter::connect::<R>(&address, Default::default()).await.expect("connected");
        let mut accepted = server.accept().await.expect("the other end");
        other.send(data("hello"), SendOptions::default()).await.expect("sent");
        while accepted.receive().await.is_ok_and(|it| it.data.data != "hello") {
            // the event client, which this is no server for
            accepted = server.accept().await.expect("the other end");
        }
        returning.close().await;
    }

    /// Files that are left make place, servers and other files do not.
    async fn what_is_at_the_place_of_a_unix_socket<R>() {
        let folder = Folder::new();
        let (path, address) = (folder.socket(), Address::unix(folder.socket()));
        // of a process that was killed
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a free place"));
        assert!(path.exists());
        let server = tcp::listen::<R>(&address, Default::default()).await.expect("made place");
        let second = tcp::listen::<R>(&address, Default::default()).await;
        let text = second.expect_err("the first is there").to_string();
        assert!(text.starts_with(&format!("cannot listen on {address}: ")), "{text}");
        tcp::connect::<R>(&address, Default::default()).await.expect("the first is there");
        // one that took the place meanwhile is not removed at the end
        std::fs::remove_file(&path).expect("there");
        let third = tcp::listen::<R>(&address, Default::default()).await.expect("a free place");
        server.close().await;
        tcp::connect::<R>(&address, Default::default()).await.expect("the third is there");
        third.close().await;
        std::fs::write(&path, "precious").expect("a free place");
        let refused = tcp::listen::<R>(&address, Default::default()).await;
        refused.expect_err("no socket's file is removed");
        assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
    }

    /// One that takes connections slowly is there all the same: who looks does not wait for it.
    async fn a_server_whose_queue_is_full<R>() {
        let folder = Folder::new();
        let _slow = FullListener::new(&folder.socket());
        let second = tcp::listen::<R>(Address::unix(folder.socket()), Default::default()).await;
        let text = second.expect_err("the first is there").to_string();
        assert!(text.contains("in use"), "{text}");
    }

    /// The lock of another program on the folder holds nothing up, and in the end it is told.
    async fn a_folder_that_somebody_else_has_locked<R>() {
        let folder = Folder::new();
        let address = Address::unix(folder.socket());
        let lock = File::open(&folder.0).expect("a folder");
        lock.lock().expect("nobody else has it");
        let refused = tcp::listen::<R>(&address, Default::default()).await;
        let text = refused.expect_err("it is locked").to_string();
        let named = format!("the folder {} is locked by another program", folder.0.display());
        assert!(text.contains(&named), "{text}");

        // it has it for a moment only
        let listening = tcp::listen::<R>(&address, Default::default());
        let unlocking = async {
            sleep::<R>(Duration::from_millis(10)).await;
            drop(lock);
        };
        let (listening, ()) = smol::future::zip(listening, unlocking).await;
        listening.expect("a free place").close().await;

        let missing = folder.0.join("missing");
        let refused = tcp::listen::<R>(Address::unix(missing.join("s")), Default::default()).await;
        let text = refused.expect_err("there is no folder").to_string();
        assert!(text.contains(&format!("the folder {} ", missing.display())), "{text}");
    }

    /// A client waits for its place in the queue, as it does with TCP.
    async fn a_client_of_a_server_whose_queue_is_full<R>() {
        let folder = Folder::new();
        let slow = FullListener::new(&folder.socket());
        let (sender, connected) = smol::channel::bounded(1);
        let address = Address::unix(folder.socket());
        let connecting = address.clone();
        R::spawn(async move {
            let client = tcp::connect::<R>(connecting, Default::default()).await;
            sender.send(client).await.expect("wanted");
        });
        sleep::<R>(Duration::from_millis(50)).await;
        assert!(connected.is_empty(), "it waits: {:?}", connected.try_recv());
        let taken = slow.take();
        let client = connected.recv().await.expect("an answer").expect("connected");
        client.write("hello").await.expect("written");
        client.drain().await.expect("sent");
        let (mut server, _) = slow.socket.accept().expect("the client");
        let mut read = [0; 5];
        std::io::Read::read_exact(&mut server, &mut read).expect("sent");
        assert_eq!(&read, b"hello");
        drop((taken, server));

        // as long as the options say
        let full = FullListener::new(&folder.0.join("full.sock"));
        let socket = SocketOptions { connect_timeout: Duration::from_millis(50), ..Default::default() };
        let options = tcp::ConnectOptions { socket, ..Default::default() };
        let late = tcp::connect::<R>(Address::unix(folder.0.join("full.sock")), options).await;
        let Err(ConnectError::Connect { error, .. }) = late else { panic!("{late:?}") };
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        drop(full);
    }

    async fn a_request_gets_its_own_answer<R>() {
        let (_server, one, other) = pair::<R>(Default::default()).await;
        R::spawn({
            let other = other.clone();
            async move {
                // the second question is answered first, with something else in between
                let first = other.receive().await.expect("a question");
                let second = other.receive().await.expect("a question");
                other.send(data("news"), SendOptions::default()).await.expect("sent");
                for question in [second, first] {
                    let conversation = Some(question.conversation);
                    let options = SendOptions { conversation, ..SendOptions::default() };
                    other.send(question.data, options).await.expect("answered");
                }
            }
        });
        let (first, second) = smol::future::zip(one.request(data("1")), one.request(data("2"))).await;
        assert_eq!(first.expect("answered").data.data, "1");
        assert_eq!(second.expect("answered").data.data, "2");
        assert_eq!(one.receive().await.expect("received").data.data, "news");
        assert_eq!(one.open_conversations(), 0);
    }

    /// More questions that nobody answers than conversations may be open, one after the other: each
    /// is given up.
    async fn requests_that_are_given_up_leave_nothing<R>() {
        let (one, other) = ends();
        let config = Config { max_conversations: 4, ..Config::default() };
        let options = chatter::ConnectOptions { config, ..Default::default() };
        let one = chatter::connect_on::<R>(one, &options).expect("a connection");
        let other = chatter::connect_on::<R>(other, &Default::default()).expect("a connection");
        let mut late = Vec::new();
        for _ in 0..20 {
            let question = smol::future::or(async { Some(one.request(data("?")).await) }, async {
                late.push(other.receive().await.expect("a question"));
                None
            });
            assert!(question.await.is_none());
            assert_eq!(one.open_conversations(), 0);
        }
        // an answer that comes after all is nobody's
        let conversation = Some(late.pop().expect("the last").conversation);
        let options = SendOptions { conversation, ..SendOptions::default() };
        other.send(data("late"), options).await.expect("sent");
        other.send(data("news"), SendOptions::default()).await.expect("sent");
        assert_eq!(one.receive().await.expect("received").data.data, "news");
        other.close().await;
        assert!(matches!(one.request(data("?")).await, Err(RequestError::Ended(_))));
    }
}
