//! The one driver: a task a connection that moves bytes between a socket and a machine.
//!
//! ```text
//! Running ──────────────> Flushing ─────────> ShuttingDown ──> Lingering ──> gone
//!   read, poll, write       what the machine    end of our       until the
//!   until the machine       left in tx, for     side             peer ends its
//!   is over                 a bounded time                       side too
//! ```
//!
//! Reading and writing go on at once: two peers that both send first must not stop each other. What
//! a driver does in one go is bounded, so that other tasks of its thread have their turn.

use std::future::Future;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Buf;

use crate::Error;
use crate::linger::Linger;
use crate::read_buffer::ReadBuffer;
use crate::runtime::{Runtime, Stream, Timer};
use crate::shared::{ConnectionSlot, Delivered, Session, SessionError, Shared, State};
use hat_core::buffer::SendQueue;
use hat_core::protocol::{Polled, Protocol, TooLarge};
use hat_core::time::{Instant, earliest};

/// Rounds of reading and writing before other tasks have their turn, which they may have earlier:
/// see [`ReadBuffer::is_enough`].
const BUDGET: usize = 16;

/// Parts of a send queue that one system call takes: 64 KiB in COTP segments of 2 KiB are 66, and
/// one call instead of two is worth a quarter of the time.
const PARTS: usize = 128;

/// After an error, what the machine left for the peer is written for this long.
const FLUSH: Duration = Duration::from_secs(1);

/// After a close, the peer may take nothing of what is left for this long.
const STALL: Duration = Duration::from_secs(5);

/// The same for a peer that has ended its side of a connection that stays open for sending: it may
/// be slow, and it may be gone.
const HALF_OPEN_STALL: Duration = Duration::from_secs(60);

/// A peer that ends the connection when its messages have waited in the system for this long may
/// have ended it for that. Shorter, and it may as well have said all it had to say.
const BEHIND: Duration = Duration::from_secs(1);

/// A driver that runs so long after the time for something has not run in between, and what its
/// peer had no time for counts anew. Timers are late by [`SLACK`](crate::runtime::SLACK) at most: a
/// peer that sends a byte each time is not to have its time for ever.
const LATE: Duration = Duration::from_secs(1);

/// A timer that is further away than this has not fired: one never fires early, and what two clocks
/// may differ by is less.
const NEAR: Duration = Duration::from_millis(100);

/// After a write that failed, a read is waited for so long: what came before is in the socket, and
/// a runtime hears of that a moment later.
const UNHEARD: Duration = Duration::from_millis(250);

/// Bytes that a system may keep for a reader, as far as known: 6 MiB with Linux's defaults.
const KEPT_BY_SYSTEM: usize = 8 * 1024 * 1024;

enum Phase<R: Runtime> {
    Running,
    Flushing { until: Instant },
    ShuttingDown { until: Instant },
    Lingering(Linger<R>),
}

pub(crate) struct Driver<R: Runtime, S: Session> {
    shared: Arc<Shared<S>>,
    input: ReadBuffer,
    /// Bytes that the machine took of what was read since something was kept of it.
    taken: usize,
    phase: Phase<R>,
    /// The machine wants bytes and there is room for what they become.
    reading: bool,
    /// Our side of the stream is ended.
    shut: bool,
    /// The socket failed: no more reads, or no more writes. Told once the machine has had all that
    /// came before.
    failed: Option<Arc<io::Error>>,
    /// It failed in a read: nothing more comes. That is not an end of the stream, and the machine
    /// is not told one.
    cut: bool,
    /// Since when writes fail, and reads have given nothing more.
    failing_since: Option<Instant>,
    /// Since when there is something to write and the system takes none of it.
    stuck: Option<Instant>,
    /// Since when the connection closes, and since when the peer sends no more: a peer that was
    /// slow before has its time from there on.
    closing_since: Option<Instant>,
    eof_since: Option<Instant>,
    /// Since when nothing was received, of the time in which the socket was read.
    quiet_since: Instant,
    /// The application held the reading up at that time, or we are late: see [`HeldUp`].
    held_up: Option<HeldUp>,
    /// Since when the socket was not read to its end, because the application's inbox was full or
    /// this task did not run.
    behind_since: Option<Instant>,
    /// When the machine was polled last.
    ran: Instant,
    /// Since this task was woken the machine was polled and what it queued written, and nothing is
    /// left but to read what may be there.
    settled: bool,
    /// Somebody was woken for what came, and had no turn yet.
    delivered: bool,
    /// Who was woken the last time had something sent by the next turn of this task.
    answers: bool,
    /// Somebody wanted something of the connection in this turn.
    called: bool,
    /// Things that came in this turn.
    came: usize,
    timer: Option<ArmedTimer<R>>,
    /// For how long nothing may be received.
    idle_timeout: Option<Duration>,
    /// Tasks to wake once the lock is released. Kept for its memory.
    wake: Vec<Waker>,
    _farewell: Farewell<S>,
}

