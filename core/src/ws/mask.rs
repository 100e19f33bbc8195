//! Masks: what a client changes its payloads with, so that what a page sends cannot look like HTTP
//! to a proxy on the way (RFC 6455 sections 5.3 and 10.3).

use sha1::{Digest, Sha1};

/// The masking key of a frame, in the order of the wire.
pub(super) type Mask = [u8; 4];

/// Octets of one hash.
const BLOCK: usize = 20;

/// Where masks come from: the hashes of the seed with a counter. Who sees some of them cannot tell
/// the next ones without the seed.
#[derive(Debug)]
pub(super) struct Masks {
    seed: u64,
    counter: u64,
    block: [u8; BLOCK],
    used: usize,
}

impl Masks {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, counter: 0, block: [0; BLOCK], used: BLOCK }
    }

    pub(super) fn next(&mut self) -> Mask {
        if self.used == BLOCK {
            let hash = Sha1::new()
                .chain_update(self.seed.to_le_bytes())
                .chain_update(self.counter.to_le_bytes());
            self.block = hash.finalize().into();
            self.counter += 1;
            self.used = 0;
        }
        let mask = self.block[self.used..].first_chunk().expect("a hash is five masks");
        self.used += mask.len();
        *mask
    }
}

/// Masks or unmasks `bytes`, which start `offset` bytes into their payload.
pub(super) fn apply(bytes: &mut [u8], mut mask: Mask, offset: usize) {
    mask.rotate_left(offset % 4);
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn any_cut_gives_the_same() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..100).collect();
        let expected: Vec<u8> =
            plain.iter().zip(0..).map(|(byte, at)| byte ^ mask[at % 4]).collect();
        for cut in 0..plain.len() {
            let mut bytes = plain.clone();
            let (front, back) = bytes.split_at_mut(cut);
            apply(front, mask, 0);
            apply(back, mask, cut);
            assert_eq!(bytes, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_seed_gives_its_masks_and_no_other() {
        let draw = |seed| {
            let mut masks = Masks::new(seed);
            (0..50).map(|_| masks.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        let mut all = [draw(1), draw(2)].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100);
    }
}
