//! How many events to ask for at a time.

/// What servers give at the most where they are not told: `hat-event`, and this library's.
const USUAL: u64 = 4_096;

/// So many pages of a size are taken before one is tried again that did not fit before.
const TRY_AGAIN: u32 = 16;

/// The size of pages: less where an answer was too large or ended the connection, and more again
/// where it was taken.
#[derive(Clone, Copy, Debug)]
pub(in crate::eventer) struct Page {
    /// What was configured. `None` is the server's own limit.
    most: Option<i64>,
    /// `None` as configured.
    now: Option<u64>,
    /// So many did not fit, a few pages ago.
    too_many: Option<u64>,
    /// Pages taken since, of the largest size below that.
    taken: u32,
}

impl Page {
    pub(in crate::eventer) fn new(most: Option<i64>) -> Self {
        Self { most, now: None, too_many: None, taken: 0 }
    }

    pub(in crate::eventer) fn size(&self) -> Option<i64> {
        self.now.map_or(self.most, |now| i64::try_from(now).ok())
    }

    fn usual(&self) -> u64 {
        self.most.map_or(USUAL, |most| most.clamp(1, 1 << 32) as u64)
    }

    /// A page ended the connection: by `size` where `limit` is the most, if that is known. `false`:
    /// it was of one event, and cannot be smaller.
    pub(in crate::eventer) fn shrink(&mut self, too_large: Option<(u64, usize)>) -> bool {
        let size = self.now.unwrap_or(self.usual());
        // a connection that ended costs more than an answer that could have been larger
        let smaller = match too_large {
            Some((bytes, limit)) if bytes > limit as u64 => {
                let fits = u128::from(size) * limit as u128 / u128::from(bytes);
                (fits as u64 / 2).min(size / 2)
            }
            _ => size / 8,
        };
        self.now = Some(smaller.max(1));
        (self.too_many, self.taken) = (Some(size), 0);
        size > 1
    }

    /// A page was taken. Often events are of one size: what did not fit a moment ago does not now.
    pub(in crate::eventer) fn grow(&mut self) {
        let Some(larger) = self.now.map(|now| now * 2) else { return };
        if self.too_many.is_some_and(|too_many| larger >= too_many) {
            self.taken += 1;
            if self.taken < TRY_AGAIN {
                return;
            }
            (self.too_many, self.taken) = (None, 0);
        }
        self.now = Some(larger).filter(|&larger| larger < self.usual());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halved_by_what_is_known() {
        let mut page = Page::new(None);
        assert_eq!(page.size(), None);
        // 4 096 events of 20 KB
        assert!(page.shrink(Some((82_000_000, 64 * 1024 * 1024))));
        assert_eq!(page.size(), Some(1676));
        page.grow();
        assert_eq!(page.size(), Some(3352));
        for _ in 0..TRY_AGAIN {
            assert_eq!(page.size(), Some(3352), "4 096 did not fit");
            page.grow();
        }
        assert_eq!(page.size(), None, "they may fit by now");
    }

    #[test]
    fn unknown_reasons_come_to_one_and_an_end() {
        let mut page = Page::new(Some(1000));
        let sizes: alloc::vec::Vec<_> =
            core::iter::from_fn(|| page.shrink(None).then(|| page.size())).collect();
        assert_eq!(sizes, [Some(125), Some(15), Some(1)]);
    }
}
