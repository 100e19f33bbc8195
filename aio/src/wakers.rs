use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// Tasks that wait for the same thing, by place, oldest first. A future that is dropped leaves its
/// place: the set is never larger than the number of futures that wait.
#[derive(Debug, Default)]
pub(crate) struct WakerSet {
    /// The number of the place, even, or an odd one of a [task](Self::add_task).
    waiting: Vec<(u64, Waker)>,
    last: u64,
}

/// Where a future waits in a [`WakerSet`].
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Place(Option<u64>);

#[cfg(feature = "web")]
impl Place {
    /// It was given to a future, which has not left it.
    pub(crate) fn is_taken(&self) -> bool {
        self.0.is_some()
    }
}

impl WakerSet {
    /// The task of `cx` waits at `place`, from now until the next [`wake`](Self::wake).
    pub(crate) fn add(&mut self, cx: &Context<'_>, place: &mut Place) {
        match place.0.and_then(|number| self.find(number)) {
            Some(index) => self.waiting[index].1.clone_from(cx.waker()),
            None => {
                let number = (self.last | 1) + 1;
                *place = Place(Some(number));
                self.push(number, cx);
            }
        }
    }

    /// The same without a place, for what has no future to be dropped. A task that waits so already
    /// is not added again; one that waits at a place is, for it may leave that.
    pub(crate) fn add_task(&mut self, cx: &Context<'_>) {
        let mut tasks = self.waiting.iter().filter(|(number, _)| number % 2 == 1);
        if !tasks.any(|(_, waker)| waker.will_wake(cx.waker())) {
            self.push((self.last + 1) | 1, cx);
        }
    }

    fn push(&mut self, number: u64, cx: &Context<'_>) {
        self.last = number;
        // mostly one task waits, and an idle connection should hold no places for four
        if self.waiting.capacity() == 0 {
            self.waiting.reserve_exact(1);
        }
        self.waiting.push((number, cx.waker().clone()));
    }

    /// Nobody waits at `place` any more.
    #[inline]
    pub(crate) fn leave(&mut self, place: &mut Place) {
        if let Some(index) = place.0.take().and_then(|number| self.find(number)) {
            self.waiting.remove(index);
        }
    }

    /// Moves all tasks to `list`, to be woken when the lock is released.
    pub(crate) fn wake(&mut self, list: &mut Vec<Waker>) {
        if !self.waiting.is_empty() {
            list.extend(self.waiting.drain(..).map(|(_, waker)| waker));
        }
    }

    /// Takes the task that waits longest out, with its place.
    #[cfg(feature = "web")]
    pub(crate) fn take_first(&mut self) -> Option<(Place, Waker)> {
        let (number, waker) = (!self.waiting.is_empty()).then(|| self.waiting.remove(0))?;
        Some((Place(Some(number)), waker))
    }

    /// Futures that wait.
    #[cfg(feature = "web")]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn find(&self, number: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&number, |&(number, _)| number).ok()
    }
}

/// Polls `poll` until it is ready; where it is not, it [adds](WakerSet::add) the place that it is
/// given to a set. `leave` [leaves](WakerSet::leave) that set when the future is dropped before.
pub(crate) async fn wait_in<T>(
    mut poll: impl FnMut(&mut Context<'_>, &mut Place) -> Poll<T>,
    leave: impl FnMut(&mut Place),
) -> T {
    let mut waiting = WaitGuard { place: Place::default(), leave };
    poll_fn(|cx| poll(cx, &mut waiting.place)).await
}

struct WaitGuard<F: FnMut(&mut Place)> {
    place: Place,
    leave: F,
}

impl<F: FnMut(&mut Place)> Drop for WaitGuard<F> {
    fn drop(&mut self) {
        if self.place.0.is_some() {
            (self.leave)(&mut self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::Future;
    use std::pin::pin;

    use super::*;

    fn wait_for_ever(set: &RefCell<WakerSet>) -> impl Future<Output = ()> {
        wait_in(
            |cx, place| {
                set.borrow_mut().add(cx, place);
                Poll::Pending
            },
            |place| set.borrow_mut().leave(place),
        )
    }

    #[test]
    fn futures_that_are_gone_leave_nothing() {
        let set = RefCell::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = pin!(wait_for_ever(&set));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        for _ in 0..80_000 {
            let mut short = pin!(wait_for_ever(&set));
            assert!(short.as_mut().poll(&mut cx).is_pending());
            assert_eq!(set.borrow().waiting.len(), 2);
        }
        // polled again, it is there once
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert_eq!(set.borrow().waiting.len(), 1);
    }

    #[test]
    fn who_was_woken_and_waits_again_is_woken_again() {
        let set = RefCell::default();
        let mut cx = Context::from_waker(Waker::noop());
        let (mut one, mut other) = (pin!(wait_for_ever(&set)), pin!(wait_for_ever(&set)));
        for _ in 0..2 {
            assert!(one.as_mut().poll(&mut cx).is_pending());
            assert!(other.as_mut().poll(&mut cx).is_pending());
            let mut woken = Vec::new();
            set.borrow_mut().wake(&mut woken);
            assert_eq!(woken.len(), 2);
        }
    }

    /// A task that polls a stream, and beside it a future that is dropped.
    #[test]
    fn a_task_waits_on_when_its_future_leaves() {
        let set = RefCell::default();
        let mut cx = Context::from_waker(Waker::noop());
        {
            let mut short = pin!(wait_for_ever(&set));
            assert!(short.as_mut().poll(&mut cx).is_pending());
            for _ in 0..3 {
                set.borrow_mut().add_task(&cx);
            }
            assert_eq!(set.borrow().waiting.len(), 2);
        }
        let mut woken = Vec::new();
        set.borrow_mut().wake(&mut woken);
        assert_eq!(woken.len(), 1);
    }

    #[test]
    fn one_that_waits_takes_one_place() {
        let mut set = WakerSet::default();
        let cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            set.add(&cx, &mut Place::default());
            set.wake(&mut Vec::new());
            assert_eq!(set.waiting.capacity(), 1);
        }
    }
}
