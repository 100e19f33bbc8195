//! Tests of what a runtime must do so that everything here runs on it.
//!
//! With the feature `conformance`. Each function panics where a [`Runtime`] does not do what that
//! trait says, and waits for ever where it loses a wake-up: give them a time limit. They use the
//! loopback address and free ports.
//!
//! ```ignore
//! #[test]
//! fn conforms() {
//!     my_runtime::block_on(hat_aio::conformance::all::<MyRuntime>());
//! }
//! ```

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
#[cfg(unix)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;

use crate::SocketOptions;
use crate::runtime::{Runtime, Stream, Timer, sleep};

/// Long enough that another task has its turn, and short enough for a test.
const A_WHILE: Duration = Duration::from_millis(20);

/// More work that blocks than runtimes have threads for, or most of them.
const MANY: usize = 300;

/// Bytes that no system keeps for a reader that takes nothing.
const TOO_MANY: usize = 256 * 1024 * 1024;

/// All of the below, one after the other.
pub async fn all<R: Runtime>() {
    timers::<R>().await;
    tasks::<R>().await;
    blocking_work::<R>().await;
    names::<R>().await;
    connecting::<R>().await;
    giving_up::<R>().await;
    reading::<R>().await;
    waiting_to_read::<R>().await;
    writing::<R>().await;
    a_reader_that_stops::<R>().await;
    both_ways_at_once::<R>().await;
    half_close::<R>().await;
    #[cfg(unix)]
    unix_sockets::<R>().await;
    dropping::<R>().await;
}

/// Timers fire at their time and not before, also those that were set again, or whose time has
/// passed.
pub async fn timers<R: Runtime>() {
    let start = R::now();
    assert!(R::now() >= start, "the clock went backwards");
    sleep::<R>(A_WHILE).await;
    assert!(R::now() - start >= A_WHILE, "a timer fired early");

    fired(&mut R::timer(start)).await;
    let mut timer = R::timer(R::now() + Duration::from_secs(3600));
    assert!(polled(&mut timer).await.is_pending(), "a timer of an hour fired at once");
    let soon = R::now() + A_WHILE;
    timer.reset(soon);
    fired(&mut timer).await;
    assert!(R::now() >= soon, "a timer that was set again fired early");

    let again = R::now() + A_WHILE;
    timer.reset(again);
    assert!(polled(&mut timer).await.is_pending() || R::now() >= again, "it has fired before");
    fired(&mut timer).await;
    assert!(R::now() >= again, "a timer that had fired fired early");

    timer.reset(R::now() + Duration::from_secs(3600));
    let mut other = R::timer(R::now() + A_WHILE);
    poll_fn(|cx| {
        assert!(timer.poll(cx).is_pending(), "a postponed timer fired early");
        other.poll(cx)
    })
    .await;
}

/// Tasks run while others wait, each to its end, also those that only wake themselves.
pub async fn tasks<R: Runtime>() {
    let done = Count::default();
    for number in 0..1000 {
        let done = done.clone();
        R::spawn(async move {
            if number % 2 == 0 {
                once_again().await;
            }
            done.add(1);
        });
    }
    done.until(1000).await;

    let ended = Count::default();
    let held = Held(ended.clone());
    R::spawn(async move {
        let _held = held;
        sleep::<R>(A_WHILE).await;
    });
    // what a task holds is dropped when it ends
    ended.until(1).await;
}

/// A wake-up that comes from a thread which is none of the runtime's.
pub async fn waking_from_another_thread<R: Runtime>() {
    let done = Count::default();
    let waiting = done.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(A_WHILE);
        waiting.add(1);
    });
    done.until(1).await;
    thread.join().expect("it ends");
}

/// Work that blocks gives its result, and stops no other task.
pub async fn blocking_work<R: Runtime>() {
    let done = Count::default();
    let other = done.clone();
    R::spawn(async move {
        sleep::<R>(A_WHILE).await;
        other.add(1);
    });
    let result = R::unblock(|| {
        std::thread::sleep(A_WHILE);
        7
    });
    assert_eq!(result.await.expect("the runtime runs"), 7);
    done.until(1).await;
}

/// More work that blocks than a runtime has threads for waits, and stops nothing else. For runtimes
/// that have threads for it.
pub async fn much_blocking_work<R: Runtime>() {
    let (done, gate) = (Count::default(), Arc::new((Mutex::new(false), Condvar::new())));
    for _ in 0..MANY {
        let (done, gate) = (done.clone(), gate.clone());
        R::spawn(async move {
            let work = R::unblock(move || {
                let (is_open, opened) = &*gate;
                let is_open = is_open.lock().expect("nobody panicked");
                drop(opened.wait_while(is_open, |is_open| !*is_open));
            });
            work.await.expect("the runtime runs");
            done.add(1);
        });
    }
    sleep::<R>(A_WHILE).await;
    *gate.0.lock().expect("nobody panicked") = true;
    gate.1.notify_all();
    done.until(MANY).await;
}

