//! The requests of a client: those that the application has, and those that wait for their turn.

use alloc::collections::{BTreeMap, VecDeque};

use super::{Config, RequestId};
use crate::juggler::fields::Id;
use crate::juggler::message::Request;

#[derive(Debug)]
pub(super) struct Requests {
    parallel: bool,
    max: usize,
    max_waiting: usize,
    /// How many were given to the application, ever.
    given: u64,
    open: BTreeMap<RequestId, Id>,
    /// Those whose turn has not come, with the bytes that they took on the wire.
    waiting: VecDeque<(Request, usize)>,
    /// Bytes of memory that their data take: up to thirty times what came on the wire.
    waiting_bytes: usize,
}

impl Requests {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            parallel: config.parallel_requests,
            max: config.max_requests.max(1),
            max_waiting: config.max_waiting,
            given: 0,
            open: BTreeMap::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// There are so many that nothing more may be read.
    pub(super) fn hold_up(&self) -> bool {
        let count = self.open.len() + self.waiting.len();
        count >= self.max || (self.waiting_bytes > 0 && self.waiting_bytes >= self.max_waiting)
    }

    pub(super) fn push(&mut self, request: Request, size: usize) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(request.weight());
        self.waiting.push_back((request, size));
    }

    /// The next one whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(Request, usize)> {
        if !self.parallel && !self.open.is_empty() {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(next.0.weight());
        Some(next)
    }

    /// The application gets a request, which is to be answered as `id` says.
    pub(super) fn give(&mut self, id: Id) -> RequestId {
        self.given += 1;
        let request = RequestId(self.given);
        self.open.insert(request, id);
        request
    }

    pub(super) fn id(&self, request: RequestId) -> Option<&Id> {
        self.open.get(&request)
    }

    pub(super) fn answered(&mut self, request: RequestId) {
        self.open.remove(&request);
    }

    /// Requests whose turn has not come.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Requests that the application has to answer.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.waiting.clear();
        self.waiting_bytes = 0;
    }
}
