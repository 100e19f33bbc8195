//! The buffer that a driver reads into: how much at a time, and into which memory.
//!
//! ```text
//! asked for   2 KiB ──full──> 4 KiB ── … ──> 64 KiB          a quiet connection holds little
//!               <── two short in a row ──                    one is the end of a message
//! memory      a block that the          its own              a block that the thread uses again
//!             thread uses again
//! ```
//!
//! What is announced takes no memory: the buffer is doubled when it is full. And what is kept of a
//! read keeps little more: where few bytes came, they get memory of their own, and the large one
//! takes the next read.

use std::io;
use std::mem;
use std::task::{Context, Poll, ready};

use crate::buffer_pool::{self, KeptBlock, Pool};
use crate::runtime::Stream;
use bytes::BytesMut;
use hat_core::buffer::RecvBuf;

/// Bytes that one read asks for: the least, so that an idle connection holds little, and the most.
const READ: std::ops::RangeInclusive<usize> = buffer_pool::SMALL..=buffer_pool::SIZE;

/// Bytes that one read takes of a message that is known to be large.
const LARGE_READ: usize = 256 * 1024;

/// A read that fills no more than this part of its memory is moved to memory of its own, or each
/// message of one byte that somebody keeps would keep all of it.
const FEW: usize = 16;

/// Memory of which that much may be kept, bytes: what a message of the smallest read takes anyhow.
const SMALL: usize = 2 * *READ.start();

/// What was read and not taken yet, and what the next read will be.
pub(crate) struct ReadBuffer {
    pub(crate) rx: RecvBuf,
    /// Bytes that the machine needs before it can go on; zero: nothing is read.
    pub(crate) missing: usize,
    size: Size,
    /// What is read goes to a block of this pool, which is used again.
    pool: Option<Pool>,
    /// Bytes of the memory that `rx` is in, those in front of it that were taken included.
    held: usize,
    /// Bytes that were read in this turn of the driver.
    taken: usize,
    /// The small block that it has between reads is one of those that connections may keep.
    kept: Option<KeptBlock>,
    /// Bytes that the last read took.
    last: usize,
}

impl ReadBuffer {
    pub(crate) fn new() -> Self {
        Self {
            rx: RecvBuf::new(),
            missing: 0,
            size: Size::default(),
            pool: None,
            held: 0,
            taken: 0,
            kept: None,
            last: 0,
        }
    }

    /// The driver has its turn.
    pub(crate) fn begin_turn(&mut self) {
        self.taken = 0;
    }

    /// Nothing was read in this turn, which was for something else: nothing comes in at a rate that
    /// would miss the memory.
    pub(crate) fn is_quiet(&self) -> bool {
        self.taken == 0
    }

    /// The driver waits: memory that is not needed meanwhile goes where others have it. `called`
    /// says that somebody wanted something of the connection in this turn.
    pub(crate) fn end_turn(&mut self, called: bool) {
        let is_quiet = self.is_quiet();
        let is_spare = match self.pool {
            // from a request to its answer, and to the next one, it is kept, as long as not too
            // many are: connections that only have their pings would all have one
            Some(Pool::Small) => (is_quiet && !called) || !self.keep(),
            Some(Pool::Large) => true,
            None => is_quiet,
        };
        if self.rx.bytes.is_empty() && is_spare {
            self.replace(BytesMut::new(), None);
        } else if is_quiet && self.held / 4 > self.rx.bytes.len() + *READ.start() {
            // the start of a message in the memory of those before it
            self.move_to(0);
        }
    }

    /// So much was read in this turn of the driver that those who take it should have their turn,
    /// while it is in the processor's cache. That is worth a seventh of the time at 1 MiB a
    /// message, and who answers part by part begins earlier.
    pub(crate) fn is_enough(&self) -> bool {
        self.taken >= buffer_pool::SIZE
    }

    /// Bytes that the last read took.
    pub(crate) fn last_read(&self) -> usize {
        self.last
    }