/// Closes the socket when it is dropped, and says that the connection is over. Counts it out of its
/// server first, for who is told looks there.
struct Farewell<S: Session> {
    shared: Arc<Shared<S>>,
    slot: ConnectionSlot,
}

/// Nothing was read for a while: an inbox was full, or this task did not run in time, because its
/// thread was held up, or the whole machine was. What the peer sent in that time, answers to pings
/// say, may still be with the system: the machine's time stands still until that is read, or it
/// would take the peer for silent. What the peer could not even write comes later than that: so the
/// machine is told how long it was, and waits as much longer.
#[derive(Clone, Copy)]
struct HeldUp {
    since: Instant,
    /// The machine is told how long it was: an inbox was full, or this task was late by [`LATE`].
    told: bool,
    /// All that can have come in that time is read.
    over: bool,
    /// Bytes that were read since. With more than the system keeps, what came in that time is here.
    read: usize,
    /// The last read was pending although something has arrived: another one will give it.
    promised: bool,
}

/// A timer that was polled.
struct ArmedTimer<R: Runtime> {
    timer: R::Timer,
    at: Instant,
    /// The task that it wakes.
    task: Waker,
}

/// What a round came to.
enum Round {
    /// Others have their turn, and this task the next one.
    Yield,
    /// Bytes moved, or the phase changed: another round.
    Moved,
    /// Nothing to do before a wake-up.
    Idle,
    /// The driver is done.
    Done,
}

impl<R: Runtime, S: Session> Driver<R, S> {
    pub(crate) fn new(shared: Arc<Shared<S>>, slot: ConnectionSlot) -> Self {
        let farewell = Farewell { shared: shared.clone(), slot };
        let idle_timeout = shared.stream().as_deref().and_then(Stream::idle_timeout);
        Self {
            shared,
            input: ReadBuffer::new(),
            taken: 0,
            phase: Phase::Running,
            reading: false,
            shut: false,
            failed: None,
            cut: false,
            failing_since: None,
            stuck: None,
            closing_since: None,
            eof_since: None,
            quiet_since: Instant::ORIGIN,
            held_up: None,
            behind_since: None,
            ran: Instant::ORIGIN,
            settled: false,
            delivered: false,
            answers: false,
            called: false,
            came: 0,
            timer: None,
            idle_timeout,
            wake: Vec::new(),
            _farewell: farewell,
        }
    }

