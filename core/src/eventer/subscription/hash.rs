//! Hashes of segments, and their places in order.

/// Steps from where a hash should be to where it is, at the most, before all are searched.
const STEPS: usize = 64;

/// Where `hash` stands in ascending `hashes`, or would stand.
///
/// Hashes are spread evenly, so among `n` the place is within two `sqrt(n)` of where the hash's
/// size says (four standard deviations), and from the hash that is found there, within some of the
/// root of that; twice so it is a few places away, among a million. So two or three lines of memory
/// are read. Where it is not, by chance or because a peer made up segments to that end, all of them
/// are searched.
#[inline]
pub(super) fn position(hashes: &[u64], hash: u64) -> usize {
    const FEW: usize = 64;
    // how many hashes there are in a span of this size
    let among = |span: u64| ((u128::from(span) * hashes.len() as u128) >> 64) as usize;
    let mut at = among(hash);
    if hashes.len() > FEW {
        for _ in 0..2 {
            let here = hashes[at];
            at = match here < hash {
                true => (at + among(hash - here)).min(hashes.len() - 1),
                false => at.saturating_sub(among(here - hash)),
            };
        }
    }
    for _ in 0..STEPS {
        if at > 0 && hashes[at - 1] >= hash {
            at -= 1;
        } else if at < hashes.len() && hashes[at] < hash {
            at += 1;
        } else {
            return at;
        }
    }
    hashes.partition_point(|&other| other < hash)
}

/// Spreads segments evenly, eight bytes a step. The same everywhere and always.
#[inline]
pub(super) fn hash(segment: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(FACTOR);
        mixed ^ mixed >> 32
    };
    let mut hash = segment.len() as u64;
    let mut rest = segment;
    while let Some((word, after)) = rest.split_first_chunk() {
        hash = step(hash, u64::from_le_bytes(*word));
        rest = after;
    }
    // fewer than eight bytes are left; where there are any, words that overlap take them without a
    // loop
    let last = if let Some(word) = segment.last_chunk().filter(|_| !rest.is_empty()) {
        u64::from_le_bytes(*word)
    } else if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk()) {
        u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
    } else if let ([first, ..], [.., last]) = (rest, rest) {
        u64::from(*first) << 16 | u64::from(rest[rest.len() / 2]) << 8 | u64::from(*last)
    } else {
        0
    };
    step(hash, last).wrapping_mul(FACTOR)
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
        let even: Vec<u64> = (0..most).map(|index: u64| hash(&index.to_be_bytes())).collect();
        let corner = (0..most).collect();
        let equal = vec![u64::MAX; most as usize];
        for mut hashes in [even, corner, equal] {
            hashes.sort_unstable();
            for len in [0, 1, 63, 64, 65, 66, 100, 999, 1000] {
                let Some(hashes) = hashes.get(..len) else { continue };
                let near =
                    hashes.iter().flat_map(|&at| [at.wrapping_sub(1), at, at.wrapping_add(1)]);
                let near = near.step_by(if cfg!(miri) { 29 } else { 1 });
                for wanted in near.chain([0, 1 << 63, u64::MAX]) {
                    let expected = hashes.partition_point(|&other| other < wanted);
                    assert_eq!(position(hashes, wanted), expected, "{wanted} among {len}");
                }
            }
        }
    }

    #[test]
    fn every_byte_counts_in_the_hash() {
        for len in (0..40).step_by(if cfg!(miri) { 9 } else { 1 }) {
            let segment = vec![b'x'; len];
            for at in 0..len {
                let mut other = segment.clone();
                other[at] = b'y';
                assert_ne!(hash(&segment), hash(&other), "byte {at} of {len}");
            }
        }
    }
}