    /// Bytes of the memory that a message is in which was read last.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Reads once; what came, the end included, is in `rx`.
    pub(crate) fn poll_read(
        &mut self,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rx.bytes.capacity() == 0 {
            // most turns of a connection that is told things have nothing to read
            ready!(stream.poll_readable(cx));
        }
        let most = self.make_room();
        let count = ready!(stream.poll_read(cx, &mut self.rx.bytes, most))?;
        self.taken += count;
        self.last = count;
        self.rx.eof = count == 0;
        self.size.took(count);
        if self.held > SMALL && self.rx.bytes.len() <= self.held / FEW {
            self.move_to(0);
        }
        Poll::Ready(Ok(()))
    }

    /// Makes room for the next read and gives how many bytes it may take.
    fn make_room(&mut self) -> usize {
        let (missing, bytes) = (self.missing, &mut self.rx.bytes);
        let (here, size) = (bytes.len(), self.size.bytes);
        if size < buffer_pool::SIZE || here.max(missing) > buffer_pool::SIZE / 2 {
            // half of it will do: a read that finds nothing needs no memory at all
            if bytes.capacity() - here < (size / 2).max(missing.min(size)) {
                self.grow(size.max(missing.min(here)));
            }
            let room = self.rx.bytes.capacity() - here;
            return size.max(missing.min(LARGE_READ)).min(room);
        }
        if bytes.capacity() - here < buffer_pool::SIZE / 2
            && !bytes.try_reclaim(buffer_pool::SIZE - here)
        {
            self.replace(Pool::Large.take(), Some(Pool::Large));
        }
        size.min(self.rx.bytes.capacity() - here)
    }

    /// Makes room for `room` bytes more, which are no more than are here, or one read.
    fn grow(&mut self, room: usize) {
        let bytes = &mut self.rx.bytes;
        if bytes.try_reclaim(room) {
            return;
        }
        if bytes.is_empty() && room == buffer_pool::SMALL {
            return self.replace(Pool::Small.take(), Some(Pool::Small));
        }
        if bytes.capacity() < self.held {
            // part of it was taken: doubled, it would be doubled with that
            return self.move_to(room);
        }
        // doubles what is full, and moves pages instead of bytes where it can
        bytes.reserve(room);
        self.kept = None;
        self.pool = None;
        self.held = bytes.capacity();
    }

    /// Moves what is here to memory of its own, with room for `room` bytes more.
    fn move_to(&mut self, room: usize) {
        self.replace(BytesMut::with_capacity(self.rx.bytes.len() + room), None);
    }

    /// Whether its small block is one of those that are kept.
    fn keep(&mut self) -> bool {
        self.kept = self.kept.take().or_else(KeptBlock::new);
        self.kept.is_some()
    }

    /// Moves what is here to `memory`, which is of `pool`, or its own.
    fn replace(&mut self, mut memory: BytesMut, pool: Option<Pool>) {
        self.kept = None;
        if !self.rx.bytes.is_empty() {
            memory.extend_from_slice(&self.rx.bytes);
        }
        self.held = memory.capacity();
        let spent = mem::replace(&mut self.rx.bytes, memory);
        if let Some(pool) = mem::replace(&mut self.pool, pool) {
            pool.give(spent);
        }
    }
}

/// How much a read asks for.
#[derive(Debug)]
struct Size {
    bytes: usize,
    /// The last read took little of it.
    short: bool,
}

impl Default for Size {
    fn default() -> Self {
        Self { bytes: *READ.start(), short: false }
    }
}

