//! DEFLATE (RFC 1951) as RFC 7692 section 7.2 cuts it into messages.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::DeflateAgreement;
use crate::ws::Violation;

/// What ends a flushed stream and is not sent (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Blocks that messages may have whatever they inflate to: each of them, and all of a connection
/// beside that; and the bytes that entitle to one more. For each block the decoder makes its tables
/// anew, which takes it some microseconds, and an empty one is ten bits: a megabyte of them took
/// seconds, in one message or in many.
///
/// A peer has reason to end a message by an empty block, and some flush twice a message. The
/// smallest that zlib makes by itself, with the least memory, are of 127 symbols. What a message
/// leaves of its own, the next ones may use, up to as many as there are in the beginning: so a
/// message now and then may be of very many blocks. A megabyte of the smallest messages that use
/// all of their own takes 0.7 s, and of those with one block and the end 0.4 s, which any page may
/// send.
const BLOCKS_A_MESSAGE: usize = 4;
const BLOCKS: usize = 1024;
const BYTES_A_BLOCK: usize = 60;

/// The window of DEFLATE: what a stream may refer back to.
const WINDOW: usize = 32 * 1024;

/// Compresses what is sent.
pub(in crate::ws) struct Deflater {
    agreed: DeflateAgreement,
    /// What helps with the next message; only with a context.
    kept: Option<Box<CompressorOxide>>,
}

/// Decompresses what is received.
pub(in crate::ws) struct Inflater {
    with_context: bool,
    /// What the next message may refer to; only with a context.
    kept: Option<Box<State>>,
    /// Blocks that messages may still have beyond their own.
    blocks: usize,
}

/// The blocks of one message.
struct Blocks {
    count: usize,
    /// As many as there may be, whatever it inflates to.
    most: usize,
}

impl Blocks {
    /// Another one has ended, when the message has inflated to `size` bytes.
    fn ended(&mut self, size: usize) -> Result<(), Violation> {
        self.count += 1;
        match self.left(size) {
            Some(_) => Ok(()),
            None => Err(Violation::DeflateBlocks(self.count)),
        }
    }

    /// How many more there may be.
    fn left(&self, size: usize) -> Option<usize> {
        (self.most + size / BYTES_A_BLOCK).checked_sub(self.count)
    }
}

/// A stream that is read, and the last that it gave.
struct State {
    decoder: DecompressorOxide,
    window: Vec<u8>,
    at: usize,
}

impl Deflater {
    pub(in crate::ws) fn new(agreed: DeflateAgreement) -> Self {
        Self { agreed, kept: None }
    }

    /// The message in `parts`, `size` bytes in all, compressed. `None` where it is to be sent as it
    /// is: it is small, or gets no smaller.
    pub(in crate::ws) fn compress<'a>(
        &mut self,
        size: usize,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Bytes> {
        let DeflateAgreement { deflate, sends_with_context, .. } = self.agreed;
        if size < deflate.min_size.max(1) {
            return None;
        }
        let mut compressor = self.kept.take().unwrap_or_else(|| {
            let level = i32::from(deflate.level.clamp(1, 10));
            // a negative number of window bits is a stream without the head of zlib
            Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(level, -15, 0)))
        });
        let mut out = Vec::with_capacity(size / 4 + 64);
        let mut parts = parts.peekable();
        let mut held_back = false;
        while let Some(part) = parts.next() {
            let flush = if parts.peek().is_some() { TDEFLFlush::None } else { TDEFLFlush::Sync };
            put(&mut compressor, part, flush, &mut out, &mut held_back)?;
        }
        debug_assert!(out.ends_with(&TAIL), "what was flushed ends so");
        out.truncate(out.len().saturating_sub(TAIL.len()));
        if sends_with_context {
            // the peer has to see what the next message refers to
            self.kept = Some(compressor);
        } else if out.len() >= size {
            return None;
        }
        Some(out.into())
    }
}

/// Takes all of `part`. The room grows as it is filled. `None` never happens: there is no wrong
/// input.
///
/// `held_back` says, from one call to the next, that output may wait for room. The compressor then
/// does nothing but give it: what it has taken of the input besides, up to 258 bytes, is neither
/// compressed nor flushed by that. So the end is where it began without anything held back, and
/// ended with room.
fn put(
    compressor: &mut CompressorOxide,
    mut part: &[u8],
    flush: TDEFLFlush,
    out: &mut Vec<u8>,
    held_back: &mut bool,
) -> Option<()> {
    loop {
        let have = out.len();
        out.resize(have + (part.len() / 4).max(256), 0);
        let (status, read, written) = compress(compressor, part, &mut out[have..], flush);
        let full = have + written == out.len();
        out.truncate(have + written);
        part = &part[read..];
        if status != TDEFLStatus::Okay {
            return None;
        }
        let only_gave = core::mem::replace(held_back, full);
        if part.is_empty() && !full && !only_gave {
            return Some(());
        }
    }
}