    fn turn(
        &mut self,
        shared: &Shared<S>,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.input.begin_turn();
        self.called = false;
        self.settled = false;
        self.came = 0;
        for _ in 0..BUDGET {
            match self.round(shared, stream, cx) {
                Round::Yield => break,
                Round::Moved if self.input.is_enough() => break,
                Round::Moved => {}
                Round::Idle => {
                    self.end_turn();
                    return Poll::Pending;
                }
                Round::Done => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// This task waits: what is not needed meanwhile is given back.
    fn end_turn(&mut self) {
        self.input.end_turn(self.called);
        if self.input.is_quiet() && !self.called {
            self.shared.lock().session.rest();
        }
    }

    fn round(
        &mut self,
        shared: &Shared<S>,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
    ) -> Round {
        match &mut self.phase {
            Phase::Running => {
                let asked = self.reading;
                let read = asked && self.read(stream, cx);
                let is_judged = self.held_up.is_some() || self.failed.is_some();
                if self.settled && !read && !is_judged {
                    // nothing has come since then; a call would have woken this task again
                    return Round::Idle;
                }
                let round = self.exchange(shared, stream, cx, read);
                self.settled = matches!(round, Round::Idle);
                match round {
                    // what they answer is written, and the socket looked at, in one go
                    Round::Idle if read && self.delivered && self.answers => Round::Yield,
                    // a socket that was not asked will not wake us
                    Round::Idle if read || (self.reading && !asked) => Round::Moved,
                    round => round,
                }
            }
            Phase::Flushing { until } => {
                let until = *until;
                self.flush(shared, stream, cx, until)
            }
            Phase::ShuttingDown { until } => {
                let until = *until;
                self.shut_down(stream, cx, until)
            }
            Phase::Lingering(linger) => match linger.poll(cx, stream) {
                Poll::Pending => Round::Idle,
                Poll::Ready(()) => Round::Done,
            },
        }
    }

    /// Reads once; whether anything came, the end included.
    fn read(&mut self, stream: &mut dyn Stream, cx: &mut Context<'_>) -> bool {
        match self.input.poll_read(stream, cx) {
            Poll::Pending => {
                let promised = self.held_up.is_some() && self.has_unread(stream, cx);
                self.held_up.iter_mut().for_each(|held| {
                    held.promised = promised;
                    held.over |= !promised;
                });
                if !promised {
                    self.behind_since = None;
                }
                false
            }
            Poll::Ready(Ok(())) => {
                let count = self.input.last_read();
                self.held_up.iter_mut().for_each(|held| held.read_more(count));
                true
            }
            Poll::Ready(Err(error)) => {
                self.held_up.iter_mut().for_each(|held| held.over = true);
                self.cut = true;
                self.failed.get_or_insert(Arc::new(error));
                true
            }
        }
    }

    /// Whether a read that was pending has missed something. It is not asked before the peer would
    /// be given up: it takes a system call.
    fn has_unread(&mut self, stream: &mut dyn Stream, cx: &mut Context<'_>) -> bool {
        stream.has_unread(cx).unwrap_or_else(|error| {
            self.cut = true;
            self.failed.get_or_insert(Arc::new(error));
            false
        })
    }

    /// Whether all is read that came before a write failed, where the last read was pending. What
    /// comes later is not waited for, though a peer that reads no more may go on writing: nothing
    /// can be answered, and what is sent would be lost without a word.
    fn is_drained(&mut self, stream: &mut dyn Stream, cx: &mut Context<'_>, now: Instant) -> bool {
        let since = *self.failing_since.get_or_insert(now);
        if now - since < UNHEARD {
            return false;
        }
        let is_drained = !self.has_unread(stream, cx);
        if !is_drained {
            self.failing_since = Some(now);
        }
        is_drained
    }

    /// Polls the machine and writes what it queued, under the lock; nothing here waits.
    fn exchange(
        &mut self,
        shared: &Shared<S>,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
        received: bool,
    ) -> Round {
        let _entered = shared.life.enter();
        let now = shared.now();
        let mut state = shared.lock();
        let called = state.driver.is_none();
        self.called |= called;
        let had_failed = self.failed.is_some();
        let nothing_came = self.reading && !received;
        if self.cut || self.input.rx.eof {
            self.meet_failure(&mut state);
        }
        if mem::take(&mut self.delivered) {
            self.answers = called;
        }
        if self.held_up.is_some_and(|held| held.over) {
            self.go_on(&mut state, now);
        }
        if self.held_up.is_none()
            && let Some(late) = Self::lateness(&mut state, now)
            && (received || self.reading && self.has_unread(stream, cx))
        {
            let (told, promised) = (late >= LATE, !received);
            self.held_up = Some(HeldUp { told, promised, ..HeldUp::since(self.ran) });
            self.behind_since.get_or_insert(self.ran);
        }
        self.ran = now;
        let machine_now = self.held_up.map_or(now, |held| held.since);
        if !received {
            // woken for what was queued, as a rule: the machine need not be polled before and after
            self.write_out(stream, cx, &mut state, now);
        }
        let mut end = self.work(stream, cx, &mut state, machine_now, now);
        let machine = state.session.machine();
        if !self.shut && machine.sends_no_more() && machine.tx().is_empty() {
            // a socket that cannot be ended has failed, which the next read tells
            self.shut = stream.poll_shutdown(cx).is_ready();
        }
        let room = state.session.has_room();
        let ended = self.cut || self.input.rx.eof;
        let readable = room && !ended && self.input.missing > 0;
        if !room {
            self.held_up.get_or_insert(HeldUp::since(now)).told = true;
            self.behind_since.get_or_insert(now);
        } else if !readable {
            self.go_on(&mut state, now);
        }
        if received || !readable {
            self.quiet_since = now;
        }
        if state.closing || state.session.machine().is_closing() {
            self.closing_since.get_or_insert(now);
        }
        if self.input.rx.eof {
            self.eof_since.get_or_insert(now);
        }
        if end.is_none() && self.stalls_at().is_some_and(|at| now >= at) {
            end = Some(Error::Stalled);
        }
        if let Some(time) = self.idle_timeout
            && end.is_none()
            && readable
            && now - self.quiet_since >= time
        {
            match self.has_unread(stream, cx) {
                true => self.quiet_since = now,
                false => end = Some(self.failed.clone().map_or(Error::Idle { time }, Error::Io)),
            }
        }
        // what came before the socket failed is still taken, as far as there is room for it
        let drained = had_failed && nothing_came && self.is_drained(stream, cx, now);
        if end.is_none() && (drained || !readable && (room || !ended)) {
            end = self.failed.clone().map(Error::Io);
        }
        let round = match end {
            Some(error) => {
                state.direct.is_due = false;
                self.end(&mut state, error);
                self.phase = Phase::Flushing { until: now + FLUSH };
                Round::Moved
            }
            None => {
                self.reading = readable;
                let deadline = self.deadline(&mut state, room, readable);
                if state.driver.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
                    state.driver = Some(cx.waker().clone());
                }
                // what else woke this task need not have been the timer
                let due = match received || called {
                    true if self.is_far(cx, deadline, now) => false,
                    _ => self.arm(cx, deadline).is_ready(),
                };
                // what is written then leaves the machine as it is now
                let is_plain = readable && self.held_up.is_none() && self.failed.is_none();
                let is_done =
                    state.session.machine().tx().is_empty() && !state.session.holds_back();
                state.direct.is_due = self.came == 1 && is_plain && is_done;
                state.direct.wakes_at = self.timer.as_ref().map(|armed| armed.at);
                // what failed in a write may be a stream that has nothing to read, and wakes nobody
                let failed = self.failed.is_some() && !had_failed;
                if due || failed { Round::Moved } else { Round::Idle }
            }
        };
        drop(state);
        self.wake.drain(..).for_each(Waker::wake);
        round
    }

    /// How long the time for something had come before this was polled, if it had. What just came,
    /// or has arrived and is not read yet, may be what the machine waited for, and more of it may
    /// be in the socket.
    fn lateness(state: &mut State<S>, now: Instant) -> Option<Duration> {
        let deadline = state.session.machine().deadline()?;
        (deadline <= now).then(|| now - deadline)
    }

    /// The machine's time goes on, with what is left to the peer of its own.
    fn go_on(&mut self, state: &mut State<S>, now: Instant) {
        if let Some(held) = self.held_up.take().filter(|held| held.told) {
            state.session.machine().stood_still(now - held.since);
        }
    }

    /// Polls the machine and writes what it queued, until nothing moves: what was written may have
    /// held the machine up.
    fn work(
        &mut self,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
        state: &mut State<S>,
        machine_now: Instant,
        now: Instant,
    ) -> Option<SessionError<S>> {
        loop {
            let end = self.poll_machine(state, machine_now);
            if state.session.caught_up() {
                state.outgoing.wake(&mut self.wake);
            }
            if self.write_out(stream, cx, state, now) == 0 || end.is_some() {
                return end;
            }
        }
    }

    /// A direct write failed, before whatever reads have told since. What they have brought is for
    /// the machine first, as where this task's own write fails.
    fn meet_failure(&mut self, state: &mut State<S>) {
        if let Some(error) = state.direct.failed.take() {
            self.failed = Some(Arc::new(error));
        }
    }

    /// Writes, and wakes those who wait for that.
    fn write_out(
        &mut self,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
        state: &mut State<S>,
        now: Instant,
    ) -> usize {
        self.meet_failure(state);
        let written = self.write(stream, cx, state.session.machine().tx(), now);
        if written > 0 {
            state.outgoing.wake(&mut self.wake);
        }
        written
    }

    /// Takes from the machine what it has, as long as there is room for it.
    fn poll_machine(&mut self, state: &mut State<S>, now: Instant) -> Option<SessionError<S>> {
        self.input.missing = 0;
        loop {
            if !state.session.has_room() && !state.session.machine().is_closed() {
                return None;
            }
            let before = self.input.rx.bytes.len();
            let polled = state.session.machine().poll(&mut self.input.rx, now);
            self.taken =
                self.taken.saturating_add(before.saturating_sub(self.input.rx.bytes.len()));
            match polled {
                Ok(Polled::HeldUp) => return None,
                Ok(Polled::Needs(bytes)) => {
                    self.input.missing = bytes;
                    return None;
                }
                Ok(Polled::Incoming(incoming)) => {
                    let memory = self.taken.min(self.input.held());
                    match state.session.deliver(incoming, memory) {
                        Delivered::Nothing => continue,
                        Delivered::Inbox => state.incoming.wake(&mut self.wake),
                        Delivered::To(waker) => self.wake.push(waker),
                    }
                    self.came += 1;
                    self.delivered |= !self.wake.is_empty();
                    self.taken = 0;
                }
                Err(error) => {
                    let failed = self.failed.clone().map(Error::Io);
                    return Some(failed.unwrap_or(Error::Protocol(error)));
                }
            }
        }
    }

    /// Writes until the system takes no more, and gives how many bytes wait no more: those that it
    /// took, and after a failure those that it never will.
    fn write(
        &mut self,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
        tx: &mut SendQueue,
        now: Instant,
    ) -> usize {
        let mut written = 0;
        while tx.has_remaining() {
            if self.failed.is_some() {
                written += tx.len();
                tx.clear();
                break;
            }
            match poll_write(stream, cx, tx) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => self.failed = Some(Arc::new(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    tx.advance(count);
                    written += count;
                }
                Poll::Ready(Err(error)) => self.failed = Some(Arc::new(error)),
            }
        }
        self.stuck = if written > 0 || tx.is_empty() { None } else { self.stuck.or(Some(now)) };
        written
    }

    /// When the driver must run even if nothing happens.
    fn deadline(&self, state: &mut State<S>, room: bool, readable: bool) -> Option<Instant> {
        let idle = self.idle_timeout.filter(|_| readable);
        let idle = idle.map(|time| self.quiet_since + time);
        // a machine that is not polled has no deadline to keep, and one whose time stands still has
        // none until the read that is promised
        let promised = self.held_up.filter(|held| held.promised).map(|_| self.ran + LATE);
        let machine = promised.or(state.session.machine().deadline()).filter(|_| room);
        let drained = self.failing_since.map(|since| since + UNHEARD);
        earliest(earliest(earliest(machine, self.stalls_at()), idle), drained)
    }

    /// When a peer is given up that takes nothing of what is left to write.
    fn stalls_at(&self) -> Option<Instant> {
        let since = self.stuck?;
        if let Some(closing) = self.closing_since {
            return Some(since.max(closing) + STALL);
        }
        self.eof_since.map(|eof| since.max(eof) + HALF_OPEN_STALL)
    }

    /// Whether the timer need not be looked at: it will wake this task in time, and has not fired.
    fn is_far(&self, cx: &Context<'_>, deadline: Option<Instant>, now: Instant) -> bool {
        let (Some(armed), Some(deadline)) = (&self.timer, deadline) else { return false };
        armed.at <= deadline && now + NEAR < armed.at && armed.task.will_wake(cx.waker())
    }

    /// Sets the timer, and is ready where the time has come. A timer that would fire too early is
    /// left alone: most deadlines move on before they come, and setting a timer costs more than a
    /// wake-up in vain.
    fn arm(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            // a runtime without any timer waits for its sockets alone, which is cheaper
            self.timer = None;
            return Poll::Pending;
        };
        let ArmedTimer { timer, at, task } = self.timer.get_or_insert_with(|| ArmedTimer {
            timer: R::timer(self.shared.real(deadline)),
            at: deadline,
            task: cx.waker().clone(),
        });
        if deadline < *at {
            timer.reset(self.shared.real(deadline));
            *at = deadline;
        }
        while timer.poll(cx).is_ready() {
            if deadline <= *at {
                self.timer = None;
                return Poll::Ready(());
            }
            timer.reset(self.shared.real(deadline));
            *at = deadline;
        }
        task.clone_from(cx.waker());
        Poll::Pending
    }

    /// The connection is over: tells everyone who waits.
    fn end(&mut self, state: &mut State<S>, error: SessionError<S>) {
        if state.ended.is_none() {
            self.shared.life.closed(&error);
            self.tell_too_large(state, &error);
            let behind = self.behind_since.map(|since| self.ran - since);
            if behind.is_some_and(|time| time >= BEHIND) && !state.closing {
                self.shared.life.ended_unread();
            }
            state.ended = Some(error);
            // from here on the machine refuses what is to be sent, also where it was the socket
            // that ended
            state.session.machine().close();
            state.session.ended(&mut self.wake);
            state.incoming.wake(&mut self.wake);
            state.outgoing.wake(&mut self.wake);
        }
    }

    /// Whether it was one message that ended the connection is told on both sides.
    fn tell_too_large(&self, state: &mut State<S>, error: &SessionError<S>) {
        if !matches!(error, Error::Protocol(_) | Error::Io(_)) {
            return;
        }
        match state.session.machine().too_large() {
            // we closed it ourselves
            Some(TooLarge::Unanswered { .. }) if state.closing => {}
            Some(message) => self.shared.life.too_large(S::NAME, self.shared.remote, &message),
            None => {}
        }
    }

    fn flush(
        &mut self,
        shared: &Shared<S>,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
        until: Instant,
    ) -> Round {
        let now = shared.now();
        let mut state = shared.lock();
        let tx = state.session.machine().tx();
        self.write(stream, cx, tx, now);
        let done = tx.is_empty();
        drop(state);
        if done {
            self.phase = Phase::ShuttingDown { until: now + FLUSH };
            return Round::Moved;
        }
        // with something left to write the end is no orderly one, and is not called that
        if self.arm(cx, Some(until)).is_ready() { Round::Done } else { Round::Idle }
    }

    fn shut_down(
        &mut self,
        stream: &mut dyn Stream,
        cx: &mut Context<'_>,
        until: Instant,
    ) -> Round {
        match stream.poll_shutdown(cx) {
            // the end of TLS has to be written too, and the peer may not read
            Poll::Pending if self.arm(cx, Some(until)).is_ready() => Round::Done,
            Poll::Pending => Round::Idle,
            Poll::Ready(Ok(())) if !self.input.rx.eof => {
                self.phase = Phase::Lingering(Linger::new());
                Round::Moved
            }
            Poll::Ready(_) => Round::Done,
        }
    }
}

impl HeldUp {
    fn since(since: Instant) -> Self {
        Self { since, told: false, over: false, read: 0, promised: false }
    }

