//! The pages of a file, checked as they are read.
//!
//! ```text
//! page     header │ offsets of its nodes u16 … │ free │ nodes
//!          the header's lower and upper: where the free part starts and ends
//! branch   node: page u48 │ size of the key u16 │ key
//! leaf     node: size u32 │ flags u16 │ size of the key u16 │ key │ value, or a page u64: overflow
//! overflow header, with the number of its pages for lower and upper │ value, over as many pages
//! ```

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

use bytes::Bytes;

use super::error::LmdbError;
use super::meta::{HEADER, META, Meta, u16_at, u32_at, u64_at};

/// Bytes of pages that are kept in memory: those that lead to others are asked for again and again.
const CACHE: usize = 16 << 20;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
/// A value that has pages of its own.
const IS_LARGE: u16 = 0x01;

/// The pages that one transaction left.
pub(super) struct Pages<R> {
    source: R,
    meta: Meta,
    cache: HashMap<u64, Page>,
}

/// A branch or a leaf.
#[derive(Clone, Debug)]
pub(super) struct Page {
    number: u64,
    bytes: Bytes,
    pub(super) is_leaf: bool,
    pub(super) nodes: usize,
}

/// A node of a leaf.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) key: Bytes,
    /// What kind of value it is, but for where it stands: 0 for one that is only that.
    pub(super) flags: u16,
    value: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Here(Bytes),
    Overflow { page: u64, size: usize },
}

impl<R: Read + Seek> Pages<R> {
    pub(super) fn open(mut source: R) -> Result<Self, LmdbError> {
        let meta = read_meta(&mut source)?;
        Ok(Self { source, meta, cache: HashMap::new() })
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// # Errors
    ///
    /// [`LmdbError::Changed`] where a transaction has been written since the file was opened. One
    /// may be under way then that overwrites pages which were free a transaction ago: those that
    /// are read here. Before, none can.
    pub(super) fn want_unchanged(&mut self) -> Result<(), LmdbError> {
        // what is half written now is a change, too
        let now = read_meta(&mut self.source).map_err(|_| LmdbError::Changed)?;
        if now == self.meta { Ok(()) } else { Err(LmdbError::Changed) }
    }

    /// A branch or a leaf.
    pub(super) fn page(&mut self, number: u64) -> Result<Page, LmdbError> {
        if let Some(page) = self.cache.get(&number) {
            return Ok(page.clone());
        }
        let bytes = self.read(number, 0, self.meta.page_size)?;
        let page = Page::read(number, bytes)?;
        if self.cache.len() >= CACHE / self.meta.page_size {
            self.cache.clear();
        }
        self.cache.insert(number, page.clone());
        Ok(page)
    }

    pub(super) fn value(&mut self, node: &Node) -> Result<Bytes, LmdbError> {
        let (page, size) = match &node.value {
            Place::Here(value) => return Ok(value.clone()),
            Place::Overflow { page, size } => (*page, *size),
        };
        let header = self.read(page, 0, HEADER)?;
        if u64_at(&header, 0) != Some(page) || u16_at(&header, 10) != Some(OVERFLOW) {
            return Err(LmdbError::page(page, "it is not an overflow page"));
        }
        let pages = u32_at(&header, 12).unwrap_or_default();
        let room = u64::from(pages) * self.meta.page_size as u64;
        let ends = page.checked_add(pages.into()).is_some_and(|end| end <= self.meta.last_page + 1);
        if !ends || room < (HEADER + size) as u64 {
            return Err(LmdbError::page(page, "its value does not fit in its pages"));
        }
        self.read(page, HEADER, size)
    }

    /// `len` bytes from `offset` on in a page, and in those that follow it.
    fn read(&mut self, page: u64, offset: usize, len: usize) -> Result<Bytes, LmdbError> {
        let early = || LmdbError::page(page, "it extends past the end of the file");
        if page > self.meta.last_page {
            return Err(LmdbError::page(page, "the page does not exist"));
        }
        let start = page.checked_mul(self.meta.page_size as u64).ok_or_else(early)?;
        let start = start.checked_add(offset as u64).ok_or_else(early)?;
        // before anything is reserved: sizes of up to 4 GiB are only claimed
        let end = self.source.seek(SeekFrom::End(0))?;
        if start.checked_add(len as u64).is_none_or(|needed| needed > end) {
            return Err(early());
        }
        self.source.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; len];
        self.source.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => early(),
            _ => error.into(),
        })?;
        Ok(bytes.into())
    }
}

