//! The network of a world: listeners, connections, and what goes wrong with them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hat_aio::SocketOptions;

use super::SimulatedStream;
use super::world::{Event, Inner, World};
use crate::simulation::Shape;

/// How long a system goes on trying to send to a host that does not answer: some 15 minutes on
/// Linux.
const RETRANSMITTING: Duration = Duration::from_secs(924);

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndId {
    connection: u64,
    /// 0 called 1.
    side: usize,
}

impl EndId {
    /// The other end of the connection.
    #[must_use]
    pub fn peer(self) -> Self {
        Self { side: 1 - self.side, ..self }
    }
}

impl fmt::Display for EndId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.connection, ['a', 'b'][self.side])
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// A connection fails, at this end now and at the other a latency later. What is on its way is
    /// lost, and where the flag says so, what has arrived too.
    Reset(EndId, bool),
    /// Nothing arrives at this end for a time; it comes later.
    Outage(EndId, Duration),
    /// The cable is cut: nothing arrives at either end any more, until their systems give up.
    Cut(EndId),
    /// The machine sleeps: nothing runs, and time goes on.
    Jump(Duration),
    /// Some task does not run for a time: the thread that it is on is busy.
    Freeze(Duration),
}

#[derive(Default)]
pub(super) struct Net {
    listeners: BTreeMap<SocketAddr, ListenerState>,
    connections: BTreeMap<u64, [End; 2]>,
    next_connection: u64,
    next_port: u16,
}

#[derive(Default)]
struct ListenerState {
    backlog: VecDeque<EndId>,
    waker: Option<Waker>,
}

/// One end, and what travels towards it.
struct End {
    address: SocketAddr,
    /// Its stream was not dropped.
    is_open: bool,
    /// Our side is ended.
    is_shut: bool,
    failed: Option<ErrorKind>,
    /// The failure was told, by a read.
    is_told: bool,
    keepalive: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// A write that is done at this time, of so many bytes.
    completing: Option<(Duration, usize)>,
    shape: Shape,
    /// Pieces on their way; `None` is the end of the stream.
    flying: VecDeque<(Duration, Option<Bytes>)>,
    flying_len: usize,
    /// What arrived and was not read.
    here: BytesMut,
    /// The end has arrived: behind `here` nothing comes.
    is_ended: bool,
    /// Nothing arrives before this.
    outage: Duration,
    /// Nothing arrives at all.
    is_cut: bool,
}

impl End {
    fn new(address: SocketAddr, shape: Shape, keepalive: bool) -> Self {
        Self {
            address,
            is_open: true,
            is_shut: false,
            failed: None,
            is_told: false,
            keepalive,
            reader: None,
            writer: None,
            completing: None,
            shape,
            flying: VecDeque::new(),
            flying_len: 0,
            here: BytesMut::new(),
            is_ended: false,
            outage: Duration::ZERO,
            is_cut: false,
        }
    }

    fn room(&self) -> usize {
        self.shape.window.saturating_sub(self.flying_len + self.here.len())
    }

    fn lose(&mut self, all: bool) {
        self.flying.clear();
        self.flying_len = 0;
        if all {
            // whoever loses what arrived is told no end behind it
            self.here.clear();
            self.is_ended = false;
        }
    }

    fn wake(&mut self) -> Vec<Waker> {
        self.reader.take().into_iter().chain(self.writer.take()).collect()
    }
}

impl Net {
    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty() && self.open() == 0
    }

    /// Ends whose streams are not dropped.
    fn open(&self) -> usize {
        self.connections.values().flatten().filter(|end| end.is_open).count()
    }

    fn end(&mut self, id: EndId) -> Option<&mut End> {
        self.connections.get_mut(&id.connection).map(|ends| &mut ends[id.side])
    }

    pub(super) fn wake_writer(&mut self, id: EndId) -> Vec<Waker> {
        self.end(id).and_then(|end| end.writer.take()).into_iter().collect()
    }

    fn any_end(&self, index: usize) -> Option<EndId> {
        let connection = *self.connections.keys().nth(index / 2)?;
        Some(EndId { connection, side: index % 2 })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} listeners, {} open sockets", self.listeners.len(), self.open())
    }
}

/// A listener of [`Simulated`](super::Simulated).
pub struct SimulatedListener {
    world: World,
    address: SocketAddr,
}

