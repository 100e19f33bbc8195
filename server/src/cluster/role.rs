//! Whether a node registers, where a monitor decides that: what follows from what the monitor says
//! and from the messages of the stream. No clock, no socket.
//!
//! ```text
//!           claim, and all is applied that there was     the node sees its fence
//! Standby ────────────────────────────────────> Claiming ───────────────────────> Active
//!    ^                                             │                                │
//!    ├── refused: another fence came first ────────┘                                │
//!    └── release, or the node sees another one's fence ─────────────────────────────┘
//! ```
//!
//! Without a monitor every node registers: `Free`. Such a node registers nothing in a stream that
//! has a fence.

use super::outbox::{Opening, Outbox};
use super::replica::{FenceState, Outcome};

/// The role of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No monitor decides: it registers beside others.
    Free,
    /// The same, and where the stream has a fence, this node lifts it, once.
    Lifting,
    /// It registers nothing, but what it took before may still be on its way.
    Standby,
    /// It wants to be the one that registers.
    Claiming {
        /// The fence is on its way.
        sent: bool,
    },
    /// It is the one that registers.
    Active,
}

/// What has become of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleChange {
    /// It is the one that registers.
    Claimed,
    /// It is not: another one was first, or the fence was not stored in time.
    Refused,
    /// It was the one that registers, and another one has taken over.
    Fenced,
}

impl Role {
    /// Whether a new session may be taken.
    #[must_use]
    pub fn may_register(self, fence: FenceState) -> bool {
        match self {
            Self::Active => true,
            Self::Free | Self::Lifting => !fence.is_up,
            Self::Standby | Self::Claiming { .. } => false,
        }
    }

    /// The node is to be the one that registers.
    pub fn claim(&mut self) {
        if *self == Self::Standby {
            *self = Self::Claiming { sent: false };
        }
    }

    /// The node is to register no more. What it has taken goes on; a fence that is not stored yet
    /// is not published again: it would end the epoch of another one, for nobody.
    pub fn release<T>(&mut self, outbox: &mut Outbox<T>) {
        match self {
            Self::Claiming { sent: true } => outbox.close(),
            Self::Claiming { sent: false } | Self::Active => {}
            Self::Free | Self::Lifting | Self::Standby => return,
        }
        *self = Self::Standby;
    }

    /// Opens an epoch, where one is to be opened now. `fence` is that of the stream as far as it is
    /// applied, and `caught_up` says that this is as far as it went when the node began to claim,
    /// or was last asked.
    pub fn step<T>(
        &mut self,
        fence: FenceState,
        caught_up: bool,
        outbox: &mut Outbox<T>,
    ) -> Option<RoleChange> {
        match *self {
            Self::Claiming { sent: false } if caught_up => {
                outbox.open(Opening::Fence(fence.sequence));
                *self = Self::Claiming { sent: true };
            }
            _ if !outbox.is_closed() => {}
            Self::Lifting if fence.is_up && caught_up => {
                outbox.open(Opening::Lift(fence.sequence));
            }
            Self::Free | Self::Lifting if fence.is_up => {}
            Self::Free | Self::Lifting | Self::Active => outbox.open(Opening::Plain),
            // as long as nobody else has put up a fence, it goes on behind its own
            Self::Standby if !outbox.is_empty() => outbox.open(Opening::Plain),
            Self::Claiming { sent: true } => {
                *self = Self::Standby;
                return Some(RoleChange::Refused);
            }
            Self::Standby | Self::Claiming { sent: false } => {}
        }
        None
    }

