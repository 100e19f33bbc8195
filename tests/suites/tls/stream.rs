//! `TlsStream` over a wire in memory: any grain, no room, bytes that were changed on the way.

use std::future::poll_fn;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::BytesMut;
use hat_aio::runtime::Stream;
use hat_aio::tls::{AcceptorOptions, ConnectorOptions, Error, TlsStream};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;
use smol::future::zip;

use super::wire::Wire;
use super::{SERVER, client_options, server_options};

type Tls = TlsStream<Wire>;

async fn over<R: TestRuntime>(wires: (Wire, Wire)) -> (Tls, Tls) {
    with::<R>(wires, &client_options(), &server_options(&SERVER)).await
}

async fn with<R: TestRuntime>(
    wires: (Wire, Wire),
    client: &ConnectorOptions,
    server: &AcceptorOptions,
) -> (Tls, Tls) {
    let connector = client.build().expect("roots");
    let acceptor = server.build().expect("a certificate");
    let client = connector.connect::<R, _>(wires.0, "localhost");
    let (client, server) = zip(client, acceptor.accept::<R, _>(wires.1)).await;
    (client.expect("trusted"), server.expect("a client"))
}

/// Writes all of `send`, ends our side, and reads to the peer's end, all at once.
async fn exchange(stream: &mut Tls, send: &[u8]) -> Vec<u8> {
    let (mut rest, mut ended, mut end, mut received) = (send, false, false, BytesMut::new());
    poll_fn(|cx| {
        while !rest.is_empty() {
            // in two parts, as a driver may have them
            let (one, two) = rest.split_at(rest.len() / 3);
            match stream.poll_write(cx, &[IoSlice::new(one), IoSlice::new(two)]) {
                Poll::Ready(count) => rest = &rest[count.expect("written")..],
                Poll::Pending => break,
            }
        }
        if rest.is_empty() && !ended {
            ended = stream.poll_shutdown(cx).map(|end| end.expect("ended")).is_ready();
        }
        while !end && let Poll::Ready(count) = stream.poll_read(cx, &mut received, 5000) {
            let count = count.expect("read");
            assert!(count <= 5000, "more than asked for");
            end = count == 0;
        }
        if ended && end { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    received.to_vec()
}

/// Reads once.
async fn read(stream: &mut Tls) -> std::io::Result<BytesMut> {
    let mut bytes = BytesMut::new();
    poll_fn(|cx| stream.poll_read(cx, &mut bytes, 1 << 20)).await.map(|_| bytes)
}

async fn write(stream: &mut Tls, bytes: &[u8]) -> std::io::Result<usize> {
    poll_fn(|cx| stream.poll_write(cx, &[IoSlice::new(bytes)])).await
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

on_every_runtime! {
    async fn any_grain_with_hardly_any_room<R>() {
        for (grain, room, size) in [
            (1, 1, 2_000),
            (2, 3, 5_000),
            (3, 1000, 20_000),
            (7, 100, 40_000),
            (usize::MAX, 64, 40_000),
            (usize::MAX, 1 << 20, 1_000_000),
        ] {
            let (mut one, mut other) = over::<R>(Wire::pair(grain, room)).await;
            let sent: Vec<u8> = (0..size).map(|index| (index / 3) as u8).collect();
            let back: Vec<u8> = sent.iter().rev().copied().collect();
            let received = zip(exchange(&mut one, &sent), exchange(&mut other, &back)).await;
            assert!(received.0 == back && received.1 == sent, "grain {grain}, room {room}");
        }
    }

    /// 'Written' means that the system has it.
    async fn a_write_is_ready_when_every_record_is_out<R>() {
        let wires = Wire::pair(usize::MAX, 4096);
        let there = wires.1.clone();
        let (mut one, mut other) = over::<R>(wires).await;
        // what the server says after the handshake
        assert!(over_is_quiet(&mut one));
        let bytes = vec![9; 30_000];
        let mut cx = Context::from_waker(Waker::noop());
        let mut received = Vec::new();
        loop {
            let written = one.poll_write(&mut cx, &[IoSlice::new(&bytes)]);
            if let Poll::Ready(count) = written {
                // no more than the wire held when the last of it went in
                assert_eq!(count.expect("written"), 30_000);
                assert!(there.waiting() <= 4096);
                break;
            }
            assert_eq!(there.waiting(), 4096, "as much as there is room for");
            let mut part = BytesMut::new();
            let _ = other.poll_read(&mut cx, &mut part, 1 << 20);
            received.extend(part);
        }
        while received.len() < bytes.len() {
            received.extend(read(&mut other).await.expect("read"));
        }
        assert!(received == bytes, "once, and in order");
    }

    async fn reading_goes_on_while_a_write_waits<R>() {
        let (mut one, mut other) = over::<R>(Wire::pair(usize::MAX, 4096)).await;
        let mut cx = Context::from_waker(Waker::noop());
        let flood = vec![1; 60_000];
        for stream in [&mut one, &mut other] {
            assert!(stream.poll_write(&mut cx, &[IoSlice::new(&flood)]).is_pending());
        }
        let received = zip(exchange(&mut one, &flood), exchange(&mut other, &flood)).await;
        assert!(received.0 == flood && received.1 == flood);
    }

    async fn nothing_to_do_wakes_nobody<R>() {
        let (mut one, mut other) = over::<R>(Wire::pair(usize::MAX, 4096)).await;
        assert!(over_is_quiet(&mut one));
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut bytes = BytesMut::new();
        assert!(one.poll_read(&mut cx, &mut bytes, 100).is_pending());
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        // and a record does, once it is there
        write(&mut other, b"x").await.expect("written");
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(one.poll_read(&mut cx, &mut bytes, 100).is_ready());
        assert_eq!(bytes, "x");
    }

    async fn a_byte_that_was_changed_ends_it_for_both<R>() {
        let wires = Wire::pair(usize::MAX, 1 << 20);
        let there = wires.1.clone();
        let (mut one, mut other) = over::<R>(wires).await;
        write(&mut one, b"first").await.expect("written");
        assert_eq!(read(&mut other).await.expect("read"), "first");
        write(&mut one, b"second").await.expect("written");
        there.corrupt();
        for _ in 0..2 {
            let error = read(&mut other).await.expect_err("changed");
            assert!(matches!(Error::of(&error), Some(Error::Protocol { .. })), "{error:?}");
        }
        let error = write(&mut other, b"x").await.expect_err("it is over");
        assert!(matches!(Error::of(&error), Some(Error::Protocol { .. })), "{error:?}");
        // an alert says so: bad record MAC
        let error = read(&mut one).await.expect_err("told");
        assert!(matches!(Error::of(&error), Some(Error::Alert { code: 20 })), "{error:?}");
    }

    async fn what_came_before_a_changed_byte_is_read_first<R>() {
        let wires = Wire::pair(usize::MAX, 1 << 20);
        let there = wires.1.clone();
        let (mut one, mut other) = over::<R>(wires).await;
        for part in ["one ", "two ", "three"] {
            write(&mut one, part.as_bytes()).await.expect("written");
        }
        there.corrupt();
        assert_eq!(read(&mut other).await.expect("read"), "one two ");
        read(&mut other).await.expect_err("changed");
    }

    /// As that of a stream within another one may, whose room is used up.
    async fn a_refused_handshake_over_a_stream_whose_end_waits<R>() {
        let (wire, mut peer) = Wire::pair(usize::MAX, 4096);
        let http = [IoSlice::new(b"GET / HTTP/1.1\r\n")];
        poll_fn(|cx| peer.poll_write(cx, &http)).await.expect("there is room");
        let acceptor = server_options(&SERVER).build().expect("a certificate");
        let error = acceptor.accept::<R, _>(wire.endless()).await.expect_err("no TLS");
        assert!(matches!(error, Error::NotTls { first: b'G' }), "{error:?}");
    }

    /// Whoever was cut off does not tell the other end that all is well.
    async fn after_a_cut_no_end_is_told<R>() {
        let wires = Wire::pair(usize::MAX, 1 << 20);
        let mut cutter = wires.0.clone();
        let (mut one, mut other) = over::<R>(wires).await;
        poll_fn(|cx| cutter.poll_shutdown(cx)).await.expect("ended");
        let error = read(&mut other).await.expect_err("cut off");
        assert!(matches!(Error::of(&error), Some(Error::Truncated)), "{error:?}");
        poll_fn(|cx| other.poll_shutdown(cx)).await.expect("ended");
        let error = read(&mut one).await.expect_err("cut off");
        assert!(matches!(Error::of(&error), Some(Error::Truncated)), "{error:?}");
    }

    async fn application_protocols<R>() {
        let offered = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let client = ConnectorOptions { alpn: offered(&["h2", "http/1.1"]), ..client_options() };
        let server = AcceptorOptions { alpn: offered(&["http/1.1"]), ..server_options(&SERVER) };
        let (one, other) = with::<R>(Wire::pair(usize::MAX, 1 << 20), &client, &server).await;
        assert_eq!((one.alpn(), other.alpn()), (Some(&b"http/1.1"[..]), Some(&b"http/1.1"[..])));
    }
}

/// Takes what the handshake left on the wire.
fn over_is_quiet(stream: &mut Tls) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    stream.poll_read(&mut cx, &mut BytesMut::new(), 100).is_pending()
}