/// Addresses are found for a name, with the port that was asked for.
pub async fn names<R: Runtime>() {
    let found = R::resolve("localhost", 1234).await.expect("it has addresses");
    assert!(!found.is_empty() && found.iter().all(|address| address.port() == 1234));
}

/// Both ends of a connection know the addresses of both; what nobody listens on is refused.
pub async fn connecting<R: Runtime>() {
    let listener = R::bind(loopback(0)).await.expect("a free port");
    let address = R::local_addr(&listener).expect("it listens");
    assert!(address.port() != 0, "the assigned port is not reported");
    let (client, server) = pair_at::<R>(&listener).await;
    assert_eq!(client.peer_addr().expect("connected"), address);
    assert_eq!(server.local_addr().expect("connected"), address);
    assert_eq!(client.local_addr().expect("connected"), server.peer_addr().expect("connected"));

    let taken = R::bind(address).await;
    assert!(taken.is_err(), "two listeners share one address");
    drop((client, server, listener));
    // as a server does that is started again
    let listener = R::bind(address).await.expect("the address is free again");
    drop(listener);
    let refused = R::connect(address, &SocketOptions::default()).await;
    assert!(refused.is_err(), "nobody listens there");
}

/// Futures that are dropped lose nothing: another call takes the connection that the first waited
/// for.
pub async fn giving_up<R: Runtime>() {
    let listener = R::bind(loopback(0)).await.expect("a free port");
    let address = R::local_addr(&listener).expect("it listens");
    let options = SocketOptions::default();
    {
        let mut accepting = pin!(R::accept(&listener, &options));
        poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx).is_ready())).await;
    }
    let (_client, server) = pair_at::<R>(&listener).await;
    drop(server);
    {
        let mut connecting = pin!(R::connect(address, &options));
        poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx).is_ready())).await;
    }
    let mut client = R::connect(address, &options).await.expect("it listens");
    let ours = client.local_addr().expect("connected");
    let mut server = loop {
        // one that was given up may have come through, and ends at once then
        let (server, from) = R::accept(&listener, &options).await.expect("it was called");
        if from == ours {
            break server;
        }
    };
    write_all(&mut client, b"x").await;
    assert_eq!(read(&mut server, 1).await.expect("it arrives"), &b"x"[..]);
    write_all(&mut server, b"y").await;
    assert_eq!(read(&mut client, 1).await.expect("it arrives"), &b"y"[..]);
}

/// Reads append at most what was asked for, leave what is there alone, and tell the end as often as
/// they are asked.
pub async fn reading<R: Runtime>() {
    let (mut client, mut server) = pair::<R>().await;
    let mut into = BytesMut::from(&b"before "[..]);
    let pending = poll_fn(|cx| Poll::Ready(client.poll_read(cx, &mut into, 100))).await;
    assert!(pending.is_pending(), "something was read although nothing was sent");
    assert_eq!(into, &b"before "[..], "a read that is pending changed the buffer");
    let unread = poll_fn(|cx| Poll::Ready(client.has_unread(cx))).await;
    assert!(!unread.expect("it is open"), "nothing was sent");

    // the next read may bring another buffer, and its task is woken
    let mut other = BytesMut::from(&b"another "[..]);
    write_all(&mut server, b"0123456789").await;
    let count = poll_fn(|cx| client.poll_read(cx, &mut other, 4)).await.expect("it was sent");
    assert!((1..=4).contains(&count), "{count} bytes, where 4 were asked for");
    assert_eq!(other, [&b"another "[..], &b"0123456789"[..count]].concat(), "it appends");
    // what is known to be unread is given: a read that is pending is not the last word
    while poll_fn(|cx| Poll::Ready(client.has_unread(cx))).await.expect("it is open") {
        other.extend_from_slice(&read(&mut client, 100).await.expect("it was sent"));
    }
    let mut rest = other.split_off(8);
    while rest.len() < 10 {
        rest.extend_from_slice(&read(&mut client, 100).await.expect("it was sent"));
    }
    assert_eq!(rest, &b"0123456789"[..]);

    shut(&mut server).await.expect("it is open");
    for _ in 0..3 {
        assert_eq!(
            read(&mut client, 100).await.expect("the end of the stream is not an error"),
            &b""[..]
        );
    }
}

