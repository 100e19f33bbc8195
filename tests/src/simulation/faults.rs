//! What can go wrong, at a scenario's choice.

use std::fmt;
use std::time::Duration;

use hat_core::protocol::Protocol;

use super::agenda::Plan;
use super::drive;
use super::end::EndId;
use super::network::{ClockId, Network};

impl<M: Protocol<Incoming: fmt::Debug>, T> Network<M, T> {
    /// Anything of the below at an end that still runs, for a second, ten, or a hundred at the
    /// most; where it is a jump, of one of `clocks`. Gives whether that was it.
    pub fn any_fault(&mut self, end: EndId, clocks: &[ClockId]) -> bool {
        if !self.is_running(end) {
            return false;
        }
        let most = self.random.pick(&[1, 10, 100]);
        let time = self.random.duration(Duration::from_secs(most));
        let clock = self.random.pick(clocks);
        let kind = self.random.below(7);
        match kind {
            0 => self.freeze(end, time),
            // a slow reader, or an application that is busy
            1 | 2 => self.hold(end, time),
            3 => self.cut_off(end, time),
            4 => self.kill(end),
            5 => self.jump(clock, Duration::ZERO, time),
            _ => self.reset(end),
        }
        kind == 5
    }

    /// Nothing of this end runs for a time: its process is stopped, or its machine sleeps. Time
    /// goes on.
    pub fn freeze(&mut self, end: EndId, time: Duration) {
        let until = self.now + time;
        self.trace.note(self.now, || format!("{end} is frozen for {time:?}"));
        self.ends[end.0].frozen = until;
        self.agenda.plan(until, Plan::Wake(end));
    }

    /// The application of this end takes nothing for a time: nothing is polled and read, what is
    /// queued is still written.
    pub fn hold(&mut self, end: EndId, time: Duration) {
        let until = self.now + time;
        self.trace.note(self.now, || format!("{end} takes nothing for {time:?}"));
        self.ends[end.0].held = until;
        self.agenda.plan(until, Plan::Wake(end));
    }

    /// Nothing arrives at this end for a time; it comes later.
    pub fn cut_off(&mut self, end: EndId, time: Duration) {
        self.trace.note(self.now, || format!("nothing arrives at {end} for {time:?}"));
        self.ends[end.0].inbound.cut_off(self.now + time);
    }

    /// The connection fails, in the middle of whatever is on its way: at this end now, at the other
    /// a latency later.
    pub fn reset(&mut self, end: EndId) {
        self.trace.note(self.now, || format!("{end} is reset"));
        let peer = self.peer(end);
        let latency = self.ends[peer.0].inbound.shape.latency;
        self.agenda.plan(self.now, Plan::Fail(end));
        self.agenda.plan(self.now + latency, Plan::Fail(peer));
    }

    /// The process of this end is killed: what the network took still travels, then the stream
    /// ends, wherever that is.
    pub fn kill(&mut self, end: EndId) {
        drive::kill(self, end);
    }

    /// Ends our side of the stream once what is queued is written. This end still reads; nothing
    /// may be sent any more.
    pub fn shut_down(&mut self, end: EndId) {
        self.trace.note(self.now, || format!("{end} ends its side"));
        self.ends[end.0].shutting = true;
        self.runs(end);
    }

    /// A clock jumps forward after a time.
    pub fn jump(&mut self, clock: ClockId, after: Duration, by: Duration) {
        self.agenda.plan(self.now + after, Plan::Jump(clock, by));
    }
}
