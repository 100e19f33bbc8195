//! tungstenite is fed the same bytes as we: see [`compare`].

use hat_tests::websocket::oracle::compare;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::properties::{messages, role, stream};
use crate::{CLOSE, FIN, frame, other};

proptest! {
    #[test]
    fn valid_streams_cut_anywhere(role in role(), messages in messages(), cut in any::<Index>(), whole: bool) {
        let stream = stream(other(role), &messages);
        let cut = if whole { stream.len() } else { cut.index(stream.len() + 1) };
        compare(role, &stream[..cut]);
    }

    #[test]
    fn mutated_streams(
        role in role(),
        messages in messages(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut stream = stream(other(role), &messages);
        for (index, byte) in changes {
            if !stream.is_empty() {
                let at = index.index(stream.len());
                stream[at] = byte;
            }
        }
        compare(role, &stream);
    }

    /// Frames with any first byte, a plausible length and any payload: most of what can be wrong is
    /// wrong here.
    #[test]
    fn any_frames(
        role in role(),
        frames in vec((any::<u8>(), prop_oneof![vec(any::<u8>(), 0..8), vec(Just(b'a'), 120..130)], any::<bool>()), 0..6),
    ) {
        let mut bytes = Vec::new();
        for (first, payload, plain) in frames {
            let first = if plain { first & 0x8b } else { first };
            bytes.extend(frame(other(role), first, &payload));
        }
        compare(role, &bytes);
    }

    #[test]
    fn any_close(role in role(), code in prop_oneof![900..1100_u16, 2900..5100_u16, any::<u16>()], reason in vec(any::<u8>(), 0..4)) {
        let bytes = frame(other(role), FIN | CLOSE, &[&code.to_be_bytes()[..], &reason].concat());
        compare(role, &bytes);
    }
}
