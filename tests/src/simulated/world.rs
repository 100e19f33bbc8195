//! The world of one run: its tasks, its time, and what is planned.

use std::any::type_name;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt::{self, Display};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::habits::Habits;
use super::net::{EndId, Fault, Net};
use super::timer::Timers;
use crate::simulation::{Random, Seed, Trace};

/// Polls of a run: a scenario has some ten thousand.
const MOST_POLLS: u64 = 5_000_000;

/// Virtual time of a run, ten days.
const TOO_LONG: Duration = Duration::from_secs(10 * 24 * 3600);

/// Virtual time after the end of the scenario in which all that it left must come to its end: a
/// connection that closes gives a peer that takes nothing some seconds, and one that hangs while it
/// is made half a minute.
const COMING_TO_REST: Duration = Duration::from_secs(300);

thread_local! {
    static CURRENT: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// What runs under [`run`], seen from inside: the network of it can be made to fail.
#[derive(Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
    ready: Arc<Ready>,
}

pub(super) struct Inner {
    pub(super) random: Random,
    pub(super) trace: Trace,
    /// Of all that happened.
    digest: u64,
    /// The time that this stands for is [`origin`](Self::origin) on the runtime's clock.
    pub(super) now: Duration,
    origin: Instant,
    pub(super) habits: Habits,
    tasks: BTreeMap<TaskId, Task>,
    next_task: u64,
    /// Tasks that do not run for a time.
    frozen: BTreeMap<TaskId, Duration>,
    pub(super) timers: Timers,
    agenda: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    planned: u64,
    pub(super) net: Net,
    polls: u64,
    faults: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TaskId(u64);

/// The scenario itself.
const MAIN: TaskId = TaskId(0);

struct Task {
    name: &'static str,
    /// `None` while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    waker: Waker,
}

/// Something that is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Timer(u64),
    /// Something may have arrived at an end.
    Arrive(EndId),
    /// An end may have room to write again, or its write is done.
    Room(EndId),
    /// The connection fails at an end.
    Fail(EndId, std::io::ErrorKind),
    /// Something goes wrong somewhere.
    Fault,
    /// A task may run again.
    Thaw,
}

/// Tasks that were woken.
#[derive(Default)]
struct Ready(Mutex<BTreeSet<TaskId>>);

impl Ready {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct TaskWaker {
    task: TaskId,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.lock().insert(self.task);
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of every step: two runs with the same one were the same.
    pub digest: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// Virtual time.
    pub time: Duration,
    /// Faults that came.
    pub faults: u64,
}

/// Runs `scenario` in a world of its own, and then until nothing of it is left.
///
/// # Panics
///
/// Where the scenario does, and for all that the [module](super) names.
pub fn run<T>(seed: Seed, habits: Habits, scenario: impl Future<Output = T>) -> (T, Report) {
    let world = World::new(seed, habits);
    let ending = Ending(world.clone());
    CURRENT.with_borrow_mut(|current| {
        assert!(current.replace(world.clone()).is_none(), "this thread runs a world already");
    });
    let mut scenario = Some(Box::pin(scenario));
    let mut output = None;
    let waker = world.waker(MAIN);
    waker.wake_by_ref();
    while output.is_none() {
        match world.next() {
            Some(MAIN) => {
                let scenario = scenario.as_mut().expect("it is not over");
                let waker = world.begin(MAIN, &waker);
                if let Poll::Ready(value) = scenario.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    output = Some(value);
                }
                world.over(MAIN, output.is_some());
            }
            Some(task) => world.poll(task),
            None => panic!("the scenario waits for ever; there are {}", world.lock()),
        }
    }
    drop(scenario.take());
    let end = world.lock().now;
    while let Some(task) = world.next() {
        if task != MAIN {
            world.poll(task);
        }
        let inner = world.lock();
        let is_resting = inner.now <= end + COMING_TO_REST;
        assert!(is_resting, "it does not come to its end; there are {inner}");
    }
    let inner = world.lock();
    assert!(inner.is_empty(), "something is left: {inner}");
    let report =
        Report { digest: inner.digest, polls: inner.polls, time: inner.now, faults: inner.faults };
    drop(inner);
    drop(ending);
    (output.expect("the scenario is over"), report)
}

/// Drops what is left, also where a run panics.
struct Ending(World);

