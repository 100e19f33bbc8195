//! Who waits until the other side has been told what was flushed.

/// Whether a task waits for that, with [`Wait::Outgoing`](crate::shared::Wait).
#[derive(Debug, Default)]
pub(super) struct Awaited(bool);

impl Awaited {
    /// For the task: ready where the other side is not behind.
    pub(super) fn poll(&mut self, is_behind: bool) -> Option<()> {
        self.0 |= is_behind;
        (!is_behind).then_some(())
    }

    /// For [`Session::caught_up`](crate::shared::Session::caught_up).
    pub(super) fn is_over(&mut self, is_behind: bool) -> bool {
        !is_behind && std::mem::take(&mut self.0)
    }
}
