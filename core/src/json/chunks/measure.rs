/// What a value is in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::json) struct Measure {
    /// Bytes of memory; parts that are shared count as often as they occur.
    pub(in crate::json) weight: usize,
    /// Levels of lists and objects; nothing for a plain value.
    pub(in crate::json) height: usize,
}

impl Measure {
    pub(super) fn sum(all: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        all.for_each(|one| sum.add(one));
        sum
    }

    pub(super) fn add(&mut self, one: Self) {
        self.weight = self.weight.saturating_add(one.weight);
        self.height = self.height.max(one.height);
    }

    /// One of those in the sum has become another; `all` are the measures that the sum is of now.
    pub(super) fn replace<I: Iterator<Item = Self>>(
        &mut self,
        before: Self,
        after: Self,
        all: impl FnOnce() -> I,
    ) {
        self.weight = self.weight.saturating_sub(before.weight).saturating_add(after.weight);
        if after.height < before.height && before.height == self.height {
            // the highest has shrunk; mostly the first that is looked at is as high
            let top = self.height;
            let mut highest = 0;
            for one in all() {
                highest = highest.max(one.height);
                if highest == top {
                    break;
                }
            }
            self.height = highest;
        } else {
            self.height = self.height.max(after.height);
        }
    }
}