impl Drop for Ending {
    fn drop(&mut self) {
        loop {
            // outside of the lock: what a task drops comes back here
            let task = self.0.lock().tasks.pop_first();
            if task.is_none() {
                break;
            }
        }
        CURRENT.take();
    }
}

impl World {
    fn new(seed: Seed, habits: Habits) -> Self {
        let mut random = Random::new(seed.number);
        let faults: Vec<_> =
            (0..habits.faults).map(|_| random.duration(habits.faults_within)).collect();
        let mut inner = Inner {
            random,
            trace: Trace::new(seed.is_traced),
            digest: 0xcbf2_9ce4_8422_2325,
            now: Duration::ZERO,
            origin: Instant::now(),
            habits,
            tasks: BTreeMap::new(),
            next_task: 1,
            frozen: BTreeMap::new(),
            timers: Timers::default(),
            agenda: BinaryHeap::new(),
            planned: 0,
            net: Net::default(),
            polls: 0,
            faults: 0,
        };
        for at in faults {
            inner.plan(at, Event::Fault);
        }
        inner.note(&[], || format!("{habits:?}"));
        Self { inner: Arc::new(Mutex::new(inner)), ready: Arc::default() }
    }

    /// The world that this thread runs.
    ///
    /// # Panics
    ///
    /// If it runs none.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).expect("a world runs on this thread")
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything random of a scenario comes from here.
    pub fn random<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.lock().random)
    }

    /// Whether nothing goes wrong in it.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.lock().habits.is_calm
    }

    /// A line of the trace.
    pub fn note<D: Display>(&self, line: impl FnOnce() -> D) {
        self.lock().note(&[], line);
    }

    /// Something goes wrong, now.
    pub fn fault(&self, fault: Fault) {
        let wake = self.lock().carry_out(fault);
        wake.into_iter().for_each(Waker::wake);
    }

    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        let mut inner = self.lock();
        let id = TaskId(inner.next_task);
        inner.next_task += 1;
        inner.note(&[id.0], || format!("task {} is {}", id.0, short(type_name::<F>())));
        let waker = self.waker(id);
        waker.wake_by_ref();
        let task = Task { name: type_name::<F>(), future: Some(Box::pin(task)), waker };
        inner.tasks.insert(id, task);
    }

    fn waker(&self, task: TaskId) -> Waker {
        Waker::from(Arc::new(TaskWaker { task, ready: self.ready.clone() }))
    }

    /// The task to poll next; `None` where there will never be one.
    fn next(&self) -> Option<TaskId> {
        loop {
            let wake = {
                let mut inner = self.lock();
                assert!(inner.polls < MOST_POLLS, "it does not end; there are {inner}");
                assert!(inner.now < TOO_LONG, "it takes too long; there are {inner}");
                match inner.due() {
                    Some(event) => inner.happen(event),
                    None => {
                        if let Some(task) = self.pick(&mut inner) {
                            return Some(task);
                        }
                        inner.now = inner.next_time()?;
                        continue;
                    }
                }
            };
            wake.into_iter().for_each(Waker::wake);
        }
    }

    /// Any task that may run now.
    fn pick(&self, inner: &mut Inner) -> Option<TaskId> {
        let mut ready = self.ready.lock();
        let now = inner.now;
        inner.frozen.retain(|_, until| *until > now);
        if !inner.tasks.is_empty() && inner.random.chance(inner.habits.spurious) {
            let index = inner.random.below(inner.tasks.len());
            let task = inner.tasks.keys().nth(index).copied();
            if let Some(task) = task.filter(|task| !inner.frozen.contains_key(task)) {
                ready.remove(&task);
                return Some(task);
            }
        }
        let free: Vec<_> =
            ready.iter().copied().filter(|task| !inner.frozen.contains_key(task)).collect();
        if free.is_empty() {
            return None;
        }
        let task = inner.random.pick(&free);
        ready.remove(&task);
        Some(task)
    }

    fn poll(&self, task: TaskId) {
        let (future, waker) = {
            let mut inner = self.lock();
            let Some(it) = inner.tasks.get_mut(&task) else { return };
            (it.future.take().expect("only one poll at a time"), it.waker.clone())
        };
        let mut future = future;
        let waker = self.begin(task, &waker);
        let is_over = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if is_over {
            // outside of the lock: what it drops comes back here
            drop(future);
            self.lock().tasks.remove(&task);
        } else if let Some(it) = self.lock().tasks.get_mut(&task) {
            it.future = Some(future);
        }
        self.over(task, is_over);
    }

    /// A poll begins: what wakes its task.
    fn begin(&self, task: TaskId, waker: &Waker) -> Waker {
        let mut inner = self.lock();
        inner.polls += 1;
        if inner.habits.fresh_wakers {
            return self.waker(task);
        }
        waker.clone()
    }

    /// A poll is over, and time has passed.
    fn over(&self, task: TaskId, is_over: bool) {
        let mut inner = self.lock();
        let cost = inner.habits.cost;
        let cost = inner.random.duration(cost);
        inner.now += cost;
        let ready = if is_over { "is over" } else { "ran" };
        inner.note(&[task.0, u64::from(is_over)], || format!("task {} {ready}", task.0));
    }
}