    /// What the node has seen in the stream, in its order. Returns what became of the role, and who
    /// waits for sessions that are certain never to be registered.
    pub fn saw<T>(
        &mut self,
        outcome: &Outcome,
        outbox: &mut Outbox<T>,
    ) -> (Option<RoleChange>, Vec<T>) {
        match *outcome {
            Outcome::Opened { writer, epoch } => outbox.opened(writer, epoch),
            Outcome::TakenOver { writer, epoch, .. } if writer == outbox.writer() => {
                outbox.opened(writer, epoch);
                if *self == Self::Lifting && outbox.is_open() {
                    *self = Self::Free;
                }
                if *self == (Self::Claiming { sent: true }) && outbox.is_open() {
                    *self = Self::Active;
                    return (Some(RoleChange::Claimed), Vec::new());
                }
            }
            Outcome::TakenOver { is_up, .. } => {
                // lifted: it goes on in an epoch of its own
                let goes_on = !is_up && matches!(self, Self::Free | Self::Lifting);
                if goes_on && outbox.is_open() {
                    outbox.close();
                }
                if goes_on {
                    return (None, Vec::new());
                }
                let lost = outbox.fenced();
                if *self == Self::Active {
                    *self = Self::Standby;
                    return (Some(RoleChange::Fenced), lost);
                }
                return (None, lost);
            }
            Outcome::Refused { writer, epoch } if outbox.refused(writer, epoch) => {
                if matches!(self, Self::Claiming { sent: true }) {
                    *self = Self::Standby;
                    return (Some(RoleChange::Refused), Vec::new());
                }
            }
            _ => {}
        }
        (None, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use hat_core::eventer::{RegisterEvent, Timestamp};
    use hat_core::sbs;
    use hat_core::time::Instant;

    use super::*;
    use crate::cluster::message::{Body, Message};
    use crate::cluster::outbox::OutboxOptions;
    use crate::cluster::replica::{Replica, State};

    /// A node that sees a stream.
    struct Node {
        role: Role,
        outbox: Outbox<char>,
        replica: Replica,
        changes: Vec<RoleChange>,
        registered: String,
        lost: String,
    }

    impl Node {
        fn new(writer: u64, role: Role) -> Self {
            let outbox = Outbox::new(writer, OutboxOptions::default());
            let replica = Replica::new(1, State::default());
            let (registered, lost) = (String::new(), String::new());
            Self { role, outbox, replica, changes: Vec::new(), registered, lost }
        }

        fn push(&mut self, name: char) {
            assert!(self.role.may_register(self.replica.state().fence()), "{name} is refused");
            let events = sbs::encode(&vec![RegisterEvent::new(name.to_string().as_str())]);
            self.outbox.push(name, events, None, Instant::ORIGIN);
        }

        /// What it publishes now.
        fn publish(&mut self) -> Vec<Message> {
            let fence = self.replica.state().fence();
            self.changes.extend(self.role.step(fence, true, &mut self.outbox));
            let mut next = || self.outbox.next(Instant::ORIGIN, || Timestamp::from_secs(1));
            std::iter::from_fn(|| next().map(|publish| publish.message)).collect()
        }

        /// Takes the rest of the stream.
        fn read(&mut self, stream: &[Bytes]) {
            let taken = self.replica.taken();
            for (bytes, sequence) in stream.iter().zip(1..).skip(taken as usize) {
                let outcome = self.replica.take(sequence, bytes).expect("a good message");
                if let Outcome::Session { place, .. } = outcome {
                    self.registered.extend(self.outbox.applied(place));
                }
                let (change, lost) = self.role.saw(&outcome, &mut self.outbox);
                self.changes.extend(change);
                self.lost.extend(lost);
            }
        }
    }

    fn store(stream: &mut Vec<Bytes>, messages: &[Message]) {
        stream.extend(messages.iter().map(Message::encode));
    }

    /// One that is active, and its stream.
    fn active() -> (Node, Vec<Bytes>) {
        let (mut node, mut stream) = (Node::new(1, Role::Standby), Vec::new());
        assert!(node.publish().is_empty(), "a standby opens nothing");
        node.role.claim();
        assert!(!node.role.may_register(FenceState::default()), "nor does it register yet");
        store(&mut stream, &node.publish());
        node.read(&stream);
        assert_eq!((node.role, &node.changes[..]), (Role::Active, &[RoleChange::Claimed][..]));
        (node, stream)
    }

    #[test]
    fn who_is_fenced_has_what_came_before_and_knows_that_the_rest_never_comes() {
        let (mut a, mut stream) = active();
        a.push('1');
        store(&mut stream, &a.publish());
        a.push('2');
        let late = a.publish();
        let mut b = Node::new(2, Role::Standby);
        b.read(&stream);
        b.role.claim();
        store(&mut stream, &b.publish());
        store(&mut stream, &late);
        for node in [&mut a, &mut b] {
            node.read(&stream);
        }
        assert_eq!((&*a.registered, &*a.lost), ("1", "2"));
        assert_eq!(a.changes[1..], [RoleChange::Fenced]);
        assert_eq!((a.role, b.role), (Role::Standby, Role::Active));
        assert!(a.publish().is_empty(), "it does not take over by itself");
        b.push('3');
        store(&mut stream, &b.publish());
        b.read(&stream);
        assert_eq!(b.registered, "3");
    }

    #[test]
    fn of_two_fences_at_once_one_is_heard() {
        let (mut a, mut b) = (Node::new(1, Role::Standby), Node::new(2, Role::Standby));
        let mut stream = Vec::new();
        [&mut a, &mut b].into_iter().for_each(|node| node.role.claim());
        let (first, second) = (b.publish(), a.publish());
        store(&mut stream, &first);
        store(&mut stream, &second);
        // and again, as one whose acknowledgement was lost
        store(&mut stream, &second);
        store(&mut stream, &first);
        [&mut a, &mut b].into_iter().for_each(|node| node.read(&stream));
        assert_eq!((a.role, &a.changes[..]), (Role::Standby, &[RoleChange::Refused][..]));
        assert_eq!((b.role, &b.changes[..]), (Role::Active, &[RoleChange::Claimed][..]));
        // it may claim again, and then it is later
        a.role.claim();
        store(&mut stream, &a.publish());
        [&mut a, &mut b].into_iter().for_each(|node| node.read(&stream));
        assert_eq!((a.role, b.role), (Role::Active, Role::Standby));
    }

    #[test]
    fn the_one_that_is_active_opens_again_behind_its_fence() {
        let (mut a, mut stream) = active();
        a.push('1');
        assert_eq!(a.publish().len(), 1, "lost");
        let given_up = a.outbox.expire(Instant::ORIGIN + Duration::from_secs(60));
        assert!(given_up.len() == 1 && given_up[0].uncertain);
        a.push('2');
        let opening = a.publish();
        assert!(opening.len() == 1 && opening[0].body == Body::Open, "{opening:?}");
        store(&mut stream, &opening);
        a.read(&stream);
        store(&mut stream, &a.publish());
        a.read(&stream);
        assert_eq!((a.role, &*a.registered), (Role::Active, "2"));
    }

    #[test]
    fn what_was_taken_before_a_release_goes_on_until_another_takes_over() {
        let (mut a, mut stream) = active();
        a.push('1');
        a.role.release(&mut a.outbox);
        assert!(!a.role.may_register(a.replica.state().fence()));
        store(&mut stream, &a.publish());
        a.read(&stream);
        assert_eq!((&*a.registered, a.outbox.is_empty()), ("1", true));
    }

    #[test]
    fn a_fence_that_is_not_wanted_any_more_is_not_published_again() {
        let mut a = Node::new(1, Role::Standby);
        a.role.claim();
        a.role.step(FenceState::default(), true, &mut a.outbox);
        a.role.release(&mut a.outbox);
        assert!(a.publish().is_empty());
    }

    #[test]
    fn without_a_monitor_nothing_is_registered_behind_a_fence_until_it_is_lifted() {
        let mut free = Node::new(3, Role::Free);
        let mut stream = Vec::new();
        store(&mut stream, &free.publish());
        free.read(&stream);
        free.push('0');
        let late = free.publish();
        let mut a = Node::new(1, Role::Standby);
        a.read(&stream);
        a.role.claim();
        store(&mut stream, &a.publish());
        store(&mut stream, &late);
        [&mut a, &mut free].into_iter().for_each(|node| node.read(&stream));
        assert_eq!((&*free.lost, a.role), ("0", Role::Active));
        assert!(free.publish().is_empty());
        assert!(!free.role.may_register(free.replica.state().fence()));

        let mut lifting = Node::new(4, Role::Lifting);
        lifting.read(&stream);
        a.push('1');
        let late = a.publish();
        store(&mut stream, &lifting.publish());
        store(&mut stream, &late);
        for node in [&mut a, &mut free, &mut lifting] {
            node.read(&stream);
        }
        assert_eq!((a.role, &*a.lost), (Role::Standby, "1"));
        assert_eq!(lifting.role, Role::Free, "once");
        store(&mut stream, &free.publish());
        free.read(&stream);
        for node in [&mut free, &mut lifting] {
            node.push('4');
            store(&mut stream, &node.publish());
        }
        for node in [&mut free, &mut lifting] {
            node.read(&stream);
            assert_eq!(node.registered, "4");
        }
    }
}