pub(super) fn bind(world: &World, address: SocketAddr) -> io::Result<SimulatedListener> {
    let mut inner = world.lock();
    let mut address = address;
    if address.port() == 0 {
        inner.net.next_port += 1;
        address.set_port(1024 + inner.net.next_port);
    }
    if inner.net.listeners.contains_key(&address) {
        return Err(ErrorKind::AddrInUse.into());
    }
    inner.net.listeners.insert(address, ListenerState::default());
    drop(inner);
    Ok(SimulatedListener { world: world.clone(), address })
}

pub(super) fn connect(
    world: &World,
    address: SocketAddr,
    options: &SocketOptions,
) -> io::Result<SimulatedStream> {
    let mut inner = world.lock();
    if !inner.net.listeners.contains_key(&address) {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    let habits = inner.habits;
    let shapes = [(); 2].map(|()| habits.shape(&mut inner.random));
    inner.net.next_connection += 1;
    let connection = inner.net.next_connection;
    let ours = SocketAddr::from(([10, 0, 1, 0], 1024 + (connection % 60_000) as u16));
    let keepalive = options.keepalive.is_some();
    let ends = [End::new(ours, shapes[0], keepalive), End::new(address, shapes[1], false)];
    inner.net.connections.insert(connection, ends);
    let [client, server] = [0, 1].map(|side| EndId { connection, side });
    inner.note(&[connection], || format!("{client} called {server}: {shapes:?}"));
    let listening = inner.net.listeners.get_mut(&address).expect("it was just there");
    listening.backlog.push_back(server);
    let waker = listening.waker.take();
    drop(inner);
    waker.into_iter().for_each(Waker::wake);
    Ok(SimulatedStream::new(world.clone(), client))
}

impl SimulatedListener {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn accept(
        &self,
        options: &SocketOptions,
    ) -> io::Result<(SimulatedStream, SocketAddr)> {
        let next = poll_fn(|cx| {
            let mut inner = self.world.lock();
            let errors = inner.habits.accept_errors;
            let fails = inner.random.chance(errors);
            let listening = inner.net.listeners.get_mut(&self.address).expect("it listens");
            match listening.backlog.front() {
                None => listening.waker = Some(cx.waker().clone()),
                Some(_) if fails => return Poll::Ready(Err(io::Error::other("no descriptors"))),
                Some(_) => {}
            }
            listening.backlog.pop_front().map_or(Poll::Pending, |end| Poll::Ready(Ok(end)))
        });
        let id = next.await?;
        let mut inner = self.world.lock();
        let keepalive = options.keepalive.is_some();
        inner.net.end(id).expect("nobody dropped it").keepalive = keepalive;
        let peer = inner.net.end(id.peer()).expect("they live together").address;
        drop(inner);
        Ok((SimulatedStream::new(self.world.clone(), id), peer))
    }
}

impl Drop for SimulatedListener {
    fn drop(&mut self) {
        let backlog = {
            let mut inner = self.world.lock();
            inner.net.listeners.remove(&self.address).map(|it| it.backlog).unwrap_or_default()
        };
        // what nobody took is reset
        for end in backlog {
            self.world.fault(Fault::Reset(end, true));
            self.world.close(end);
        }
    }
}

/// What sockets do.
impl World {
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        id: EndId,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        if inner.yields() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let now = inner.now;
        let end = inner.net.end(id).expect("its stream lives");
        if !end.here.is_empty() {
            // what lies here is taken in some hundred reads at the most
            let read = end.shape.read.max(end.here.len() / 256);
            let read = if end.shape.read == 0 { most } else { read.min(most) };
            let count = read.min(end.here.len());
            into.extend_from_slice(&end.here.split_to(count));
            let at = now + end.shape.latency;
            inner.plan(at, Event::Room(id.peer()));
            inner.note(&[id.connection, count as u64], || format!("{id} reads {count}"));
            return Poll::Ready(Ok(count));
        }
        if let Some(kind) = end.failed {
            if std::mem::replace(&mut end.is_told, true) {
                return Poll::Ready(Ok(0));
            }
            inner.note(&[id.connection], || format!("{id} reads {kind:?}"));
            return Poll::Ready(Err(kind.into()));
        }
        if end.is_ended {
            inner.note(&[id.connection], || format!("{id} reads the end"));
            return Poll::Ready(Ok(0));
        }
        end.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        id: EndId,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        if inner.yields() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Inner { net, now, habits, .. } = &mut *inner;
        let (now, completes) = (*now, habits.completes_writes);
        let [end, peer] = net.both(id);
        if let Some(kind) = end.failed {
            return Poll::Ready(Err(if end.is_told { ErrorKind::BrokenPipe } else { kind }.into()));
        }
        let all: usize = parts.iter().map(|part| part.len()).sum();
        let room = peer.room();
        if room == 0 {
            end.writer = Some(cx.waker().clone());
            inner.note(&[], || format!("{id} has no room for {all}"));
            return Poll::Pending;
        }
        // and written in some hundred pieces
        let most = peer.shape.piece.max(all / 256);
        let latency = peer.shape.latency;
        if completes {
            let (at, _) = *end.completing.get_or_insert((now + latency, all));
            if at > now {
                end.writer = Some(cx.waker().clone());
                inner.plan(at, Event::Room(id));
                return Poll::Pending;
            }
        }
        let piece = if most > 64 { most } else { inner.random.within(1..=most) };
        let end = inner.net.end(id).expect("its stream lives");
        let asked = end.completing.take().map_or(all, |(_, asked)| asked);
        let count = piece.min(room).min(asked);
        let bytes: Bytes = {
            let mut bytes = BytesMut::with_capacity(count);
            for part in parts {
                let more = part.len().min(count - bytes.len());
                bytes.extend_from_slice(&part[..more]);
            }
            bytes.freeze()
        };
        inner.note(&[id.connection, count as u64], || format!("{id} writes {count} of {all}"));
        inner.send(id.peer(), Some(bytes));
        Poll::Ready(Ok(count))
    }

    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>, id: EndId) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        if inner.yields() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let end = inner.net.end(id).expect("its stream lives");
        if end.failed.is_some() {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        }
        inner.shut(id);
        Poll::Ready(Ok(()))
    }

    /// Our address and the peer's.
    pub(super) fn addresses(&self, id: EndId) -> io::Result<[SocketAddr; 2]> {
        let mut inner = self.lock();
        let [end, peer] = inner.net.both(id);
        match end.failed {
            // as systems do
            Some(_) => Err(ErrorKind::NotConnected.into()),
            None => Ok([end.address, peer.address]),
        }
    }

    /// The stream of this end is dropped.
    pub(super) fn close(&self, id: EndId) {
        let wake = {
            let mut inner = self.lock();
            inner.note(&[id.connection], || format!("{id} is closed"));
            let end = inner.net.end(id).expect("they live together");
            end.is_open = false;
            let unread = !end.here.is_empty();
            end.reader = None;
            end.writer = None;
            let wake = match unread {
                // as systems do: the peer is told that what it sent was not read
                true => inner.reset_peer(id),
                false => {
                    inner.shut(id);
                    Vec::new()
                }
            };
            inner.forget(id);
            wake
        };
        wake.into_iter().for_each(Waker::wake);
    }
}

