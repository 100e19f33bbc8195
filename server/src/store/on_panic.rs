//! What is to be done where a fault of the program ends a thread: nobody may wait for it in vain,
//! or go on without it.

/// Calls what it has where a panic drops it.
pub(crate) struct OnPanic<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnPanic<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)();
        }
    }
}
