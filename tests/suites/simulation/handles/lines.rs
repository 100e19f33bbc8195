//! Chatter, TCP, TPKT and COTP: two sides that say anything to each other, take it when they like,
//! and end whenever.
//!
//! - What arrives are the messages that were sent, in order, each once, from the first on.
//! - A send that was given up sent nothing.
//! - Behind an orderly close nothing is missing.
//! - In a calm world all of it arrives, and every end is an orderly one.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hat_aio::runtime::within;
use hat_tests::simulated::{Simulated, World};
use hat_tests::simulation::Tally;

use super::line::Line;
use super::tasks::start;
use super::{chance, count, draw, pause};

/// Thirty small messages that lie in one window are taken within the 5 s in which a peer that
/// closes wants something taken.
const PAUSES: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(30), Duration::from_millis(150)];

/// What one side came to.
#[derive(Debug, Default)]
struct Said {
    sent: u32,
    received: u32,
    /// All that was sent was written before the orderly close.
    closed_in_order: bool,
    /// How the receiving ended.
    end: Option<(bool, String)>,
    given_up: u32,
}

/// Both sides of each connection, by the address of the client.
type Books = Arc<Mutex<BTreeMap<SocketAddr, [Said; 2]>>>;

pub(super) async fn lines<L: Line>() -> Tally {
    let world = World::current();
    let server = L::listen().await;
    let (address, books) = (server.addresses()[0], Books::default());
    let clients = draw(|random| random.within(1..=3));
    let calls: Vec<_> = (0..clients).map(|_| start(call::<L>(address, books.clone()))).collect();
    let called = start(async move {
        for call in calls {
            call.await;
        }
    });
    let mut called = pin!(called);
    let mut sides = Vec::new();
    while let Some(connection) = unless(called.as_mut(), server.accept()).await {
        sides.push(start(serve(connection, books.clone())));
    }
    // a server that closes takes what its connections have not read
    for side in sides {
        side.await;
    }
    server.close().await;
    let mut tally = Tally::new();
    let books = std::mem::take(&mut *books.lock().expect("no panic"));
    for [client, server] in books.values() {
        check(client, server, world.is_calm(), &mut tally);
        check(server, client, world.is_calm(), &mut tally);
    }
    tally
}

/// What `future` gives, or `None` once `over` is.
async fn unless<T>(
    mut over: Pin<&mut impl Future<Output = ()>>,
    future: impl Future<Output = Option<T>>,
) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match over.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx),
    })
    .await
}

/// Holds what `receiver` got against what `sender` said.
fn check(sender: &Said, receiver: &Said, is_calm: bool, tally: &mut Tally) {
    assert!(receiver.received <= sender.sent, "{} of {}", receiver.received, sender.sent);
    *tally.entry("messages").or_default() += u64::from(receiver.received);
    *tally.entry("given up").or_default() += u64::from(sender.given_up);
    let is_all = receiver.received == sender.sent;
    match &receiver.end {
        Some((true, _)) if sender.closed_in_order => {
            assert!(is_all, "an orderly close, and {sender:?} is not {receiver:?}");
            count(tally, "orderly ends");
        }
        Some((true, _)) => count(tally, "ends at a message"),
        Some((false, _)) => count(tally, "failed"),
        None => count(tally, "never taken"),
    }
    assert!(is_all || !is_calm, "missing in a calm world: {sender:?} to {receiver:?}");
    let is_lost = matches!(receiver.end, Some((false, _)) | None);
    assert!(!is_lost || !is_calm, "lost in a calm world: {sender:?} to {receiver:?}");
}

async fn call<L: Line>(address: SocketAddr, books: Books) {
    pause(Duration::from_secs(2)).await;
    let Some(connection) = L::connect(address).await else {
        assert!(!World::current().is_calm(), "refused in a calm world");
        return;
    };
    let mine = connection.addresses()[0];
    let receiving = start(take_all(connection.clone()));
    let mut said = say_all(&connection).await;
    let (is_done, mut taken) = receiving.await;
    // all was said both ways, or it is over
    if chance(50) {
        connection.drain().await;
    }
    said.closed_in_order = connection.close().await;
    assert!(said.closed_in_order || !World::current().is_calm(), "not closed in order");
    if is_done && taken.end.is_none() {
        taken.end = Some((true, "we closed".into()));
    }
    said.received = taken.received;
    said.end = taken.end;
    books.lock().expect("no panic").entry(mine).or_default()[0] = said;
}

async fn serve<L: Line>(connection: L, books: Books) {
    let peer = connection.addresses()[1];
    let receiving = start(take_all(connection.clone()));
    let mut said = say_all(&connection).await;
    let (_, mut taken) = receiving.await;
    if taken.end.is_none() {
        // the client has more to say before it closes, or not
        taken.end = Some(loop {
            match connection.receive().await {
                Ok(message) => taken.note(&message),
                Err(end) => break end,
            }
        });
    }
    connection.closed().await;
    said.received = taken.received;
    said.end = taken.end;
    // the client closed only after it had all
    said.closed_in_order = true;
    let mut books = books.lock().expect("no panic");
    books.entry(peer).or_default()[1] = said;
}

/// What ends what one side says.
const DONE: u32 = u32::MAX;

/// Says some messages, each with its number; then that it is done.
async fn say_all<L: Line>(connection: &L) -> Said {
    let mut said = Said::default();
    let (count, longest) = draw(|random| match random.chance(15) {
        true => (random.size(6) as u32, L::LARGE),
        false => (random.size(30) as u32, random.pick(&[0, 300, 300, 20_000])),
    });
    let pauses = draw(|random| random.pick(&PAUSES));
    while said.sent < count {
        pause(pauses).await;
        let message = message(said.sent, draw(|random| random.size(longest)));
        let sending = connection.send(message);
        let sent = match chance(15) {
            true => {
                let time = draw(|random| random.duration(Duration::from_secs(1)));
                within::<Simulated, _>(time, sending).await
            }
            false => Some(sending.await),
        };
        match sent {
            Some(true) => said.sent += 1,
            // it is over: nothing more is sent
            Some(false) => return said,
            None => said.given_up += 1,
        }
    }
    connection.send(message(DONE, 0)).await;
    said
}

fn message(number: u32, more: usize) -> Bytes {
    let mut message = number.to_be_bytes().to_vec();
    message.resize(4 + more, number as u8);
    message.into()
}

/// Takes what comes until the other side is done, or the connection is over: whether it is done.
async fn take_all<L: Line>(connection: L) -> (bool, Said) {
    let mut taken = Said::default();
    let pauses = draw(|random| random.pick(&PAUSES));
    loop {
        pause(pauses).await;
        match connection.receive().await {
            Ok(message) if message[..4] == DONE.to_be_bytes() => return (true, taken),
            Ok(message) => taken.note(&message),
            Err(end) => {
                taken.end = Some(end);
                return (false, taken);
            }
        }
    }
}

impl Said {
    /// The next message, and no other.
    fn note(&mut self, message: &[u8]) {
        let number = u32::from_be_bytes(message[..4].try_into().expect("four bytes"));
        assert_eq!(number, self.received, "messages come in order, each once");
        assert!(message[4..].iter().all(|&byte| byte == number as u8), "as it was sent");
        self.received += 1;
    }
}