/// Where a stream says that a read would be pending, it wakes its task for what comes, the end too.
pub async fn waiting_to_read<R: Runtime>() {
    let (mut client, mut server) = pair::<R>().await;
    for sent in [&b"x"[..], b""] {
        let mut into = BytesMut::new();
        let pending = poll_fn(|cx| Poll::Ready(client.poll_read(cx, &mut into, 100))).await;
        assert!(pending.is_pending(), "something was read although nothing was sent");
        let told = poll_fn(|cx| client.poll_readable(cx));
        let sending = async {
            sleep::<R>(A_WHILE).await;
            match sent {
                b"" => shut(&mut server).await.expect("it is open"),
                sent => write_all(&mut server, sent).await,
            }
        };
        both(told, sending).await;
        assert_eq!(read(&mut client, 100).await.expect("it was sent"), sent);
    }
}

/// Parts are written in their order, empty ones among them, and arrive without another call.
pub async fn writing<R: Runtime>() {
    let (mut client, mut server) = pair::<R>().await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
    let reading = async {
        let mut all = BytesMut::new();
        while all.len() < bytes.len() {
            let more = read(&mut server, 10_000).await.expect("it is open");
            assert!(!more.is_empty(), "the end, with {} bytes here", all.len());
            all.extend_from_slice(&more);
        }
        all
    };
    let writing = async {
        let mut left = &bytes[..];
        while !left.is_empty() {
            // of growing length, an empty one in between
            let mut parts = Vec::new();
            let mut rest = left;
            for length in 1..200 {
                let (part, behind) = rest.split_at(rest.len().min(length));
                parts.extend([IoSlice::new(part), IoSlice::new(&[])]);
                rest = behind;
            }
            let count = poll_fn(|cx| client.poll_write(cx, &parts)).await.expect("it is open");
            assert!(count > 0 && count <= left.len() - rest.len(), "{count} bytes were taken");
            left = &left[count..];
        }
    };
    let ((), all) = both(writing, reading).await;
    assert!(all == bytes, "what arrived is not what was written");
}

/// A reader that stops stops its writer, which goes on with it.
pub async fn a_reader_that_stops<R: Runtime>() {
    let (mut client, mut server) = pair::<R>().await;
    let chunk = vec![7; 64 * 1024];
    let mut written = 0;
    loop {
        let parts = [IoSlice::new(&chunk)];
        let taken = poll_fn(|cx| Poll::Ready(client.poll_write(cx, &parts))).await;
        match taken {
            Poll::Ready(count) => written += count.expect("it is open"),
            // some runtimes make a task wait now and then
            Poll::Pending => {
                sleep::<R>(A_WHILE).await;
                let again = poll_fn(|cx| Poll::Ready(client.poll_write(cx, &parts))).await;
                match again {
                    Poll::Ready(count) => written += count.expect("it is open"),
                    Poll::Pending => break,
                }
            }
        }
        assert!(written < TOO_MANY, "{written} bytes were accepted for a reader that takes none");
    }
    let reading = async {
        let mut taken = 0;
        loop {
            let more = read(&mut server, 64 * 1024).await.expect("it is open").len();
            if more == 0 {
                break taken;
            }
            taken += more;
        }
    };
    let writing = async {
        write_all(&mut client, &chunk).await;
        shut(&mut client).await.expect("it is open");
    };
    let ((), taken) = both(writing, reading).await;
    assert_eq!(taken, written + chunk.len());
}

/// Both ends write before they read, in one task each: neither waits for the other.
pub async fn both_ways_at_once<R: Runtime>() {
    const MOST: usize = 8 * 1024 * 1024;
    let (mut client, mut server) = pair::<R>().await;
    both(exchange(&mut client, MOST), exchange(&mut server, MOST)).await;
}

/// Our side ends and the peer's does not: it is told, and what it sends is still read.
pub async fn half_close<R: Runtime>() {
    let (client, server) = pair::<R>().await;
    half_closed(client, server).await;
}

/// The same over a Unix socket, where the runtime has them.
///
/// # Panics
///
/// Also where there is no folder for temporary files.
#[cfg(unix)]
pub async fn unix_sockets<R: Runtime>() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);

    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("hat-conformance-{}-{number}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a free place");
    let pair = match R::listen_unix(listener) {
        Ok(listener) => {
            let client = R::connect_unix(&path);
            let server = poll_fn(|cx| listener.poll_accept(cx));
            let (client, server) = both(client, server).await;
            Some((client.expect("connected"), server.expect("accepted")))
        }
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            None
        }
    };
    std::fs::remove_file(&path).expect("it is there");
    if let Some((client, server)) = pair {
        half_closed(client, server).await;
    }
}

