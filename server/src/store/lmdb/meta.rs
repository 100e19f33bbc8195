//! The two meta pages, which say where everything else is.
//!
//! ```text
//! page     number u64 │ pad u16 │ flags u16 │ lower u16, upper u16
//! meta     magic u32 │ version u32 │ address u64 │ map size u64 │ free: tree │ main: tree
//!          last page u64 │ transaction u64
//! tree     pad u32 │ flags u16 │ depth u16 │ branch, leaf and overflow pages u64
//!          entries u64 │ root u64
//! ```
//!
//! All little-endian, with numbers of pages in 64 bits: as LMDB 0.9 writes them on such a machine.
//! A transaction writes its pages into free ones, and then the meta page that is not in use:
//! transaction n that of number n mod 2.

use super::error::LmdbError;

/// Bytes of a page's header.
pub(super) const HEADER: usize = 16;
/// Bytes of a meta page that are used.
pub(super) const META: usize = HEADER + 136;
/// Bytes of a [`Tree`].
pub(super) const TREE: usize = 48;

const MAGIC: u32 = 0xbeef_c0de;
const VERSION: u32 = 1;
const IS_META: u16 = 0x08;
const NO_ROOT: u64 = u64::MAX;

/// A tree of pages: a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) depth: u16,
    pub(super) entries: u64,
    /// `None` where it is empty.
    pub(super) root: Option<u64>,
}

/// What a meta page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) page_size: usize,
    pub(super) main: Tree,
    pub(super) last_page: u64,
    pub(super) transaction: u64,
}

impl Tree {
    /// A database without special flags, as all of the event server's are.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, LmdbError> {
        let damaged = || LmdbError::Damaged("a database's description is too short".into());
        let flags = u16_at(bytes, 4).ok_or_else(damaged)?;
        if flags != 0 {
            let text = format!("a database has the flags {flags:#x}; the event server's have none");
            return Err(LmdbError::Unknown(text.into()));
        }
        let root = u64_at(bytes, 40).ok_or_else(damaged)?;
        Ok(Self {
            depth: u16_at(bytes, 6).ok_or_else(damaged)?,
            entries: u64_at(bytes, 32).ok_or_else(damaged)?,
            root: Some(root).filter(|root| *root != NO_ROOT),
        })
    }
}

impl Meta {
    /// That of page `number`, of which there are the first bytes.
    pub(super) fn read(number: u64, bytes: &[u8; META]) -> Result<Self, LmdbError> {
        let magic = u32_at(bytes, HEADER);
        if magic == Some(MAGIC.swap_bytes()) {
            return Err(unknown("it was written by a machine with the other byte order"));
        }
        if magic != Some(MAGIC) {
            return Err(match u32_at(bytes, 12) {
                Some(MAGIC) => unknown("it was written by a 32-bit machine"),
                _ => unknown("it is not an LMDB file, or its first pages are damaged"),
            });
        }
        let version = u32_at(bytes, HEADER + 4).unwrap_or_default();
        if version != VERSION {
            return Err(unknown(&format!("its format has version {version}, not {VERSION}")));
        }
        if u64_at(bytes, 0) != Some(number) || u16_at(bytes, 10) != Some(IS_META) {
            return Err(LmdbError::page(number, "it is not a meta page"));
        }
        let page_size = u32_at(bytes, HEADER + 24).unwrap_or_default();
        if !page_size.is_power_of_two() || !(256..=65_536).contains(&page_size) {
            return Err(unknown(&format!("its pages have {page_size} bytes")));
        }
        let end = || LmdbError::page(number, "it ends early");
        Ok(Self {
            page_size: page_size as usize,
            main: Tree::read(&bytes[HEADER + 24 + TREE..])?,
            last_page: u64_at(bytes, HEADER + 24 + 2 * TREE).ok_or_else(end)?,
            transaction: u64_at(bytes, HEADER + 32 + 2 * TREE).ok_or_else(end)?,
        })
    }

    /// The newest of the two. As LMDB, this wants both to be sound: where one is not, nobody knows
    /// whether it was the newer one, and pages that the older one names may have been used again.
    pub(super) fn newest(metas: [Self; 2]) -> Result<Self, LmdbError> {
        let [even, odd] = metas;
        if even.page_size != odd.page_size {
            return Err(LmdbError::Damaged("the two meta pages have different page sizes".into()));
        }
        let is_new = even.transaction == 0 && odd.transaction == 0;
        let follows = even.transaction.is_multiple_of(2)
            && !odd.transaction.is_multiple_of(2)
            && even.transaction.abs_diff(odd.transaction) == 1;
        if !is_new && !follows {
            let text = format!(
                "the two meta pages are of the transactions {} and {}, which are not consecutive",
                even.transaction, odd.transaction
            );
            return Err(LmdbError::Damaged(text.into()));
        }
        Ok(if odd.transaction > even.transaction { odd } else { even })
    }
}

fn unknown(why: &str) -> LmdbError {
    LmdbError::Unknown(format!("this file cannot be imported: {why}").into())
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
