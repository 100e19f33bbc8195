use alloc::vec::Vec;

use bytestring::ByteString;

/// Names that are kept. A connection has a handful, and more would be searched for longer than it
/// takes to check them.
const MOST: usize = 8;

/// Bytes of a name that is kept: twice the longest that there is.
const LONGEST: usize = 64;

/// Names of messages that are expected, and of those that came before. The next message of one of
/// them shares it: its letters are not checked again, and whoever keeps it keeps no block.
#[derive(Debug, Default)]
pub(super) struct Names {
    expected: &'static [&'static str],
    came: Vec<ByteString>,
    /// Which was found last, as it is most likely the next.
    last: usize,
}

impl Names {
    pub(super) fn new(expected: &'static [&'static str]) -> Self {
        Self { expected, ..Self::default() }
    }

    /// The one that `name` is.
    #[inline]
    pub(super) fn find(&mut self, name: &[u8]) -> Option<ByteString> {
        if self.text(self.last).is_none_or(|text| text != name) {
            let all = self.expected.len() + self.came.len();
            self.last = (0..all).find(|&index| self.text(index) == Some(name))?;
        }
        match self.expected.get(self.last) {
            // nobody counts who shares it
            Some(name) => Some(ByteString::from_static(name)),
            None => Some(self.came[self.last - self.expected.len()].clone()),
        }
    }

    #[inline]
    fn text(&self, index: usize) -> Option<&[u8]> {
        match self.expected.get(index) {
            Some(name) => Some(name.as_bytes()),
            None => Some(self.came.get(index - self.expected.len())?.as_bytes()),
        }
    }

    /// Keeps a copy of a name that is not there yet, if there is room.
    pub(super) fn keep(&mut self, name: &str) {
        if self.came.len() < MOST && name.len() <= LONGEST && self.find(name.as_bytes()).is_none() {
            // one place is enough for most: with four at once, an idle connection would hold more
            self.came.reserve_exact(1);
            self.came.push(name.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_expected_are_there_before_they_come() {
        let mut names = Names::new(&["a", "b"]);
        names.keep("b");
        assert_eq!(names.came.len(), 0);
        names.keep("c");
        assert_eq!(names.came.len(), 1);
        for name in ["c", "a", "c", "c", "b"] {
            assert_eq!(names.find(name.as_bytes()).as_deref(), Some(name));
        }
        assert_eq!(names.find(b"d"), None);
    }

    #[test]
    fn a_peer_with_many_names_fills_no_memory() {
        let mut names = Names::default();
        names.keep(&"x".repeat(LONGEST + 1));
        assert_eq!(names.came.len(), 0);
        (0..100).for_each(|index| names.keep(&alloc::format!("{index:64}")));
        (0..100).for_each(|index| names.keep(&alloc::format!("{index:64}")));
        assert_eq!(names.came.len(), MOST);
        assert!(names.find(alloc::format!("{:64}", 7).as_bytes()).is_some());
        assert!(names.find(alloc::format!("{:64}", 8).as_bytes()).is_none());
    }
}