    fn read_more(&mut self, count: usize) {
        self.promised = false;
        self.read = self.read.saturating_add(count);
        self.over |= self.read >= KEPT_BY_SYSTEM;
    }
}

/// Writes as much of `tx` as one system call takes.
pub(crate) fn poll_write(
    stream: &mut dyn Stream,
    cx: &mut Context<'_>,
    tx: &SendQueue,
) -> Poll<io::Result<usize>> {
    if tx.chunk().len() == tx.remaining() {
        // small messages: no list of parts to be filled, and a plain write for the system
        return stream.poll_write(cx, &[IoSlice::new(tx.chunk())]);
    }
    let mut parts = [IoSlice::new(&[]); PARTS];
    let count = tx.chunks_vectored(&mut parts);
    stream.poll_write(cx, &parts[..count])
}

impl<R: Runtime, S: Session> Future for Driver<R, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        match &mut *shared.stream() {
            Some(stream) => self.turn(&shared, &mut **stream, cx),
            // only the end of this task takes it
            None => Poll::Ready(()),
        }
    }
}

// nothing is pinned in place: the timer and the stream are `Unpin`
impl<R: Runtime, S: Session> Unpin for Driver<R, S> {}

impl<R: Runtime, S: Session> Drop for Driver<R, S> {
    /// Also when the runtime drops its tasks, or the machine panicked: nobody is left waiting.
    fn drop(&mut self) {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        self.end(&mut state, Error::Runtime);
        state.driver = None;
        drop(state);
        self.wake.drain(..).for_each(Waker::wake);
    }
}

impl<S: Session> Drop for Farewell<S> {
    fn drop(&mut self) {
        drop(self.shared.take_stream());
        self.slot = ConnectionSlot::nowhere();
        let mut waiting = Vec::new();
        let mut state = self.shared.lock();
        state.finished = true;
        state.finishing.wake(&mut waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