impl Inflater {
    pub(in crate::ws) fn new(agreed: DeflateAgreement) -> Self {
        Self { with_context: agreed.receives_with_context, kept: None, blocks: BLOCKS }
    }

    /// What a message of `payload` is, of at most `limit` bytes. Its room grows with what is really
    /// there.
    pub(in crate::ws) fn inflate(
        &mut self,
        payload: &[u8],
        limit: usize,
    ) -> Result<Bytes, Violation> {
        let mut state = self.kept.take().unwrap_or_default();
        let mut out = Vec::new();
        let mut blocks = Blocks { count: 0, most: self.blocks + BLOCKS_A_MESSAGE };
        // behind a last block there is nothing to be ended
        if state.take(payload, limit, &mut out, &mut blocks)? != At::End {
            let size = out.len();
            let at = state.take(&TAIL, limit, &mut out, &mut blocks)?;
            if at != At::Boundary || out.len() != size {
                return Err(Violation::Deflate);
            }
        }
        if self.with_context {
            self.kept = Some(state);
        }
        self.blocks = blocks.left(out.len()).unwrap_or(0).min(BLOCKS);
        Ok(out.into())
    }
}

/// Where a stream is once its input is used up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// In a block, or in its header.
    Inside,
    /// Behind a block, with no bit left of the last byte.
    Boundary,
    /// Behind the last block: another stream may begin.
    End,
}

impl Default for State {
    fn default() -> Self {
        Self { decoder: DecompressorOxide::new(), window: vec![0; WINDOW], at: 0 }
    }
}

impl State {
    /// Takes all of `input`, and says where that ends.
    fn take(
        &mut self,
        mut input: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
        blocks: &mut Blocks,
    ) -> Result<At, Violation> {
        loop {
            let flags = inflate_flags::TINFL_FLAG_HAS_MORE_INPUT
                | inflate_flags::TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY;
            let (status, read, written) =
                decompress(&mut self.decoder, input, &mut self.window, self.at, flags);
            input = &input[read..];
            let size = out.len() + written;
            if size > limit {
                return Err(Violation::MessageTooLarge { size: size as u64, limit });
            }
            out.extend_from_slice(&self.window[self.at..self.at + written]);
            self.at = (self.at + written) % WINDOW;
            if matches!(status, TINFLStatus::BlockBoundary | TINFLStatus::Done) {
                blocks.ended(out.len())?;
            }
            match status {
                TINFLStatus::NeedsMoreInput => return Ok(At::Inside),
                TINFLStatus::BlockBoundary if input.is_empty() && self.is_at_a_byte() => {
                    return Ok(At::Boundary);
                }
                TINFLStatus::HasMoreOutput | TINFLStatus::BlockBoundary => {}
                // a last block: another stream may follow, and refer to what came before it
                // (section 7.2.3.4)
                TINFLStatus::Done => {
                    self.decoder.init();
                    if input.is_empty() {
                        return Ok(At::End);
                    }
                }
                _ => return Err(Violation::Deflate),
            }
        }
    }

    /// Whether the block that has just ended did so at the end of a byte.
    fn is_at_a_byte(&self) -> bool {
        self.decoder.block_boundary_state().is_some_and(|at| at.num_bits == 0)
    }
}

