//! The run loop of one end, by the contract at the top of `hat_core`, with the endings of the real
//! driver.

use std::fmt;

use bytes::Buf;
use hat_core::protocol::Protocol;
use hat_core::time::{Instant, earliest};

use super::agenda::Plan;
use super::end::{EndId, Ending, FLUSH, LINGER, Phase, STALL};
use super::network::{Network, Occurrence, Outcome, PollReport};

/// Lets an end do what it can now. It leaves the list of the runnable ones when it can do nothing
/// more.
pub(super) fn run<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let moved = match net.ends[id.0].phase {
        _ if net.now < net.ends[id.0].frozen => false,
        Phase::Running => exchange(net, id),
        Phase::Flushing { until } => flush(net, id, until),
        Phase::Waiting | Phase::Gone { .. } => false,
    };
    if !moved {
        net.ends[id.0].runnable = false;
        net.runnable.pop_front();
        arm(net, id);
    }
}

/// Reads, polls and writes; whether there is more to do.
fn exchange<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) -> bool {
    let now = net.time_of(id);
    let is_held = net.now < net.ends[id.0].held && !net.ends[id.0].machine().is_closed();
    if !is_held {
        let end = &mut net.ends[id.0];
        // what lies here is read before a deadline is looked at: it is a sign of life
        if !end.polling {
            read(net, id);
        }
        match poll(net, id, now) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(ending) => {
                over(net, id, ending);
                return true;
            }
        }
    }
    let written = write(net, id);
    let virtual_now = net.now;
    let end = &mut net.ends[id.0];
    if end.machine().sends_no_more() {
        end.shutting = true;
    }
    if written > 0 {
        return true;
    }
    if end.shutting && !end.shut && end.machine().tx().is_empty() {
        shut(net, id);
    }
    let end = &mut net.ends[id.0];
    if end.closing && end.stuck.is_some_and(|since| virtual_now - since >= STALL) {
        over(net, id, Ending::Stalled);
        return true;
    }
    if is_held {
        return false;
    }
    end.check_idle(net.limits, now);
    // what came before the network failed is still taken
    if end.failed && !end.is_readable() {
        over(net, id, Ending::Failed);
        return true;
    }
    end.is_readable()
}

fn read<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let peer = net.peer(id);
    let end = &mut net.ends[id.0];
    if end.is_readable() && end.read() && end.inbound.writer_waits {
        end.inbound.writer_waits = false;
        let at = net.now + end.inbound.shape.latency;
        net.agenda.plan(at, Plan::Wake(peer));
    }
}

/// Polls once: whether there was something, which the scenario is told.
fn poll<M: Protocol<Incoming: fmt::Debug>, T>(
    net: &mut Network<M, T>,
    id: EndId,
    now: Instant,
) -> Result<bool, Ending<M::Error>> {
    let is_watched = net.is_watched;
    let end = &mut net.ends[id.0];
    let before = if is_watched { end.rx.bytes.to_vec() } else { Vec::new() };
    let queued = end.machine().tx().end();
    let waited = end.machine().tx().len();
    let polled = end.poll(now);
    end.check_poll(net.limits);
    end.polling = matches!(polled, Ok(Some(_)));
    if is_watched {
        let outcome = match &polled {
            Ok(Some(_)) => Outcome::Incoming,
            Ok(None) => Outcome::Nothing,
            Err(_) => Outcome::Error,
        };
        let taken = before.len() - end.rx.bytes.len();
        let polled = PollReport {
            now,
            arrived: end.arrived,
            consumed: before[..taken].to_vec(),
            queued: end.queued_since(queued),
            outcome,
            held_up: end.held_up,
            deadline: end.machine().deadline(),
            sent: end.machine().tx().sent(),
            waits: [waited, end.machine().tx().len()],
        };
        net.happened.push_back(Occurrence::Polled(id, polled));
    }
    end.arrived = false;
    match polled {
        Ok(None) => Ok(false),
        Ok(Some(incoming)) => {
            net.trace.note(net.now, || format!("{id} got {incoming:?}"));
            net.happened.push_back(Occurrence::Incoming(id, incoming));
            Ok(true)
        }
        Err(error) => {
            end.check_over(&error, now);
            Err(if end.failed { Ending::Cut(error) } else { Ending::Error(error) })
        }
    }
}

/// Writes what the network takes; gives how many bytes these were.
fn write<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) -> usize {
    let Network { ends, random, agenda, now, trace, .. } = net;
    let [end, peer] = ends.get_disjoint_mut([id.0, id.0 ^ 1]).expect("two ends");
    let tx = end.machine.as_mut().expect("a machine was started here").tx();
    if tx.has_remaining() && end.shut {
        end.failed = true;
    }
    if end.failed {
        tx.clear();
    }
    let mut written = 0;
    while tx.has_remaining() {
        let room = peer.inbound.room();
        if room == 0 {
            peer.inbound.writer_waits = true;
            break;
        }
        let most = peer.inbound.shape.piece;
        let piece = if most > 64 { most } else { random.within(1..=most) };
        let count = piece.min(room).min(tx.remaining());
        let at = peer.inbound.send(Some(tx.copy_to_bytes(count)), *now, random);
        agenda.plan(at, Plan::Arrive(EndId(id.0 ^ 1)));
        trace.note(*now, || format!("{id} writes {count}, there {:?} later", at - *now));
        written += count;
    }
    let is_stuck = written == 0 && tx.has_remaining();
    end.stuck = if is_stuck { end.stuck.or(Some(*now)) } else { None };
    written
}