impl Page {
    fn read(number: u64, bytes: Bytes) -> Result<Self, LmdbError> {
        let wrong = |what| LmdbError::page(number, what);
        if u64_at(&bytes, 0) != Some(number) {
            return Err(wrong("it has the wrong number"));
        }
        let is_leaf = match u16_at(&bytes, 10) {
            Some(LEAF) => true,
            Some(BRANCH) => false,
            _ => return Err(wrong("it is neither a branch nor a leaf")),
        };
        let lower = usize::from(u16_at(&bytes, 12).unwrap_or_default());
        let offsets = lower.checked_sub(HEADER).filter(|size| size.is_multiple_of(2));
        let nodes = offsets.filter(|_| lower <= bytes.len()).map(|size| size / 2);
        let nodes = nodes.filter(|nodes| *nodes > 0).ok_or_else(|| wrong("it has no nodes"))?;
        Ok(Self { number, bytes, is_leaf, nodes })
    }

    pub(super) fn wrong(&self, what: &str) -> LmdbError {
        LmdbError::page(self.number, what)
    }

    /// Where a node starts, and its key.
    fn key_of(&self, index: usize) -> Result<(usize, Bytes), LmdbError> {
        let outside = || self.wrong("a node extends past its end");
        let first = HEADER + 2 * self.nodes;
        let at = u16_at(&self.bytes, HEADER + 2 * index).map(usize::from);
        let at = at.filter(|at| *at >= first && index < self.nodes).ok_or_else(outside)?;
        let size = u16_at(&self.bytes, at + 6).map(usize::from).ok_or_else(outside)?;
        let end = Some(at + 8 + size).filter(|end| *end <= self.bytes.len()).ok_or_else(outside)?;
        Ok((at, self.bytes.slice(at + 8..end)))
    }

    pub(super) fn key(&self, index: usize) -> Result<Bytes, LmdbError> {
        Ok(self.key_of(index)?.1)
    }

    /// The page behind a node of a branch.
    pub(super) fn child(&self, index: usize) -> Result<u64, LmdbError> {
        let (at, _) = self.key_of(index)?;
        let low = u32_at(&self.bytes, at).unwrap_or_default();
        let high = u16_at(&self.bytes, at + 4).unwrap_or_default();
        Ok(u64::from(low) | u64::from(high) << 32)
    }

    /// A node of a leaf.
    pub(super) fn node(&self, index: usize) -> Result<Node, LmdbError> {
        let (at, key) = self.key_of(index)?;
        let size = u32_at(&self.bytes, at).unwrap_or_default() as usize;
        let flags = u16_at(&self.bytes, at + 4).unwrap_or_default();
        let start = at + 8 + key.len();
        let outside = || self.wrong("a value extends past its end");
        let value = if flags & IS_LARGE != 0 {
            let page = u64_at(&self.bytes, start).ok_or_else(outside)?;
            Place::Overflow { page, size }
        } else {
            let end = start.checked_add(size).filter(|end| *end <= self.bytes.len());
            Place::Here(self.bytes.slice(start..end.ok_or_else(outside)?))
        };
        Ok(Node { key, flags: flags & !IS_LARGE, value })
    }
}

fn read_meta(source: &mut (impl Read + Seek)) -> Result<Meta, LmdbError> {
    let mut read = |number, start| {
        let mut bytes = [0; META];
        source.seek(SeekFrom::Start(start))?;
        match source.read_exact(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let text = "this file cannot be imported: it is too short for an LMDB file";
                Err(LmdbError::Unknown(text.into()))
            }
            Err(error) => Err(error.into()),
            Ok(()) => Meta::read(number, &bytes),
        }
    };
    let first = read(0, 0)?;
    let second = read(1, first.page_size as u64)?;
    Meta::newest([first, second])
}