async fn half_closed(mut client: impl Stream, mut server: impl Stream) {
    write_all(&mut client, b"last").await;
    shut(&mut client).await.expect("it is open");
    shut(&mut client).await.expect("again changes nothing");
    let mut all = BytesMut::new();
    loop {
        let more = read(&mut server, 100).await.expect("an orderly end");
        if more.is_empty() {
            break;
        }
        all.extend_from_slice(&more);
    }
    assert_eq!(all, &b"last"[..]);
    write_all(&mut server, b"answer").await;
    let mut answer = BytesMut::new();
    while answer.len() < 6 {
        answer.extend_from_slice(&read(&mut client, 100).await.expect("it still reads"));
    }
    assert_eq!(answer, &b"answer"[..]);
}

/// A stream that is dropped ends its connection.
pub async fn dropping<R: Runtime>() {
    let (client, mut server) = pair::<R>().await;
    drop(client);
    match read(&mut server, 100).await {
        Ok(end) => assert_eq!(end, &b""[..]),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn pair<R: Runtime>() -> (R::Stream, R::Stream) {
    let listener = R::bind(loopback(0)).await.expect("a free port");
    pair_at::<R>(&listener).await
}

async fn pair_at<R: Runtime>(listener: &R::Listener) -> (R::Stream, R::Stream) {
    let address = R::local_addr(listener).expect("it listens");
    let options = SocketOptions::default();
    let client = R::connect(address, &options);
    let server = R::accept(listener, &options);
    let (client, server) = both(client, server).await;
    let (client, (server, from)) = (client.expect("connected"), server.expect("accepted"));
    assert_eq!(client.local_addr().expect("connected"), from);
    (client, server)
}

/// One read, into a buffer of its own.
async fn read(stream: &mut impl Stream, most: usize) -> io::Result<BytesMut> {
    let mut into = BytesMut::new();
    let count = poll_fn(|cx| stream.poll_read(cx, &mut into, most)).await?;
    assert!(count == into.len() && count <= most, "the count is not that of the bytes");
    Ok(into)
}

async fn write_all(stream: &mut impl Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let parts = [IoSlice::new(bytes)];
        let count = poll_fn(|cx| stream.poll_write(cx, &parts)).await.expect("it is open");
        bytes = &bytes[count..];
    }
}

async fn shut(stream: &mut impl Stream) -> io::Result<()> {
    poll_fn(|cx| stream.poll_shutdown(cx)).await
}

/// Writes and reads `count` bytes at once, as a driver does.
async fn exchange(stream: &mut impl Stream, count: usize) {
    let chunk = vec![3; 64 * 1024];
    let (mut written, mut taken) = (0, 0);
    let mut into = BytesMut::new();
    poll_fn(|cx| {
        loop {
            let mut moved = false;
            if written < count
                && let Poll::Ready(more) = stream
                    .poll_write(cx, &[IoSlice::new(&chunk[..chunk.len().min(count - written)])])
            {
                written += more.expect("it is open");
                moved = true;
            }
            if taken < count {
                into.clear();
                if let Poll::Ready(more) = stream.poll_read(cx, &mut into, chunk.len()) {
                    taken += more.expect("it is open");
                    moved = true;
                }
            }
            match (moved, written == count && taken == count) {
                (_, true) => return Poll::Ready(()),
                (true, false) => {}
                (false, false) => return Poll::Pending,
            }
        }
    })
    .await;
}

async fn polled(timer: &mut impl Timer) -> Poll<()> {
    poll_fn(|cx| Poll::Ready(timer.poll(cx))).await
}

async fn fired(timer: &mut impl Timer) {
    poll_fn(|cx| timer.poll(cx)).await;
}

/// Both, at once.
async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(cx)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(cx)
        {
            second = Some(value);
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}

/// Wakes its task itself, and is ready at the next poll.
async fn once_again() {
    let mut woken = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A count that a task waits for.
#[derive(Clone, Default)]
struct Count(Arc<Mutex<(usize, Option<Waker>)>>);

impl Count {
    fn add(&self, more: usize) {
        let waker = {
            let mut count = self.0.lock().expect("no panic");
            count.0 += more;
            count.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    async fn until(&self, wanted: usize) {
        poll_fn(|cx| {
            let mut count = self.0.lock().expect("no panic");
            if count.0 >= wanted {
                return Poll::Ready(());
            }
            count.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Counts when it is dropped.
struct Held(Count);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.add(1);
    }
}
