use alloc::vec::Vec;

use bytestring::ByteString;

/// Names that are kept. A connection has a handful, and more would be searched for longer than it
/// takes to check them.
const MOST: usize = 8;

/// Bytes of a name that is kept: twice the longest that there is.
const LONGEST: usize = 64;

/// Names of messages that came before. The next message of one of them shares it: its letters are
/// not checked again, and whoever keeps it keeps no block.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<ByteString>);

impl Names {
    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<&ByteString> {
        self.0.iter().find(|known| known.as_bytes() == name)
    }

    /// Keeps a copy of a name that is not there yet, if there is room.
    pub(super) fn keep(&mut self, name: &str) {
        if self.0.len() < MOST && name.len() <= LONGEST && self.get(name.as_bytes()).is_none() {
            // one place is enough for most: with four at once, an idle connection would hold more
            self.0.reserve_exact(1);
            self.0.push(name.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_with_many_names_fills_no_memory() {
        let mut names = Names::default();
        names.keep(&"x".repeat(LONGEST + 1));
        assert_eq!(names.0.len(), 0);
        (0..100).for_each(|index| names.keep(&alloc::format!("{index:64}")));
        (0..100).for_each(|index| names.keep(&alloc::format!("{index:64}")));
        assert_eq!(names.0.len(), MOST);
        assert!(names.get(alloc::format!("{:64}", 7).as_bytes()).is_some());
        assert!(names.get(alloc::format!("{:64}", 8).as_bytes()).is_none());
    }
}
