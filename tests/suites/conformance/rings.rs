//! compio's rings, one a thread: they wake tasks of each other, and handles of theirs are used
//! where there is none.

use std::future::{pending, poll_fn};
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use compio::runtime::Runtime as Ring;
use hat_aio::SocketOptions;
use hat_aio::eventer::{self, ConnectionInfo, Handler};
use hat_aio::runtime::{Runtime, Stream, sleep};
use hat_compio::Compio;
use hat_core::eventer::{Event, RegisterEvent};
use hat_tests::runtimes::has_no_ring;
use socket2::SockRef;

/// Far more than the wake-ups from other threads that compio keeps for a ring.
const TASKS: usize = 1000;

/// Tasks of one ring, which wait until they are woken.
#[derive(Clone, Default)]
struct Crowd(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: Vec<Waker>,
    is_over: bool,
    gone: usize,
}

impl Crowd {
    async fn join(self) {
        poll_fn(|cx| {
            let mut state = self.0.lock().expect("no panic");
            if !state.is_over {
                state.waiting.push(cx.waker().clone());
                return Poll::Pending;
            }
            state.gone += 1;
            Poll::Ready(())
        })
        .await;
    }

    /// Wakes each of them twice, the second time as likely as not while it runs.
    fn wake(&self) {
        let mut state = self.0.lock().expect("no panic");
        state.is_over = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.iter().for_each(Waker::wake_by_ref);
        waiting.into_iter().for_each(Waker::wake);
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        while !done(&self.0.lock().expect("no panic")) {
            sleep::<Compio>(Duration::from_millis(1)).await;
        }
    }
}

/// What `work` gives, on a thread of its own.
fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || drop(sender.send(work())));
    receiver
}

const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Each wakes all tasks of the other in one go, at the same time.
#[test]
fn two_rings_that_wake_each_other() {
    if has_no_ring("two_rings_that_wake_each_other") {
        return;
    }
    let (one, other, both) = (Crowd::default(), Crowd::default(), Arc::new(Barrier::new(2)));
    let ring = |mine: Crowd, theirs: Crowd, both: Arc<Barrier>| {
        elsewhere(move || {
            Ring::new().expect("a ring").block_on(async {
                for _ in 0..TASKS {
                    Compio::spawn(mine.clone().join());
                }
                mine.until(|state| state.waiting.len() == TASKS).await;
                both.wait();
                theirs.wake();
                mine.until(|state| state.gone == TASKS).await;
                // the other one's tasks need their ring
                theirs.until(|state| state.gone == TASKS).await;
            });
        })
    };
    let rings = [ring(one.clone(), other.clone(), both.clone()), ring(other, one, both)];
    for ring in rings {
        ring.recv_timeout(TIME_LIMIT).expect("they stop each other");
    }
}

/// The ring has read it by then, and the socket has only the reset.
#[test]
fn what_came_before_a_reset_is_given_before_it_is_told() {
    if has_no_ring("what_came_before_a_reset_is_given_before_it_is_told") {
        return;
    }
    let done = elsewhere(|| {
        Ring::new().expect("a ring").block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
            let address = listener.local_addr().expect("an address");
            let connected = Compio::connect(address, &SocketOptions::default()).await;
            let mut stream = connected.expect("connected");
            let (mut peer, _) = listener.accept().expect("a client");
            let mut read = BytesMut::new();
            let waiting = poll_fn(|cx| Poll::Ready(stream.poll_read(cx, &mut read, 64))).await;
            assert!(waiting.is_pending());
            // the ring waits for bytes from here on, and reads them with the next system call
            sleep::<Compio>(Duration::from_millis(1)).await;
            peer.write_all(b"x").expect("written");
            thread::sleep(Duration::from_millis(20));
            SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("an option");
            drop(peer);
            thread::sleep(Duration::from_millis(20));
            let unread = poll_fn(|cx| Poll::Ready(stream.has_unread(cx))).await;
            assert!(unread.expect("a byte, before the reset is told"));
            let count = poll_fn(|cx| stream.poll_read(cx, &mut read, 64)).await;
            assert_eq!((count.expect("a byte"), &read[..]), (1, &b"x"[..]));
            let end = poll_fn(|cx| stream.poll_read(cx, &mut read, 64)).await;
            assert_eq!(end.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
        });
    });
    done.recv_timeout(TIME_LIMIT).expect("no panic");
}

