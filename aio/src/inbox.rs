use hat_core::options::More;
use std::collections::VecDeque;

/// What arrived and was not taken yet, bounded in number and in bytes. When it is full the driver
/// stops, and with it the peer.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    /// With the weight of each, bytes.
    items: VecDeque<(T, usize)>,
    bytes: usize,
    limits: InboxLimits,
}

/// How much may wait for the application before nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxLimits {
    /// Messages, 1024: as the deployed peers' `receive_queue_size`.
    pub messages: usize,
    /// Bytes, 4 MiB: what a fast peer sends while a slow application wakes up. One message is
    /// always taken, however large. A message counts as all that was read with it, as it keeps that
    /// memory: a few bytes among 60 KiB of pings are 60 KiB. One of Juggler counts as what its
    /// value takes in memory, where that is more.
    pub bytes: usize,
    #[doc(hidden)]
    pub more: More,
}

impl InboxLimits {
    /// Up to `messages`, and up to `bytes` of them in all.
    #[must_use]
    pub const fn new(messages: usize, bytes: usize) -> Self {
        Self { messages, bytes, more: More::NONE }
    }
}

impl Default for InboxLimits {
    fn default() -> Self {
        Self::new(1024, 4 * 1024 * 1024)
    }
}

impl<T> Inbox<T> {
    pub(crate) fn new(limits: InboxLimits) -> Self {
        Self { items: VecDeque::new(), bytes: 0, limits }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.has_room_times(1)
    }

    /// Whether there would be room with limits `times` as high.
    pub(crate) fn has_room_times(&self, times: usize) -> bool {
        let InboxLimits { messages, bytes, .. } = self.limits;
        self.items.is_empty()
            || (self.items.len() < messages.saturating_mul(times)
                && self.bytes < bytes.saturating_mul(times))
    }

    pub(crate) fn push(&mut self, item: T, weight: usize) {
        self.bytes += weight;
        // mostly one waits, and a connection that is idle should hold no places for four
        if self.items.capacity() == 0 {
            self.items.reserve_exact(1);
        }
        self.items.push_back((item, weight));
    }

    /// Gives back the memory of a burst.
    pub(crate) fn rest(&mut self) {
        self.items.shrink_to_fit();
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let (item, weight) = self.items.pop_front()?;
        self.bytes -= weight;
        Some(item)
    }

    /// Takes the first for which `take` gives something, and leaves those before it where they are.
    #[cfg(feature = "juggler")]
    pub(crate) fn pop_first<U>(&mut self, take: impl Fn(&T) -> Option<U>) -> Option<U> {
        let mut found = self.items.iter().enumerate();
        let (index, taken) = found.find_map(|(at, (item, _))| Some((at, take(item)?)))?;
        if let Some((_, weight)) = self.items.remove(index) {
            self.bytes -= weight;
        }
        Some(taken)
    }

    /// Takes all, with the weight of each.
    #[cfg(feature = "juggler")]
    pub(crate) fn take_all(&mut self) -> VecDeque<(T, usize)> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_takes_one_place_and_a_burst_gives_its_places_back() {
        let mut inbox = Inbox::new(InboxLimits::default());
        for _ in 0..2 {
            inbox.push(1, 0);
            assert_eq!(inbox.pop(), Some(1));
            assert_eq!(inbox.items.capacity(), 1);
        }
        (0..1024).for_each(|item| inbox.push(item, 0));
        (0..1024).for_each(|item| assert_eq!(inbox.pop(), Some(item)));
        assert!(inbox.items.capacity() >= 1024);
        inbox.rest();
        assert_eq!(inbox.items.capacity(), 0);
    }
}
