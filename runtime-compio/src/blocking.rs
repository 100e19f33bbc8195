//! Threads for work that blocks, of all rings together.
//!
//! compio has threads for that too, but one job more than it has threads stops the ring until one
//! is free. Here it waits.

use std::any::Any;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// Threads at the most. Work waits here for a disk or for the answer of a name server, so there may
/// be more than processors.
const MOST: usize = 128;

/// A thread without work ends after this long.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

static POOL: Pool = Pool {
    state: Mutex::new(State { jobs: VecDeque::new(), threads: 0, idle: 0 }),
    work: Condvar::new(),
};

struct Pool {
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Threads that wait for work.
    idle: usize,
}

/// Runs `work` on a thread where it may block, and gives what it returned.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let answer = Arc::new(Mutex::new(Answer::Awaited(None)));
    let waiting = answer.clone();
    POOL.add(Box::new(move || {
        let done = Answer::Done(catch_unwind(AssertUnwindSafe(work)));
        let before = mem::replace(&mut *lock(&answer), done);
        if let Answer::Awaited(Some(waker)) = before {
            waker.wake();
        }
    }))?;
    poll_fn(|cx| {
        let mut answer = lock(&waiting);
        match mem::replace(&mut *answer, Answer::Awaited(None)) {
            Answer::Awaited(_) => {
                *answer = Answer::Awaited(Some(cx.waker().clone()));
                Poll::Pending
            }
            Answer::Done(done) => {
                Poll::Ready(done.map_err(|_| io::Error::other("work that may block panicked")))
            }
        }
    })
    .await
}

enum Answer<T> {
    Awaited(Option<Waker>),
    Done(Result<T, Box<dyn Any + Send>>),
}

impl Pool {
    fn add(&'static self, job: Job) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            self.work.notify_one();
        } else if state.threads < MOST {
            let spawned =
                thread::Builder::new().name("hat-blocking".to_owned()).spawn(|| self.work());
            match spawned {
                Ok(_) => state.threads += 1,
                // the others get to it
                Err(_) if state.threads > 0 => {}
                Err(error) => {
                    state.jobs.pop_back();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What a thread does, until there was nothing to do for a while.
    fn work(&self) {
        let mut state = lock(&self.state);
        loop {
            while let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = lock(&self.state);
            }
            state.idle += 1;
            let waited = self.work.wait_timeout_while(state, IDLE, |state| state.jobs.is_empty());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
            if state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