/// A task that other threads wake all the time misses none of it.
#[test]
fn a_task_that_many_threads_wake() {
    const EACH: usize = 20_000;
    if has_no_ring("a_task_that_many_threads_wake") {
        return;
    }
    let done = elsewhere(|| {
        Ring::new().expect("a ring").block_on(async {
            let told = Arc::new(Mutex::new((0, None::<Waker>)));
            let seen = Arc::new(Mutex::new(0));
            Compio::spawn({
                let (told, seen) = (told.clone(), seen.clone());
                async move {
                    poll_fn(|cx| {
                        let mut told = told.lock().expect("no panic");
                        *seen.lock().expect("no panic") = told.0;
                        told.1 = Some(cx.waker().clone());
                        if told.0 == 2 * EACH { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                }
            });
            for _ in 0..2 {
                let told = told.clone();
                thread::spawn(move || {
                    for _ in 0..EACH {
                        let mut told = told.lock().expect("no panic");
                        told.0 += 1;
                        let waker = told.1.clone();
                        drop(told);
                        waker.iter().for_each(Waker::wake_by_ref);
                    }
                });
            }
            while *seen.lock().expect("no panic") < 2 * EACH {
                sleep::<Compio>(Duration::from_millis(1)).await;
            }
        });
    });
    done.recv_timeout(TIME_LIMIT).expect("a wake-up is lost");
}

/// A handler that says that it was asked, and never answers.
struct Busy(smol::channel::Sender<()>);

impl Handler for Busy {
    async fn register(&self, _: &ConnectionInfo, _: Vec<RegisterEvent>) -> Option<Vec<Event>> {
        self.0.send(()).await.expect("the test waits");
        pending().await
    }
}

/// What waits for time to pass does so on any thread.
#[test]
fn a_server_that_is_waited_for_outside_of_its_ring() {
    if has_no_ring("a_server_that_is_waited_for_outside_of_its_ring") {
        return;
    }
    Ring::new().expect("a ring").block_on(async {
        let (asked, is_asked) = smol::channel::bounded(1);
        let busy = Busy(asked);
        let server = eventer::listen::<Compio>("127.0.0.1:0", busy, Default::default()).await;
        let server = Arc::new(server.expect("a port"));
        let client = eventer::connect::<Compio>(server.addresses()[0], "it", Default::default());
        let client = client.await.expect("taken");
        Compio::spawn(async move {
            let _ = client.register_with_response(&[RegisterEvent::new("a/b")]).await;
        });
        is_asked.recv().await.expect("the handler is there");
        let here = server.clone();
        let waited = Compio::unblock(move || {
            let start = Instant::now();
            smol::block_on(here.answered(Duration::from_millis(50)));
            start.elapsed()
        });
        let waited = waited.await.expect("no panic");
        assert!(waited >= Duration::from_millis(50), "{waited:?}");
    });
}

/// A timer that began on a ring goes on where there is none, and when the ring is gone.
#[test]
fn a_timer_that_outlives_its_ring() {
    use hat_aio::runtime::Timer;

    if has_no_ring("a_timer_that_outlives_its_ring") {
        return;
    }
    let mut timer = Compio::timer(Instant::now() + Duration::from_millis(50));
    let began = Ring::new()
        .expect("a ring")
        .block_on(async { poll_fn(|cx| Poll::Ready(timer.poll(cx).is_pending())).await });
    assert!(began);
    let fired = elsewhere(move || smol::block_on(poll_fn(|cx| timer.poll(cx))));
    fired.recv_timeout(TIME_LIMIT).expect("it never fires");
}
