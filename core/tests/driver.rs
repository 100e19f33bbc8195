//! The driver of event loops of one's own, over sockets that are scripted.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use hat_core::chatter::{Config, Connection, Data, Incoming, PingRule, SendOptions};
use hat_core::driver::{BlockingSocket, Driver, Error};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

/// A socket whose reads are given, one after the other, and nothing more comes after them.
#[derive(Default)]
struct Script {
    reads: VecDeque<io::Result<Vec<u8>>>,
    /// Bytes that it still takes; a write over it would block.
    room: usize,
    broken: bool,
    written: Vec<u8>,
}

impl Read for Script {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reads.pop_front().unwrap_or(Err(ErrorKind::WouldBlock.into()))?;
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(self.room);
        self.room -= count;
        self.written.extend_from_slice(&bytes[..count]);
        if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingSocket for Script {
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        assert_ne!(limit, Some(Duration::ZERO), "no limit at all, to the system");
        Ok(())
    }
}

fn machine() -> Connection {
    Connection::new(Config::default(), Instant::ORIGIN)
}

/// What a peer sends: one message.
fn message(text: &str) -> Vec<u8> {
    let (mut peer, mut bytes) = (machine(), Vec::new());
    peer.send(Data::new("T", text.as_bytes().to_vec()), SendOptions::default()).expect("open");
    peer.tx().write_to(&mut bytes).expect("memory");
    bytes
}

#[track_caller]
fn text(incoming: Option<Incoming>) -> String {
    match incoming {
        Some(Incoming::Message(message)) => {
            String::from_utf8(message.data.data.to_vec()).expect("text")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_comes_in_pieces_and_what_is_read_is_not_read_again() {
    let bytes = message("hello");
    let reads = bytes.iter().map(|byte| Ok(vec![*byte])).collect();
    let mut driver = Driver::new(machine(), Script { reads, ..Script::default() });
    assert_eq!(text(driver.next(Instant::ORIGIN).expect("open")), "hello");
    assert!(driver.next(Instant::ORIGIN).expect("open").is_none());
    driver.socket().reads.push_back(Ok(message("more")));
    assert!(driver.next(Instant::ORIGIN).expect("open").is_none(), "the loop did not say so");
    driver.ready();
    assert_eq!(text(driver.next(Instant::ORIGIN).expect("open")), "more");
}

#[test]
fn what_the_socket_does_not_take_waits() {
    let mut driver = Driver::new(machine(), Script { room: 3, ..Script::default() });
    let sent = Data::new("T", &b"hello"[..]);
    driver.machine().send(sent, SendOptions::default()).expect("open");
    assert!(driver.next(Instant::ORIGIN).expect("open").is_none());
    assert_eq!(driver.socket().written.len(), 3);
    driver.socket().room = 1000;
    assert!(driver.next(Instant::ORIGIN).expect("open").is_none());
    assert_eq!(driver.socket().written, message("hello"));
}

#[test]
fn a_socket_that_takes_no_more_gives_first_what_had_come() {
    let all = Script { reads: [Ok(message("last"))].into(), broken: true, ..Script::default() };
    let mut driver = Driver::new(machine(), all);
    let sent = Data::new("T", &b"hello"[..]);
    driver.machine().send(sent, SendOptions::default()).expect("open");
    assert_eq!(text(driver.next(Instant::ORIGIN).expect("a message first")), "last");
    match driver.next(Instant::ORIGIN) {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::BrokenPipe),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_end_of_the_stream_is_the_machines_to_judge() {
    let reads = [Ok(message("last")), Ok(Vec::new())].into();
    let mut driver = Driver::new(machine(), Script { reads, ..Script::default() });
    assert_eq!(text(driver.wait(|| Instant::ORIGIN).expect("open")), "last");
    match driver.wait(|| Instant::ORIGIN) {
        Err(Error::Protocol(error)) => {
            assert_eq!(error, hat_core::chatter::Error::Closed);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_long_time_the_socket_is_read_before_the_peer_is_given_up() {
    let (second, timeout) = (Duration::from_secs(1), Duration::from_secs(2));
    let ping = PingRule::WhenIdle { delay: second, timeout };
    let machine = Connection::new(Config { ping, ..Config::default() }, Instant::ORIGIN);
    let mut driver = Driver::new(machine, Script { room: 1000, ..Script::default() });
    assert!(driver.next(Instant::ORIGIN).expect("open").is_none());
    assert!(driver.next(Instant::from_origin(second)).expect("open").is_none());
    assert!(!driver.socket().written.is_empty(), "a ping");
    let late = Instant::from_origin(Duration::from_secs(3600));
    driver.socket().reads.push_back(Ok(message("I live")));
    assert_eq!(text(driver.wait(|| late).expect("not given up")), "I live");
}

#[test]
fn after_a_long_time_a_message_that_had_begun_has_the_time_that_it_had_left() {
    let limit = Duration::from_secs(10);
    let config = Config { ping: PingRule::Off, message_timeout: limit, ..Config::default() };
    let mut driver = Driver::new(Connection::new(config, Instant::ORIGIN), Script::default());
    let bytes = message("hello");
    driver.socket().reads.push_back(Ok(bytes[..4].to_vec()));
    assert!(driver.next(Instant::ORIGIN).expect("open").is_none());

    // the loop was busy elsewhere for an hour, in which the peer could not write the rest
    let late = Instant::from_origin(Duration::from_secs(3600));
    driver.ready();
    driver.socket().reads.push_back(Ok(bytes[4..6].to_vec()));
    assert!(driver.next(late).expect("not given up").is_none());

    driver.ready();
    driver.socket().reads.push_back(Ok(bytes[6..].to_vec()));
    let soon = late + Duration::from_secs(9);
    assert_eq!(text(driver.next(soon).expect("within its time")), "hello");
}
