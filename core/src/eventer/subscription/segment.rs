//! Segments as they are looked up: as keys that are compared in one step, and in the order of their
//! hashes.

/// What stands for a segment: of up to 15 bytes all of them and their count, of more a hash and the
/// count, which are the same for hardly any others.
///
/// ```text
/// short   up to 15 bytes, then zeros                     │ count
/// long    hash, 8 bytes │ count, 4 bytes, and zeros      │ ff
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    low: u64,
    high: u64,
}

/// Bytes of the longest segment that is in its key.
const SHORT: usize = 15;

const LONG: u64 = 0xff << 56;

impl Key {
    #[inline]
    pub(super) fn of(segment: &[u8]) -> Self {
        let len = segment.len();
        match short(segment) {
            Some((low, high)) => Self { low, high: high | (len as u64) << 56 },
            None => Self { low: hash(segment), high: LONG | u64::from(len as u32) },
        }
    }

    /// It may be that of another segment too.
    #[inline]
    pub(super) fn is_long(self) -> bool {
        self.high & LONG == LONG
    }

    /// Spreads keys evenly. The same everywhere and always.
    #[inline]
    pub(super) fn hash(self) -> u32 {
        let product = u128::from(self.low ^ FACTOR) * u128::from(self.high ^ OTHER);
        ((product as u64 ^ (product >> 64) as u64) >> 32) as u32
    }
}

/// Odd, and with bits all over, as the other one.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const OTHER: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// The bytes of a segment that is short: words that overlap take them without a loop.
#[inline]
fn short(segment: &[u8]) -> Option<(u64, u64)> {
    let len = segment.len();
    if len > SHORT {
        return None;
    }
    if let (Some(first), Some(last)) = (segment.first_chunk(), segment.last_chunk()) {
        let high = u64::from_le_bytes(*last) >> (8 * (SHORT - len)) >> 8;
        return Some((u64::from_le_bytes(*first), high));
    }
    let low = if let (Some(first), Some(last)) = (segment.first_chunk(), segment.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4));
        u64::from(u32::from_le_bytes(*first)) | last
    } else if let ([first, ..], [.., last]) = (segment, segment) {
        let middle = u64::from(segment[len / 2]) << (8 * (len / 2));
        u64::from(*first) | middle | u64::from(*last) << (8 * (len - 1))
    } else {
        0
    };
    Some((low, 0))
}

/// Spreads long segments evenly, eight bytes a step.
fn hash(segment: &[u8]) -> u64 {
    let step = |hash: u64, word: &[u8; 8]| {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        mixed ^ mixed >> 32
    };
    let (words, _) = segment.as_chunks();
    let hash = words.iter().fold(segment.len() as u64, step);
    // what is left is in the last eight bytes
    segment.last_chunk().map_or(hash, |word| step(hash, word))
}

/// Hashes around the place where one should be that are all looked at.
const WINDOW: usize = 16;

/// Where `hash` stands in ascending `hashes`, or would stand.
///
/// Hashes are spread evenly, so among `n` the place is within two `sqrt(n)` of where the hash's
/// size says (four standard deviations), and from the hash that is found there, within some of the
/// root of that; twice so it is a few places away. So three or four lines of memory are read, and
/// no step asks anything that a processor would have to guess. Where it is not, by chance or
/// because a peer made up segments to that end, all of them are searched.
#[inline]
pub(super) fn position(hashes: &[u32], hash: u32) -> usize {
    let len = hashes.len();
    let Some(last) = len.checked_sub(WINDOW) else { return below(hashes, hash) };
    // how many hashes there are in a span of this size
    let among = |span: i64| (span * len as i64) >> u32::BITS;
    let mut at = among(hash.into());
    for _ in 0..2 {
        let here = hashes[at as usize];
        at = (at + among(i64::from(hash) - i64::from(here))).clamp(0, len as i64 - 1);
    }
    let start = (at as usize).saturating_sub(WINDOW / 2).min(last);
    let place = start + below(&hashes[start..start + WINDOW], hash);
    let is_behind = start == 0 || place > start;
    let is_before = start == last || place < start + WINDOW;
    if is_behind && is_before { place } else { hashes.partition_point(|&other| other < hash) }
}

/// How many of `hashes` are less.
#[inline]
fn below(hashes: &[u32], hash: u32) -> usize {
    hashes.iter().map(|&other| u32::from(other < hash)).sum::<u32>() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    /// Against a plain binary search, for hashes spread evenly, all in a corner, and equal.
    #[test]
    fn positions() {
        // Miri is slow
        let most = if cfg!(miri) { 100 } else { 1000 };
        let even: Vec<u32> =
            (0..most).map(|index: u32| Key::of(&index.to_be_bytes()).hash()).collect();
        let corner = (0..most).collect();
        let equal = vec![u32::MAX; most as usize];
        for mut hashes in [even, corner, equal] {
            hashes.sort_unstable();
            for len in [0, 1, 15, 16, 17, 64, 65, 100, 999, 1000] {
                let Some(hashes) = hashes.get(..len) else { continue };
                let near =
                    hashes.iter().flat_map(|&at| [at.wrapping_sub(1), at, at.wrapping_add(1)]);
                let near = near.step_by(if cfg!(miri) { 29 } else { 1 });
                for wanted in near.chain([0, 1 << 31, u32::MAX]) {
                    let expected = hashes.partition_point(|&other| other < wanted);
                    assert_eq!(position(hashes, wanted), expected, "{wanted} among {len}");
                }
            }
        }
    }

    #[test]
    fn every_byte_counts() {
        for len in (0..40).step_by(if cfg!(miri) { 9 } else { 1 }) {
            let segment = vec![b'x'; len];
            let key = Key::of(&segment);
            assert_eq!(key.is_long(), len > SHORT);
            assert_ne!(key, Key::of(&vec![b'x'; len + 1]), "{len} bytes");
            for at in 0..len {
                let mut other = segment.clone();
                other[at] = b'y';
                let other = Key::of(&other);
                assert_ne!(key, other, "byte {at} of {len}");
                assert_ne!(key.hash(), other.hash(), "byte {at} of {len}");
            }
        }
    }

    /// Counts up, as names in use do: no part of the range has many more hashes than another.
    #[test]
    #[cfg_attr(miri, ignore = "slow there")]
    fn hashes_are_spread_evenly() {
        for text in ["", "device", "a longer name of a device "] {
            let mut parts = [0; 64];
            for index in 0..64_000 {
                let hash = Key::of(alloc::format!("{text}{index}").as_bytes()).hash();
                parts[(hash >> 26) as usize] += 1;
            }
            assert!(parts.iter().all(|part| (850..1150).contains(part)), "{text}: {parts:?}");
        }
    }
}