/// The last part of a type's name, without what it is generic over.
fn short(name: &str) -> &str {
    name.split_once('<').map_or(name, |(front, _)| front)
}

impl Inner {
    pub(super) fn plan(&mut self, at: Duration, event: Event) {
        self.planned += 1;
        self.agenda.push(Reverse((at, self.planned, event)));
    }

    /// Adds `numbers` to the digest, and a line to the trace.
    pub(super) fn note<D: Display>(&mut self, numbers: &[u64], line: impl FnOnce() -> D) {
        let now = self.now.as_micros() as u64;
        for number in numbers.iter().chain([&now]) {
            // FNV-1a, a word at a time
            self.digest = (self.digest ^ number).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.trace.note(hat_core::time::Instant::from_origin(self.now), line);
    }

    /// `at` of the runtime's clock.
    pub(super) fn virtual_time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.origin)
    }

    pub(super) fn real_time(&self, at: Duration) -> Instant {
        self.origin + at
    }

    /// The next plan whose time has come.
    fn due(&mut self) -> Option<Event> {
        let Reverse((at, _, _)) = self.agenda.peek()?;
        if *at > self.now {
            return None;
        }
        self.agenda.pop().map(|Reverse((_, _, event))| event)
    }

    /// The time of the next plan that still is one.
    fn next_time(&mut self) -> Option<Duration> {
        while let Some(&Reverse((at, _, event))) = self.agenda.peek() {
            let is_planned = match event {
                Event::Timer(id) => self.timers.is_planned(id, at),
                // nothing is left that could fail
                Event::Fault => !self.is_empty(),
                _ => true,
            };
            if is_planned {
                return Some(at);
            }
            self.agenda.pop();
        }
        None
    }

    /// Carries a plan out; gives whom to wake.
    fn happen(&mut self, event: Event) -> Vec<Waker> {
        match event {
            Event::Timer(id) => self.timers.fire(id).into_iter().collect(),
            Event::Arrive(end) => self.arrive(end),
            Event::Room(end) => self.net.wake_writer(end),
            Event::Fail(end, kind) => self.fail(end, kind),
            Event::Thaw => Vec::new(),
            Event::Fault => match self.any_fault() {
                Some(fault) => self.carry_out(fault),
                None => Vec::new(),
            },
        }
    }

    fn carry_out(&mut self, fault: Fault) -> Vec<Waker> {
        self.faults += 1;
        self.note(&[], || format!("{fault:?}"));
        match fault {
            Fault::Jump(time) => self.now += time,
            Fault::Freeze(time) => {
                let until = self.now + time;
                let all: Vec<_> = self.tasks.keys().copied().collect();
                if !all.is_empty() {
                    let task = self.random.pick(&all);
                    self.note(&[task.0], || format!("task {} does not run", task.0));
                    self.frozen.insert(task, until);
                    self.plan(until, Event::Thaw);
                }
            }
            fault => return self.fault(fault),
        }
        Vec::new()
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.timers.len() == 0 && self.net.is_empty()
    }
}

impl Display for Inner {
    /// What there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, timers, net, now, .. } = self;
        let names: Vec<_> = tasks.iter().map(|(id, it)| (id.0, it.name)).collect();
        write!(f, "{} timers, {net}, tasks {names:?}, after {now:?}", timers.len())
    }
}