impl core::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Deflater").field("agreed", &self.agreed).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inflater").field("with_context", &self.with_context).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Deflate;
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn agreed(context: bool) -> DeflateAgreement {
        let deflate = Deflate { level: 6, min_size: 0, context_takeover: context };
        DeflateAgreement {
            deflate,
            sends_with_context: context,
            receives_with_context: context,
            names_window: false,
        }
    }

    fn inflated(context: bool, messages: &[&[u8]]) -> Vec<Bytes> {
        let mut inflater = Inflater::new(agreed(context));
        let inflate = |it: &&[u8]| inflater.inflate(it, LIMIT).expect("a message");
        messages.iter().map(inflate).collect()
    }

    /// RFC 7692 section 7.2.3, but for the header of the frames.
    #[test]
    fn the_messages_of_the_rfc() {
        let hello: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        // 7.2.3.1: one compressed block; 7.2.3.3: one that is not compressed
        assert_eq!(inflated(false, &[hello]), ["Hello"]);
        let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
        assert_eq!(inflated(false, &[&stored]), ["Hello"]);
        // 7.2.3.2: with the window of the message before, and without
        let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
        assert_eq!(inflated(true, &[hello, &again]), ["Hello", "Hello"]);
        assert_eq!(inflated(false, &[hello, hello]), ["Hello", "Hello"]);
        // 7.2.3.4: a block with BFINAL
        let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        assert_eq!(inflated(true, &[&last, &again]), ["Hello", "Hello"]);
        // 7.2.3.5: two blocks, an empty one without compression between them
        let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflated(false, &[&two]), ["Hello"]);
        // 7.2.3.6: nothing
        assert_eq!(inflated(false, &[&[0x00]]), [""]);
    }

    #[test]
    fn what_is_sent_is_what_the_rfc_shows() {
        let mut deflater = Deflater::new(agreed(true));
        let mut send = |text: &'static str| {
            deflater.compress(text.len(), [text.as_bytes()].into_iter()).expect("compressed")
        };
        assert_eq!(send("Hello")[..], [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        // another compressor may find another way to say it: what counts is what it inflates to
        let again = send("Hello");
        let first: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflated(true, &[first, &again]), ["Hello", "Hello"]);
    }

    #[test]
    fn messages_of_all_sizes_come_back() {
        for context in [false, true] {
            let (mut deflater, mut inflater) =
                (Deflater::new(agreed(context)), Inflater::new(agreed(context)));
            let mut state = 1u32;
            let mut noise = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            for size in [1, 2, 255, 256, 1000, 32_767, 32_768, 65_536, 300_000] {
                for random in [false, true] {
                    let byte = |n: usize| if random { noise() } else { b"plant/boiler/"[n % 13] };
                    let message: Vec<u8> = (0..size).map(byte).collect();
                    // in parts, as a segment with its head
                    let (head, rest) = message.split_at(1);
                    let sent = deflater.compress(size, [head, rest].into_iter());
                    let Some(sent) = sent else { continue };
                    assert_eq!(inflater.inflate(&sent, LIMIT), Ok(message.into()));
                }
            }
        }
    }

    /// Where a block ends within the last 258 bytes, and its output has no room at once, what comes
    /// after it is still to be compressed when the output has room again.
    #[test]
    fn all_of_a_message_is_sent_wherever_a_block_ends() {
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let (mut deflater, mut inflater) =
            (Deflater::new(agreed(true)), Inflater::new(agreed(true)));
        // noise has its first block of 31 KiB, and some 300 bytes more are looked at before
        for size in (31_700..32_100).step_by(5) {
            for cut in [size, size - 1, 1] {
                let message: Vec<u8> = (0..size).map(|_| noise()).collect();
                let (one, other) = message.split_at(cut);
                let sent = deflater.compress(size, [one, other].into_iter()).expect("compressed");
                let got = inflater.inflate(&sent, LIMIT).expect("a message");
                assert!(got == message, "{} of {size}", got.len());
            }
        }
    }

    #[test]
    fn a_message_inflates_to_the_limit_and_no_further() {
        let bomb = [b'0'; 1 << 20];
        let mut deflater = Deflater::new(agreed(false));
        let sent = deflater.compress(bomb.len(), [&bomb[..]].into_iter()).expect("compressed");
        assert!(sent.len() < 2000, "{}", sent.len());
        let inflate = |limit| Inflater::new(agreed(false)).inflate(&sent, limit);
        assert_eq!(inflate(bomb.len()).map(|it| it.len()), Ok(bomb.len()));
        let Err(Violation::MessageTooLarge { size, limit }) = inflate(100_000) else { panic!() };
        // no more than a window beyond it was ever there
        assert!(limit == 100_000 && size <= 100_000 + WINDOW as u64, "{size}");
    }

    /// The work is bounded by what comes of it.
    #[test]
    fn blocks_of_nothing_are_not_gone_through() {
        // empty blocks with the tables of the standard, of ten bits each: four in five bytes
        let one = 0b00_0000_0010_u64;
        let four = (0..4).fold(0, |bits, n| bits | one << (10 * n));
        let empty = four.to_le_bytes()[..5].repeat(1 << 18);
        // the same, each the end of a stream; and without tables
        for wrong in [empty, [3, 0].repeat(1 << 19), [0, 0, 0, 0xff, 0xff].repeat(1 << 18)] {
            let refused = Inflater::new(agreed(false)).inflate(&wrong, LIMIT);
            let most = BLOCKS + BLOCKS_A_MESSAGE;
            assert_eq!(refused, Err(Violation::DeflateBlocks(most + 1)));
        }
    }

    /// `count` empty blocks with the tables of the standard, and one with a byte in it, as a peer
    /// flushes them.
    fn empty_blocks(count: usize) -> Vec<u8> {
        let (mut bytes, mut at) = (Vec::new(), 0);
        let mut put = |bits: u32, len: u32| {
            for bit in 0..len {
                if at % 8 == 0 {
                    bytes.push(0);
                }
                if bits >> bit & 1 == 1 {
                    *bytes.last_mut().expect("one was put") |= 1 << (at % 8);
                }
                at += 1;
            }
        };
        (0..count).for_each(|_| put(0b10, 10));
        // the code of "3", its highest bit first, and the end of the block
        put(0b10, 3);
        put(u32::from(0x63_u8.reverse_bits()), 8);
        put(0, 7);
        // the head of what is flushed
        put(0, 3);
        bytes
    }

    /// Nor are they where each message has only some.
    #[test]
    fn blocks_of_nothing_are_not_gone_through_in_message_after_message() {
        assert_eq!(inflated(false, &[&empty_blocks(0), &empty_blocks(1000)]), ["3", "3"]);
        for context in [false, true] {
            let mut inflater = Inflater::new(agreed(context));
            for (count, most) in [(1000, 2), (20, 100), (4, 2000)] {
                let message = empty_blocks(count);
                let taken = (0..=most).take_while(|_| inflater.inflate(&message, LIMIT).is_ok());
                let taken = taken.count();
                assert!(taken <= most, "{taken} messages of {count} blocks");
            }
        }
    }

    /// What a peer flushes is a block and an empty one, and some flush twice a message; a message
    /// now and then is of very many blocks.
    #[test]
    fn messages_of_a_few_blocks_are_never_too_many() {
        for context in [false, true] {
            let mut inflater = Inflater::new(agreed(context));
            let mut many = None;
            for round in 0..20_000 {
                let taken = inflater.inflate(&empty_blocks(0), LIMIT);
                assert_eq!(taken.as_deref(), Ok(&b"3"[..]), "{round}");
                let taken = inflater.inflate(&empty_blocks(2), LIMIT);
                assert_eq!(taken.as_deref(), Ok(&b"3"[..]), "{round}");
                if round % 1000 == 0 {
                    let message = many.get_or_insert_with(|| empty_blocks(900));
                    assert_eq!(inflater.inflate(message, LIMIT).as_deref(), Ok(&b"3"[..]));
                }
            }
        }
    }

    /// As a peer with little memory does, or one that flushes what it has now and then.
    #[test]
    fn many_small_blocks_with_something_in_them_are_a_message() {
        let message: Vec<u8> = (0..127 * 5000_usize).map(|n| b"plant/boiler/"[n % 13]).collect();
        let flags = create_comp_flags_from_zip_params(6, -15, 0);
        let (mut compressor, mut sent) = (CompressorOxide::new(flags), Vec::new());
        for part in message.chunks(127) {
            put(&mut compressor, part, TDEFLFlush::Sync, &mut sent, &mut false).expect("put");
        }
        sent.truncate(sent.len() - TAIL.len());
        let mut inflater = Inflater::new(agreed(false));
        assert!(inflater.inflate(&sent, LIMIT) == Ok(message.into()));
        // and an end of a stream, behind which there is nothing
        assert_eq!(inflater.inflate(&[3, 0], LIMIT), Ok(Bytes::new()));
    }

    #[test]
    fn what_is_no_stream_is_said() {
        let mut inflater = Inflater::new(agreed(false));
        // a block of a kind that there is not; a stored one whose length is not its complement
        for wrong in [&[0x06][..], &[0x00, 0x05, 0x00, 0x00, 0x00]] {
            assert_eq!(inflater.inflate(wrong, LIMIT), Err(Violation::Deflate));
        }
    }

    /// The end that is put behind a message is none of it: neither the rest of a block that the
    /// peer left out, nor bytes that a block without compression announced.
    #[test]
    fn a_message_that_ends_inside_a_block_is_refused() {
        let hello: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        // a block of 1 to 9 bytes, of which 2 are there
        let stored = (1..10).filter(|&len| len != 2);
        let stored = stored.map(|len| vec![0, len, 0, !len, 0xff, b'H', b'e']);
        let cut = (0..hello.len()).map(|len| hello[..len].to_vec());
        for wrong in stored.chain(cut) {
            for context in [false, true] {
                let refused = Inflater::new(agreed(context)).inflate(&wrong, LIMIT);
                assert_eq!(refused, Err(Violation::Deflate), "{wrong:x?}");
            }
        }
        // what ends with the end of a stream has no block behind it, and the next message no rest
        // of one before it
        let last: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        for context in [false, true] {
            assert_eq!(inflated(context, &[&[3, 0], hello, last, hello])[1..], ["Hello"; 3]);
        }
    }

    #[test]
    fn what_is_small_or_gets_no_smaller_goes_as_it_is() {
        let mut deflater = Deflater::new(DeflateAgreement {
            deflate: Deflate { min_size: 6, ..Deflate::default() },
            ..agreed(false)
        });
        assert_eq!(deflater.compress(5, [&b"aaaaa"[..]].into_iter()), None);
        assert_eq!(deflater.compress(6, [&b"qwertz"[..]].into_iter()), None);
        assert_eq!(deflater.compress(0, [].into_iter()), None);
    }
}