/// Sends the end of our stream.
fn shut<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let peer = net.peer(id);
    net.ends[id.0].shut = true;
    let at = net.ends[peer.0].inbound.send(None, net.now, &mut net.random);
    net.agenda.plan(at, Plan::Arrive(peer));
}

/// The connection is over for this side.
fn over<M: Protocol<Incoming: fmt::Debug>, T>(
    net: &mut Network<M, T>,
    id: EndId,
    ending: Ending<M::Error>,
) {
    net.trace.note(net.now, || format!("{id} is over: {ending:?}"));
    let until = net.now + FLUSH;
    let end = &mut net.ends[id.0];
    // a machine that ended by itself has nothing left already, which the scenario may look at
    // before `flush`
    if matches!(ending, Ending::Failed | Ending::Stalled) {
        end.machine().close();
    }
    end.phase = Phase::Flushing { until };
    net.agenda.plan(until, Plan::Wake(id));
    net.happened.push_back(Occurrence::Ended(id, ending));
}

/// Writes what the machine left, for a bounded time; then the end of our stream.
fn flush<M: Protocol<Incoming: fmt::Debug>, T>(
    net: &mut Network<M, T>,
    id: EndId,
    until: Instant,
) -> bool {
    // whatever ended it, the machine refuses what is to be sent from here on
    net.ends[id.0].machine().close();
    write(net, id);
    let end = &mut net.ends[id.0];
    if !end.machine().tx().is_empty() && net.now < until {
        return false;
    }
    leave(net, id);
    false
}

/// The process of this end is killed.
pub(super) fn kill<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    if net.ends[id.0].phase == Phase::Running {
        over(net, id, Ending::Failed);
        leave(net, id);
    }
}

/// The end of the stream, and of this end.
fn leave<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let end = &mut net.ends[id.0];
    if !end.shut && !end.failed {
        shut(net, id);
    }
    let end = &mut net.ends[id.0];
    end.phase = Phase::Gone { since: net.now };
    // what came and comes is thrown away, so the peer never waits for room
    end.inbound.reset(true);
    let peer = net.peer(id);
    net.agenda.plan(net.now, Plan::Wake(peer));
}

/// Something arrives. Where nobody is any more it is answered with a reset.
pub(super) fn arrive<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let end = &mut net.ends[id.0];
    let arrived = match end.inbound.arrive(net.now) {
        Ok(arrived) => arrived,
        Err(later) => return net.agenda.plan(later, Plan::Arrive(id)),
    };
    let Phase::Gone { since } = end.phase else { return net.runs(id) };
    end.inbound.reset(true);
    let peer = net.peer(id);
    let at = net.now + net.ends[peer.0].inbound.shape.latency;
    let is_late = arrived > 0 && net.now - since > LINGER;
    net.agenda.plan(at, if is_late { Plan::Fail(peer) } else { Plan::Wake(peer) });
}

/// The network fails at this end.
pub(super) fn fail<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let all = net.random.chance(50);
    let end = &mut net.ends[id.0];
    end.failed = true;
    end.inbound.reset(all);
    net.runs(id);
}

/// An end may have something to do.
pub(super) fn wake<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let now = net.now;
    let end = &mut net.ends[id.0];
    if end.armed.is_some_and(|at| at <= now) {
        end.armed = None;
    }
    if end.machine.is_some() {
        net.runs(id);
    }
}

/// The clock of an end has jumped: its deadline may be over.
pub(super) fn jumped<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let now = net.time_of(id);
    let end = &mut net.ends[id.0];
    let is_running = end.phase == Phase::Running;
    if is_running && end.machine().deadline().is_some_and(|at| at <= now) {
        net.runs(id);
    } else {
        arm(net, id);
    }
}

/// Plans a wake-up for the deadline.
fn arm<M: Protocol<Incoming: fmt::Debug>, T>(net: &mut Network<M, T>, id: EndId) {
    let ahead = net.clocks[net.ends[id.0].clock.index()];
    let now = net.now;
    let end = &mut net.ends[id.0];
    if end.phase != Phase::Running || now < end.frozen {
        return;
    }
    let stalled = end.stuck.filter(|_| end.closing).map(|since| since + STALL);
    // a machine that is not polled has no deadline to keep
    let deadline = end.machine().deadline().filter(|_| now >= end.held);
    let deadline = deadline.map(|at| Instant::ORIGIN + at.since_origin().saturating_sub(ahead));
    if let Some(at) = earliest(deadline, stalled)
        && end.armed.is_none_or(|armed| at < armed)
    {
        end.armed = Some(at);
        net.agenda.plan(at, Plan::Wake(id));
    }
}