impl Size {
    /// A read took `count` bytes.
    fn took(&mut self, count: usize) {
        let short = count < self.bytes / 4;
        // the rest of a message that was a little too large for the read before is no sign of
        // smaller ones
        if count >= self.bytes {
            self.bytes = (self.bytes * 2).min(*READ.end());
        } else if short && self.short {
            self.bytes = (self.bytes / 2).max(*READ.start());
        }
        self.short = short;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::IoSlice;
    use std::net::SocketAddr;
    use std::task::Waker;

    use allocation_counter::measure;
    use bytes::{Buf, Bytes};
    use hat_core::chatter::{self, Data, SendOptions};
    use hat_core::eventer::server;
    use hat_core::protocol::{Polled, Protocol};
    use hat_core::time::Instant;
    use hat_core::{cotp, tpkt, ws};

    use super::*;
    use crate::buffer_pool::MOST_KEPT;

    /// What a peer sent, read by read.
    struct Sent(VecDeque<Vec<u8>>);

    impl Stream for Sent {
        fn poll_read(
            &mut self,
            _cx: &mut Context<'_>,
            into: &mut BytesMut,
            most: usize,
        ) -> Poll<io::Result<usize>> {
            let Some(next) = self.0.front_mut() else { return Poll::Pending };
            let count = next.len().min(most);
            into.extend_from_slice(&next[..count]);
            next.drain(..count);
            if next.is_empty() {
                self.0.pop_front();
            }
            Poll::Ready(Ok(count))
        }

        fn poll_write(
            &mut self,
            _cx: &mut Context<'_>,
            _parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::NotConnected.into())
        }

        fn peer_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::NotConnected.into())
        }
    }

    /// A machine whose peer sends, and what it gave.
    struct FedMachine<M: Protocol> {
        machine: M,
        input: ReadBuffer,
        incoming: Vec<M::Incoming>,
    }

    impl<M: Protocol> FedMachine<M> {
        fn new(machine: M) -> Self {
            Self { machine, input: ReadBuffer::new(), incoming: Vec::new() }
        }

        /// Feeds it as the driver does until there is no more, and looks at what is held after
        /// each read.
        fn feed(&mut self, sent: &[u8], grain: usize, look: impl Fn(usize, usize)) {
            let mut stream = Sent(sent.chunks(grain).map(<[u8]>::to_vec).collect());
            let mut cx = Context::from_waker(Waker::noop());
            self.input.begin_turn();
            loop {
                self.input.missing = loop {
                    match self.machine.poll(&mut self.input.rx, Instant::ORIGIN) {
                        Ok(Polled::Incoming(incoming)) => self.incoming.push(incoming),
                        Ok(Polled::Needs(missing)) => break missing,
                        Ok(Polled::HeldUp) => panic!("held up"),
                        Err(_) => panic!("over a limit"),
                    }
                };
                if self.input.poll_read(&mut stream, &mut cx).is_pending() {
                    return self.input.end_turn(false);
                }
                look(self.input.held, self.input.rx.bytes.len());
            }
        }

        /// The driver is woken, and there is nothing to be read.
        fn wake(&mut self) {
            self.feed(b"", 1, |_, _| {});
        }
    }

    /// Chatter's front of a message of 64 MiB, and so Eventer's.
    const MESSAGE: &[u8] = b"\x04\x03\xff\xff\xff";
    /// A packet of 65 535 bytes, of TPKT and of COTP: there are none longer.
    const PACKET: &[u8] = b"\x03\x00\xff\xff\x02";
    /// A masked frame of 64 MiB, binary.
    const FRAME: &[u8] = b"\x82\xff\x00\x00\x00\x00\x03\xff\xff\xff\x00\x00\x00\x00";

    fn chatter() -> chatter::Connection {
        chatter::Connection::new(chatter::Config::default(), Instant::ORIGIN)
    }

    /// What connections of each protocol hold that were sent a front, and then so much.
    fn held(body: usize, grain: usize, look: impl Fn(usize, usize) + Copy) -> [usize; 5] {
        fn held<M: Protocol>(
            machine: M,
            (front, body): (&[u8], usize),
            grain: usize,
            look: impl Fn(usize, usize),
        ) -> usize {
            let mut fed = FedMachine::new(machine);
            fed.feed(&[front, &vec![0; body]].concat(), grain, look);
            assert!(fed.incoming.is_empty() && fed.input.rx.bytes.len() <= front.len() + body);
            fed.input.held
        }
        let now = Instant::ORIGIN;
        let eventer = server::Connection::new(server::Config::default(), now);
        let packet = (PACKET, body.min(60_000));
        let cotp = cotp::Connection::accept(cotp::Config::default(), now).expect("a CC fits");
        let web = ws::Connection::established(ws::Role::Server, ws::Config::default(), now);
        [
            held(chatter(), (MESSAGE, body), grain, look),
            held(eventer, (MESSAGE, body), grain, look),
            held(tpkt::Connection::new(tpkt::Config::default()), packet, grain, look),
            held(cotp, packet, grain, look),
            held(web, (FRAME, body), grain, look),
        ]
    }

    /// A hundred connections that announce 64 MiB each and send no more than that.
    #[test]
    fn what_is_announced_takes_no_memory() {
        for held in held(0, 5, |_, _| {}) {
            assert!(100 * held <= 100 * 4 * 1024, "{held} bytes a connection");
        }
    }

    /// 10 MB of 64 MiB, read in small and in large pieces.
    #[test]
    fn what_arrives_takes_twice_as_much_at_the_most() {
        let sent = if cfg!(miri) { 300_000 } else { 10_000_000 };
        for grain in [1_000, 65_536, 1 << 20] {
            let look = |held: usize, here: usize| {
                assert!(held <= 2 * (here + buffer_pool::SIZE), "{held} bytes for {here}");
            };
            for held in held(sent, grain, look) {
                assert!(held <= 2 * (sent + buffer_pool::SIZE), "{held} bytes for {sent}");
            }
        }
    }

    /// A message of `len` bytes, as a peer sends it.
    fn message(len: usize) -> Bytes {
        let mut peer = chatter();
        let data = Data::new("x", Bytes::from(vec![7; len]));
        peer.send(data, SendOptions::default()).expect("room");
        let len = peer.tx().len();
        peer.tx().copy_to_bytes(len)
    }

    #[test]
    fn the_front_of_a_message_keeps_nothing_of_the_one_before_it() {
        let mut fed = FedMachine::new(chatter());
        fed.feed(&[&message(4_000_000)[..], MESSAGE].concat(), 1 << 20, |_, _| {});
        assert!(matches!(fed.incoming.pop(), Some(chatter::Incoming::Message(_))));
        fed.wake();
        assert_eq!(fed.input.rx.bytes, MESSAGE);
        assert!(fed.input.held <= 4 * 1024, "{} bytes", fed.input.held);
    }

    /// More connections than may keep a block, of which each has had one message.
    #[test]
    fn idle_connections_keep_a_few_blocks_and_quiet_ones_none() {
        let message = message(1);
        let mut all: Vec<_> = (0..=MOST_KEPT).map(|_| FedMachine::new(chatter())).collect();
        all.iter_mut().for_each(|fed| fed.feed(&message, usize::MAX, |_, _| {}));
        let has_block = |fed: &&FedMachine<_>| fed.input.rx.bytes.capacity() > 0;
        let kept = all.iter().filter(has_block).count();
        assert!((1..=MOST_KEPT).contains(&kept), "{kept} blocks");
        all.iter_mut().for_each(FedMachine::wake);
        assert_eq!(all.iter().filter(has_block).count(), 0);
        // and others may keep them
        let last = all.last_mut().expect("there are some");
        last.feed(&message, usize::MAX, |_, _| {});
        assert!(has_block(&&*last));
    }

    /// A thousand messages of one byte that the application does not take, each read on its own by
    /// a connection that read a lot before.
    #[test]
    fn a_message_that_is_kept_keeps_no_block() {
        let (large, small) = (message(60_000), message(1));
        let mut fed = FedMachine::new(chatter());
        let info = measure(|| {
            for _ in 0..1_000 {
                while fed.input.size.bytes < buffer_pool::SIZE {
                    fed.feed(&large, usize::MAX, |_, _| {});
                    fed.incoming.clear();
                }
                fed.feed(&small, usize::MAX, |_, _| {});
                // the next read finds it kept
                let kept = fed.incoming.pop();
                std::mem::forget(kept);
            }
        });
        let kept = info.bytes_current;
        assert!(kept < 1_000 * 1_024, "{kept} bytes are kept");
    }

    /// The sizes after reads of these counts.
    fn after(counts: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut size = Size::default();
        let after = |count| {
            size.took(count);
            size.bytes
        };
        counts.into_iter().map(after).collect()
    }

    #[test]
    fn reads_grow_with_what_comes_and_shrink_again() {
        assert_eq!(
            after([2048, 4000, 4096, 8192, 16384, 32768, 65536]),
            [4096, 4096, 8192, 16384, 32768, 65536, 65536]
        );
        assert_eq!(after([2048, 4096, 8, 8, 8, 8]), [4096, 8192, 8192, 4096, 2048, 2048]);
    }

    /// 64 KiB in TPDUs of 2 KiB are 231 octets more than a read takes.
    #[test]
    fn the_end_of_a_message_does_not_shrink_the_next_read() {
        let grown = [2048, 4096, 8192, 16384, 32768];
        let messages = [65536, 231].repeat(3);
        assert_eq!(after(grown.into_iter().chain(messages))[4..], [65536; 7]);
    }
}
