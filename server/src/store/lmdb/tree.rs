//! A database: one of its entries by the key, and all of them in order.

use std::io::{Read, Seek};

use bytes::Bytes;

use super::error::LmdbError;
use super::meta::Tree;
use super::pages::{Node, Page, Pages};

/// Trees of LMDB are no deeper.
const MAX_DEPTH: u16 = 32;

impl Tree {
    /// The entry with `key`.
    pub(super) fn get<R: Read + Seek>(
        &self,
        pages: &mut Pages<R>,
        key: &[u8],
    ) -> Result<Option<Node>, LmdbError> {
        let Some(mut number) = self.root else { return Ok(None) };
        for level in 1..=self.depth.min(MAX_DEPTH) {
            let page = pages.page(number)?;
            self.want_level(&page, level)?;
            let after = first_above(&page, key)?;
            if !page.is_leaf {
                // keys of a branch are the lowest behind them; that of its first node is left out
                number = page.child(after.saturating_sub(1))?;
                continue;
            }
            let Some(index) = after.checked_sub(1) else { return Ok(None) };
            let node = page.node(index)?;
            return Ok(Some(node).filter(|node| node.key == key));
        }
        Err(LmdbError::page(number, "its tree is deeper than its header says"))
    }

    /// All entries, from the first on.
    pub(super) fn walk(&self) -> Walk {
        Walk { tree: *self, stack: Vec::new(), last: None, seen: 0 }
    }

    /// Leaves are at the depth of the tree, and nowhere else.
    fn want_level(&self, page: &Page, level: u16) -> Result<(), LmdbError> {
        match page.is_leaf == (level == self.depth) {
            true => Ok(()),
            false => Err(page.wrong("it is at the wrong depth for its kind")),
        }
    }
}

/// How many nodes of `page` have a key up to `key`.
fn first_above(page: &Page, key: &[u8]) -> Result<usize, LmdbError> {
    let (mut from, mut to) = (usize::from(!page.is_leaf), page.nodes);
    while from < to {
        let middle = from + (to - from) / 2;
        if page.key(middle)? <= key {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    Ok(from)
}

/// Goes through a tree. Keys ascend, or it ends with an error; so it ends.
pub(super) struct Walk {
    tree: Tree,
    /// From the root on: pages, and the next node of each.
    stack: Vec<(Page, usize)>,
    last: Option<Bytes>,
    seen: u64,
}

impl Walk {
    pub(super) fn next<R: Read + Seek>(
        &mut self,
        pages: &mut Pages<R>,
    ) -> Result<Option<Node>, LmdbError> {
        if self.stack.is_empty() && self.seen == 0 {
            let Some(root) = self.tree.root else { return self.end() };
            self.descend(pages, root)?;
        }
        loop {
            let Some((page, next)) = self.stack.last_mut() else { return self.end() };
            if *next == page.nodes {
                self.stack.pop();
                continue;
            }
            let (page, index) = (page.clone(), *next);
            *next += 1;
            if !page.is_leaf {
                self.descend(pages, page.child(index)?)?;
                continue;
            }
            let node = page.node(index)?;
            if self.last.as_ref().is_some_and(|last| *last >= node.key) {
                return Err(page.wrong("its keys are not in order"));
            }
            self.last = Some(node.key.clone());
            self.seen += 1;
            return Ok(Some(node));
        }
    }

    /// Puts a page on the stack: no more of them than the tree is deep, and each leaf has a key
    /// above the last.
    fn descend<R: Read + Seek>(
        &mut self,
        pages: &mut Pages<R>,
        number: u64,
    ) -> Result<(), LmdbError> {
        let page = pages.page(number)?;
        let level = self.stack.len() as u16 + 1;
        if level > MAX_DEPTH {
            return Err(page.wrong("its tree is too deep"));
        }
        self.tree.want_level(&page, level)?;
        self.stack.push((page, 0));
        Ok(())
    }

    fn end(&self) -> Result<Option<Node>, LmdbError> {
        if self.seen == self.tree.entries {
            return Ok(None);
        }
        let (seen, entries) = (self.seen, self.tree.entries);
        let text = format!("{seen} entries were found in a database that should have {entries}");
        Err(LmdbError::Damaged(text.into()))
    }
}