impl Net {
    /// This end, and the other one.
    fn both(&mut self, id: EndId) -> [&mut End; 2] {
        let ends = self.connections.get_mut(&id.connection).expect("its stream lives");
        ends.get_disjoint_mut([id.side, 1 - id.side]).expect("two ends")
    }
}

/// What happens in the network.
impl Inner {
    /// A read or write that is pending for no reason, as budgets of runtimes have it.
    fn yields(&mut self) -> bool {
        let yields = self.habits.yields;
        self.random.chance(yields)
    }

    /// Something travels towards `to`.
    fn send(&mut self, to: EndId, piece: Option<Bytes>) {
        let Self { net, random, now, .. } = self;
        let Some(end) = net.end(to) else { return };
        let earliest = *now + end.shape.latency + random.duration(end.shape.jitter);
        let at = end.flying.back().map_or(earliest, |&(last, _)| earliest.max(last));
        end.flying_len += piece.as_ref().map_or(0, Bytes::len);
        end.flying.push_back((at, piece));
        self.plan(at, Event::Arrive(to));
    }

    /// Ends the side of `id`, once.
    fn shut(&mut self, id: EndId) {
        let Some(end) = self.net.end(id) else { return };
        if end.failed.is_none() && !std::mem::replace(&mut end.is_shut, true) {
            self.note(&[id.connection], || format!("{id} ends its side"));
            self.send(id.peer(), None);
        }
    }

