//! A gate that lets a number of tasks through at a time, makes some others wait, and turns the rest
//! away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::super::super::wakers::{Place, WakerSet, wait_in};

/// Lets tasks through as long as not too many are inside, those that wait in their order.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    /// Tasks that may wait.
    places: usize,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: WakerSet,
    /// Tasks that were woken to go in, and have not yet: there is room kept for each.
    called: Vec<Place>,
    /// Somebody was turned away since nobody had to wait.
    is_crowded: bool,
}

/// Someone inside; dropped, there is room for another.
#[derive(Debug)]
pub(super) struct Permit(Arc<Gate>);

/// Too many wait already.
#[derive(Debug)]
pub(super) struct Crowded {
    /// Nobody else was turned away since there were enough places.
    pub(super) is_first: bool,
}

impl Gate {
    /// `room` tasks may be inside, and `places` more wait.
    pub(super) fn new(room: usize, places: usize) -> Arc<Self> {
        let (waiting, called) = (WakerSet::default(), Vec::new());
        let state = State { free: room, waiting, called, is_crowded: false };
        Arc::new(Self { state: Mutex::new(state), places })
    }

    /// Waits until there is room, unless too many do. Cancel safe.
    pub(super) async fn enter(self: &Arc<Self>) -> Result<Permit, Crowded> {
        let poll = |cx: &mut Context<'_>, place: &mut Place| {
            let mut state = self.lock();
            // who comes now goes in after those who wait: with one of them, nothing is free
            if state.free > 0 && !place.is_taken() {
                state.free -= 1;
            } else if state.answers(place) {
                *place = Place::default();
            } else if place.is_taken() || state.waiting.len() < self.places {
                state.waiting.add(cx, place);
                return Poll::Pending;
            } else {
                let is_first = !std::mem::replace(&mut state.is_crowded, true);
                return Poll::Ready(Err(Crowded { is_first }));
            }
            Poll::Ready(Ok(Permit(self.clone())))
        };
        wait_in(poll, |place| self.leave(place)).await
    }

    /// Nobody waits at `place` any more. Who was called already calls another one.
    fn leave(&self, place: &mut Place) {
        let mut state = self.lock();
        if state.answers(place) {
            let next = state.call();
            drop(state);
            next.into_iter().for_each(Waker::wake);
        } else {
            state.waiting.leave(place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// There is room for one more: whom to wake, if anybody waits.
    fn call(&mut self) -> Option<Waker> {
        let Some((place, waker)) = self.waiting.take_first() else {
            self.free += 1;
            self.is_crowded = false;
            return None;
        };
        self.called.push(place);
        Some(waker)
    }

    /// Whether the task at `place` was called, which it is no more.
    fn answers(&mut self, place: &Place) -> bool {
        let called = self.called.iter().position(|called| called == place);
        called.map(|index| self.called.swap_remove(index)).is_some()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // outside of the lock
        let next = self.0.lock().call();
        next.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use super::*;
    use crate::by_hand::Woken;

    /// Someone at the gate.
    struct Visitor {
        entering: Pin<Box<dyn Future<Output = Result<Permit, Crowded>>>>,
        woken: Arc<Woken>,
    }

    impl Visitor {
        fn new(gate: &Arc<Gate>) -> Self {
            let gate = gate.clone();
            let entering = Box::pin(async move { gate.enter().await });
            Self { entering, woken: Arc::default() }
        }

        fn poll(&mut self) -> Poll<Result<Permit, Crowded>> {
            let waker = Waker::from(self.woken.clone());
            self.entering.as_mut().poll(&mut Context::from_waker(&waker))
        }

        #[track_caller]
        fn waits(&mut self) {
            assert!(self.poll().is_pending());
        }

        #[track_caller]
        fn enters(&mut self) -> Permit {
            match self.poll() {
                Poll::Ready(Ok(permit)) => permit,
                other => panic!("{other:?}"),
            }
        }
    }

    /// A gate with its only one inside, and so many who wait.
    fn gate(waiting: usize, places: usize) -> (Arc<Gate>, Permit, Vec<Visitor>) {
        let gate = Gate::new(1, places);
        let inside = Visitor::new(&gate).enters();
        let mut visitors: Vec<_> = (0..waiting).map(|_| Visitor::new(&gate)).collect();
        visitors.iter_mut().for_each(Visitor::waits);
        (gate, inside, visitors)
    }

    /// Who was woken since the last time.
    fn woken(visitors: &[Visitor]) -> Vec<bool> {
        visitors.iter().map(|visitor| visitor.woken.take()).collect()
    }

    #[test]
    fn one_that_leaves_wakes_one_that_waits_in_their_order() {
        let (gate, mut inside, mut visitors) = gate(3, 3);
        for number in 0..3 {
            drop(inside);
            assert_eq!(woken(&visitors), [0, 1, 2].map(|other| other == number));
            // who comes now does not go in first, and none of the others does
            assert!(!matches!(Visitor::new(&gate).poll(), Poll::Ready(Ok(_))));
            visitors[number + 1..].iter_mut().for_each(Visitor::waits);
            inside = visitors[number].enters();
        }
        drop(inside);
        Visitor::new(&gate).enters();
    }

    #[test]
    fn one_that_was_called_and_is_gone_calls_the_next() {
        let (gate, inside, mut visitors) = gate(3, 3);
        drop(inside);
        // one that only waits is no loss
        visitors.remove(1);
        visitors.remove(0);
        assert_eq!(woken(&visitors), [true]);
        drop(visitors.remove(0));
        let inside = Visitor::new(&gate).enters();
        let mut last = Visitor::new(&gate);
        last.waits();
        drop(inside);
        drop(last.enters());
        // whoever went in has no place left
        drop(last);
        assert_eq!(gate.lock().free, 1);
        assert!(gate.lock().called.is_empty());
    }

    #[test]
    fn who_finds_no_place_is_turned_away() {
        let (gate, inside, mut visitors) = gate(2, 2);
        for is_first in [true, false] {
            let Poll::Ready(Err(crowded)) = Visitor::new(&gate).poll() else { panic!("a place") };
            assert_eq!(crowded.is_first, is_first);
        }
        // those who have one keep it
        visitors.iter_mut().for_each(Visitor::waits);
        visitors.pop();
        Visitor::new(&gate).waits();
        drop((inside, visitors));
        let (_inside, mut waiting) =
            (Visitor::new(&gate).enters(), [(); 3].map(|()| Visitor::new(&gate)));
        waiting[..2].iter_mut().for_each(Visitor::waits);
        let Poll::Ready(Err(crowded)) = waiting[2].poll() else { panic!("a place") };
        assert!(crowded.is_first, "it was quiet in between");
    }
}
