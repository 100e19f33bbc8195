//! tungstenite as the other end, with the handshake, over memory.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Error, Incoming, Request, Response};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::{Message, WebSocket};

use crate::{binary, closed, text};

/// tungstenite's end of the wire; where nothing is to be read it would block.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Bytes>>);

#[derive(Default)]
struct Bytes {
    /// To tungstenite.
    to: Vec<u8>,
    /// From it.
    from: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.to.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = into.len().min(wire.to.len());
        into[..count].copy_from_slice(&wire.to[..count]);
        wire.to.drain(..count);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().from.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Our end.
struct Ours {
    machine: Connection,
    rx: RecvBuf,
    wire: Wire,
}

impl Ours {
    fn new(machine: Connection) -> Self {
        Self { machine, rx: RecvBuf::new(), wire: Wire::default() }
    }

    fn write(&mut self) {
        let tx = self.machine.tx();
        let queued = tx.remaining();
        self.wire.0.borrow_mut().to.extend_from_slice(&tx.copy_to_bytes(queued));
    }

    /// Takes what tungstenite wrote, and writes.
    fn take(&mut self) -> Result<Option<Incoming>, Error> {
        self.rx.feed(&std::mem::take(&mut self.wire.0.borrow_mut().from));
        let polled = self.machine.poll(&mut self.rx, Instant::ORIGIN);
        self.write();
        polled.map(Polled::incoming)
    }
}

/// A conversation behind the handshake: text and data both ways, a Ping each, and the end from our
/// side or theirs.
fn converse(mut ours: Ours, mut theirs: WebSocket<Wire>, we_close: bool) {
    let large: Vec<u8> = (0..200_000).map(|n| n as u8).collect();
    theirs.send(Message::text("κόσμε")).expect("sent");
    theirs.send(Message::binary(large.clone())).expect("sent");
    theirs.send(Message::Ping("?".into())).expect("sent");
    assert_eq!(ours.take(), Ok(Some(text("κόσμε"))));
    assert_eq!(ours.take(), Ok(Some(binary(&large))));
    assert_eq!(ours.take(), Ok(None));
    assert_eq!(theirs.read().expect("a pong"), Message::Pong("?".into()));

    ours.machine.send_text_parts(&["a".into(), "b".repeat(70_000).into()]).expect("room");
    ours.machine.send_binary(&large.clone().into()).expect("room");
    ours.machine.ping(b"!").expect("room");
    ours.write();
    assert_eq!(theirs.read().expect("a text"), Message::text("a".to_owned() + &"b".repeat(70_000)));
    assert_eq!(theirs.read().expect("data"), Message::binary(large));
    assert_eq!(theirs.read().expect("a ping"), Message::Ping("!".into()));
    theirs.flush().expect("the pong is written");
    assert_eq!(ours.take(), Ok(Some(Incoming::Pong("!".into()))));

    if we_close {
        ours.machine.close_with(4001, "enough").expect("open");
        ours.write();
        let Message::Close(Some(frame)) = theirs.read().expect("a Close") else { panic!() };
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4001, "enough"));
        let _ = theirs.flush();
        // it sends the reason back too
        assert_eq!(ours.take(), Ok(Some(closed(4001, "enough"))));
    } else {
        theirs.close(None).expect("sent");
        assert_eq!(ours.take(), Ok(Some(closed(None, ""))));
        assert_eq!(theirs.read().expect("a Close"), Message::Close(None));
    }
    assert_eq!(ours.take(), Err(Error::Closed));
}

fn server_with_client() -> (Ours, WebSocket<Wire>) {
    let mut ours = Ours::new(Connection::accept(Config::default(), Instant::ORIGIN));
    let mut request = "ws://plant:81/ws?x=1".into_client_request().expect("a request");
    request.headers_mut().insert("Sec-WebSocket-Protocol", "a, b".parse().expect("a value"));
    let Err(HandshakeError::Interrupted(waiting)) = tungstenite::client(request, ours.wire.clone())
    else {
        panic!("it has no answer yet")
    };
    let Ok(Some(Incoming::Request(request))) = ours.take() else { panic!("no request") };
    assert_eq!((&*request.host, &*request.path), ("plant:81", "/ws?x=1"));
    assert_eq!(request.subprotocols, ["a", "b"]);
    let response = Response { subprotocol: Some("b".into()), ..Response::default() };
    ours.machine.confirm(&response).expect("it waits");
    ours.write();
    let (theirs, response) = waiting.handshake().expect("it takes the answer");
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "b");
    (ours, theirs)
}

fn client_with_server() -> (Ours, WebSocket<Wire>) {
    let request =
        Request { headers: vec![("X".into(), "y".into())], ..Request::new("plant:81", "/ws") };
    let machine =
        Connection::connect(Config::default(), request, Instant::ORIGIN).expect("it can be sent");
    let mut ours = Ours::new(machine);
    ours.write();
    let theirs = tungstenite::accept(ours.wire.clone()).expect("it takes the request");
    assert!(matches!(ours.take(), Ok(Some(Incoming::Open(_)))));
    (ours, theirs)
}

#[test]
fn our_server() {
    for we_close in [true, false] {
        let (ours, theirs) = server_with_client();
        converse(ours, theirs, we_close);
    }
}

#[test]
fn our_client() {
    for we_close in [true, false] {
        let (ours, theirs) = client_with_server();
        converse(ours, theirs, we_close);
    }
}