    pub(super) fn arrive(&mut self, id: EndId) -> Vec<Waker> {
        let now = self.now;
        let Some(end) = self.net.end(id) else { return Vec::new() };
        if end.is_cut || end.failed.is_some() {
            return Vec::new();
        }
        if now < end.outage {
            let at = end.outage;
            self.plan(at, Event::Arrive(id));
            return Vec::new();
        }
        let mut arrived = 0;
        while let Some((_, piece)) = end.flying.pop_front_if(|(at, _)| *at <= now) {
            match piece {
                None => end.is_ended = true,
                Some(bytes) => {
                    arrived += bytes.len();
                    end.here.extend_from_slice(&bytes);
                }
            }
        }
        end.flying_len -= arrived;
        if !end.is_open && arrived > 0 {
            // nobody is there to read it
            end.here.clear();
            return self.reset_peer(id);
        }
        let wake = end.reader.take();
        self.forget(id);
        wake.into_iter().collect()
    }

    /// The peer of `id` learns, a latency later, that nobody reads at `id`.
    fn reset_peer(&mut self, id: EndId) -> Vec<Waker> {
        let loses = self.random.chance(50);
        let now = self.now;
        let Some(peer) = self.net.end(id.peer()) else { return Vec::new() };
        let at = now + peer.shape.latency;
        if loses {
            peer.lose(false);
        }
        self.plan(at, Event::Fail(id.peer(), ErrorKind::ConnectionReset));
        Vec::new()
    }

    pub(super) fn fail(&mut self, id: EndId, kind: ErrorKind) -> Vec<Waker> {
        let Some(end) = self.net.end(id) else { return Vec::new() };
        if end.failed.is_some() {
            return Vec::new();
        }
        // what is in order behind the end was an end
        if end.is_ended && end.is_shut {
            return Vec::new();
        }
        end.failed = Some(kind);
        end.flying.clear();
        end.flying_len = 0;
        let wake = end.wake();
        self.note(&[id.connection], || format!("{id} fails: {kind:?}"));
        self.forget(id);
        wake
    }

    /// A connection that nobody has, and on which nothing travels that matters, is gone.
    fn forget(&mut self, id: EndId) {
        let gone = self
            .net
            .connections
            .get(&id.connection)
            .is_some_and(|ends| ends.iter().all(|end| !end.is_open));
        if gone {
            self.net.connections.remove(&id.connection);
        }
    }

    /// Any fault, at any connection.
    pub(super) fn any_fault(&mut self) -> Option<Fault> {
        let most = self.random.pick(&[1, 10, 100]);
        let time = self.random.duration(Duration::from_secs(most));
        let kind = self.random.below(8);
        let index = self.random.below((2 * self.net.connections.len()).max(1));
        let all = self.random.chance(50);
        Some(match kind {
            0 => Fault::Jump(time),
            1 | 2 => Fault::Freeze(time),
            3 | 4 => Fault::Outage(self.net.any_end(index)?, time),
            5 => Fault::Cut(self.net.any_end(index)?),
            _ => Fault::Reset(self.net.any_end(index)?, all),
        })
    }

    /// Carries a fault of the network out.
    pub(super) fn fault(&mut self, fault: Fault) -> Vec<Waker> {
        let now = self.now;
        match fault {
            Fault::Reset(id, all) => {
                for id in [id, id.peer()] {
                    let Some(end) = self.net.end(id) else { continue };
                    end.lose(all);
                    let at = now + end.shape.latency;
                    self.plan(at, Event::Fail(id, ErrorKind::ConnectionReset));
                }
                return self.fail(id, ErrorKind::ConnectionReset);
            }
            Fault::Outage(id, time) => {
                if let Some(end) = self.net.end(id) {
                    end.outage = end.outage.max(now + time);
                }
            }
            Fault::Cut(id) => {
                for id in [id, id.peer()] {
                    let Some(end) = self.net.end(id) else { continue };
                    end.is_cut = true;
                    // keepalive notices on a silent line only; on another the system gives up
                    // sending
                    let silent = end.keepalive && end.flying.is_empty();
                    let after = if silent { Duration::from_secs(9) } else { RETRANSMITTING };
                    self.plan(now + after, Event::Fail(id, ErrorKind::TimedOut));
                }
            }
            Fault::Jump(_) | Fault::Freeze(_) => {}
        }
        Vec::new()
    }
}
