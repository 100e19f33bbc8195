//! A Chatter echo server on `calloop`, the event loop of Wayland compositors: `cargo run -p
//! hat-core --example chatter_calloop -- 127.0.0.1:23013`.
//!
//! The loop tells which socket can be read; what to do then, and when to wake up, the machines say.

use std::collections::BTreeMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant as Clock};

use calloop::generic::Generic;
use calloop::{EventLoop, Interest, LoopHandle, Mode, PostAction, RegistrationToken};
use hat_core::chatter::{Config, Connection, Incoming, SendOptions};
use hat_core::driver::Driver;
use hat_core::time::Instant;

type Peers = BTreeMap<u64, Peer>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:23013".into());
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);

    let (mut event_loop, origin) = (EventLoop::<Peers>::try_new()?, Clock::now());
    let (handle, mut last_key) = (event_loop.handle(), 0);
    let listening = Generic::new(listener, Interest::READ, Mode::Level);
    event_loop.handle().insert_source(listening, move |_, listener, peers| {
        while let Ok((socket, _)) = listener.accept() {
            last_key += 1;
            let now = Instant::from_origin(origin.elapsed());
            peers.insert(last_key, Peer::new(socket, last_key, &handle, now)?);
        }
        Ok(PostAction::Continue)
    })?;

    let mut peers = Peers::new();
    loop {
        let deadline = peers.values().filter_map(|peer| peer.driver.deadline()).min();
        let wait = deadline.map(|at| at.since_origin().saturating_sub(origin.elapsed()));
        // a deadline is kept to the millisecond above
        event_loop.dispatch(wait.map(|wait| wait + Duration::from_millis(1)), &mut peers)?;
        let (now, handle) = (Instant::from_origin(origin.elapsed()), event_loop.handle());
        peers.retain(|_, peer| match peer.turn(now) {
            Ok(()) => true,
            Err(end) => {
                println!("{end}");
                handle.remove(peer.source);
                false
            }
        });
    }
}

struct Peer {
    source: RegistrationToken,
    driver: Driver<Connection, TcpStream>,
}

impl Peer {
    fn new(
        socket: TcpStream,
        key: u64,
        handle: &LoopHandle<'_, Peers>,
        now: Instant,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let source = Generic::new(socket.try_clone()?, Interest::BOTH, Mode::Edge);
        let source = handle.insert_source(source, move |ready, _, peers: &mut Peers| {
            // the loop tells once
            if let Some(peer) = peers.get_mut(&key)
                && ready.readable
            {
                peer.driver.ready();
            }
            Ok(PostAction::Continue)
        });
        let source = source.map_err(io::Error::other)?;
        let machine = Connection::new(Config::default(), now);
        Ok(Self { source, driver: Driver::new(machine, socket) })
    }

    /// Sends every message back, until nothing moves.
    fn turn(&mut self, now: Instant) -> Result<(), Box<dyn std::error::Error>> {
        while let Some(incoming) = self.driver.next(now)? {
            if let Incoming::Message(message) = incoming {
                self.driver.machine().send(message.data, SendOptions::default())?;
            }
        }
        Ok(())
    }
}
