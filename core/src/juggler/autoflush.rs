//! When the changes of a state are sent: the window that the first of them opens.
//!
//! ```text
//! delay d       change ── change ──── d after the first ──> flush      change ── …
//! delay zero    change ──> flush   change ──> flush
//! no delay      change ── change ──── … ──── until the application flushes
//! ```

use core::time::Duration;

use crate::time::Instant;

/// The timer of one state. It knows nothing of the state itself: say [`changed`](Self::changed)
/// after each change, flush when it says so or when [`poll`](Self::poll) does, and say
/// [`flushed`](Self::flushed) then.
#[derive(Clone, Debug)]
pub struct Autoflush {
    delay: Option<Duration>,
    window: Window,
}

#[derive(Clone, Copy, Debug)]
enum Window {
    /// Nothing has changed.
    Closed,
    /// Something has, and nobody said yet what time it is.
    Opening,
    /// The time to flush.
    Until(Instant),
}

impl Autoflush {
    /// What the deployed peers wait by default: 0.2 s.
    pub const DEFAULT_DELAY: Option<Duration> = Some(Duration::from_millis(200));

    /// A timer that flushes `delay` after the first change: zero means at every change, `None`
    /// never.
    #[must_use]
    pub fn new(delay: Option<Duration>) -> Self {
        Self { delay, window: Window::Closed }
    }

    /// The state has changed. True: flush now, as the delay is zero. Otherwise [`poll`](Self::poll)
    /// as after any call.
    #[must_use]
    pub fn changed(&mut self) -> bool {
        match self.delay {
            None => false,
            Some(Duration::ZERO) => true,
            Some(_) => {
                if let Window::Closed = self.window {
                    self.window = Window::Opening;
                }
                false
            }
        }
    }

    /// The state was flushed, for whatever reason: the next change opens the next window.
    pub fn flushed(&mut self) {
        self.window = Window::Closed;
    }

    /// Opens the window at `now` if something has changed, and says whether to flush.
    #[must_use]
    pub fn poll(&mut self, now: Instant) -> bool {
        if let (Window::Opening, Some(delay)) = (self.window, self.delay) {
            self.window = Window::Until(now + delay);
        }
        matches!(self.window, Window::Until(at) if now >= at)
    }

    /// When [`poll`](Self::poll) will say to flush.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.window {
            Window::Until(at) => Some(at),
            Window::Closed | Window::Opening => None,
        }
    }
}

impl Default for Autoflush {
    fn default() -> Self {
        Self::new(Self::DEFAULT_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(ms))
    }

    #[test]
    fn the_first_change_opens_the_window() {
        let mut autoflush = Autoflush::default();
        assert!(!autoflush.poll(at(0)));
        assert!(!autoflush.changed());
        assert!(!autoflush.poll(at(10)));
        assert!(!autoflush.changed());
        assert!(!autoflush.poll(at(209)));
        assert_eq!(autoflush.deadline(), Some(at(210)));
        assert!(autoflush.poll(at(210)));
        autoflush.flushed();
        assert_eq!(autoflush.deadline(), None);
        assert!(!autoflush.poll(at(1000)));
    }

    #[test]
    fn zero_is_at_once_and_none_is_never() {
        assert!(Autoflush::new(Some(Duration::ZERO)).changed());
        let mut never = Autoflush::new(None);
        assert!(!never.changed());
        assert!(!never.poll(at(1_000_000)));
        assert_eq!(never.deadline(), None);
    }
}
