//! The journal: what is durable and not in the tables yet.
//!
//! ```text
//! apply ─> frame ─ one write, one sync ─> answered
//!            └─ two files: while what is in one goes into the tables, the other is written
//!
//! frame    crc32c u32 │ number u64 │ length u64 │ body, to a multiple of four
//! body     servers u32 │ server, length, record │ … │ length, event │ length, event │ …
//! ```
//!
//! Frames are numbered without end. The tables say which number is the first that they do not have,
//! in the same commit that brings the events before it, so a file is written again from its start,
//! and old frames in it count no more.
//!
//! A frame is written when the one before it is durable. So what is not whole after a crash is the
//! last one, which was never answered; where one that is not whole has another behind it, the disk
//! has lost something, and that is told. So that this holds for the last frame, too, a head without
//! a body is written behind it; it needs no sync, and the next frame takes its place.
//!
//! A number that only the tables hold goes into every check: nothing that somebody registers can
//! look like a frame.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use redb::StorageBackend;

use super::Medium;
use super::blocks::{Damaged, put, take};
use super::tables::{Position, Server};
use crate::store::StoreError;

const HEAD: usize = 20;
/// Frames start at multiples of it.
const ALIGN: usize = 4;
/// Bytes of a file that are looked through at once: a multiple of [`ALIGN`], as is the head.
const WINDOW: usize = 1 << 20;
/// A file grows by as much as it has, within these limits, in zeros: where its length and its
/// blocks stay as they are, a sync is of the frame alone.
const EXTENT: RangeInclusive<u64> = 1 << 16..=1 << 20;
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// The two files, and where the next frame goes.
#[derive(Debug)]
pub(super) struct Journal {
    files: [File; 2],
    active: usize,
    next: u64,
    secret: u64,
}

#[derive(Debug)]
struct File {
    bytes: Box<dyn StorageBackend>,
    len: u64,
    at: u64,
}

/// The bodies of frames that were found, in their order.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// Those of the file that was on its way into the tables, and the number after them.
    pub(super) sealed: Option<(u64, Vec<Bytes>)>,
    pub(super) bodies: Vec<Bytes>,
}

impl Journal {
    /// Finds the frames that the tables do not have. They are durable when this returns, also where
    /// a sync had failed before. In memory are the bodies that are found, and a window of a file.
    pub(super) fn open(
        medium: &dyn Medium,
        position: Position,
    ) -> Result<(Self, Replay), StoreError> {
        let file = |number| -> Result<File, StoreError> {
            let bytes = medium.journal(number).map_err(failed)?;
            let len = bytes.len().map_err(failed)?;
            Ok(File { bytes, len, at: 0 })
        };
        let Position { next, secret } = position;
        let mut journal = Self { files: [file(0)?, file(1)?], active: 0, next, secret };
        let (mut runs, mut last) = (Vec::new(), None);
        for _ in 0..2 {
            // one that was gone through starts with a number that has passed
            let mut bodies = Vec::new();
            for file in [0, 1] {
                let mut at = 0;
                while let Some(frame) = journal.frame(file, at, journal.next)?
                    && frame.len() > HEAD
                {
                    last = Some((file, at, frame.clone()));
                    at += frame_len(frame.len() - HEAD) as u64;
                    bodies.push(frame.slice(HEAD..));
                    journal.next += 1;
                }
                if !bodies.is_empty() {
                    journal.files[file].at = at;
                    journal.active = file;
                    break;
                }
            }
            if bodies.is_empty() {
                break;
            }
            runs.push((journal.next, bodies));
        }
        if journal.goes_on(0)? || journal.goes_on(1)? {
            let what = format!("frame {} of its journal is damaged", journal.next);
            return Err(StoreError::Damaged(what.into()));
        }
        if let Some((file, start, frame)) = last {
            // it may be in the system's memory only, and nobody would write it
            let bytes = &journal.files[file].bytes;
            bytes.write(start, &frame).map_err(failed)?;
            bytes.sync_data().map_err(failed)?;
        }
        let bodies = runs.pop().map(|(_, bodies)| bodies).unwrap_or_default();
        Ok((journal, Replay { sealed: runs.pop(), bodies }))
    }

    /// Makes a frame durable. It is given with room for its head: see [`frame`].
    ///
    /// After [`StoreError::Full`] it is certainly not there; after any other error nothing may be
    /// appended before [`start_over`](Self::start_over).
    pub(super) fn append(&mut self, mut frame: Vec<u8>) -> Result<(), StoreError> {
        let head = self.head(self.next, &frame[HEAD..]);
        frame[..HEAD].copy_from_slice(&head);
        frame.resize(frame_len(frame.len() - HEAD), 0);
        let file = &mut self.files[self.active];
        let end = file.at + frame.len() as u64;
        file.reach(end + HEAD as u64).map_err(full)?;
        file.bytes.write(file.at, &frame).map_err(full)?;
        file.bytes.sync_data().map_err(failed)?;
        file.at = end;
        self.next += 1;
        let seal = self.head(self.next, &[]);
        let file = &self.files[self.active];
        // without it damage to this frame would pass for its end, and that is all
        let _ = file.bytes.write(file.at, &seal);
        Ok(())
    }

    /// Whether there is room for a frame of so many bytes. It is kept, in zeros.
    ///
    /// They are behind the head that ends the last frame, where nothing counts: nothing becomes
    /// uncertain where it fails. They are written, and synced, also where the file is long enough:
    /// some file systems need room for that, too, and a file may fail where others do not.
    pub(super) fn probe(&mut self, bytes: usize) -> Result<(), StoreError> {
        let file = &mut self.files[self.active];
        let start = file.at + HEAD as u64;
        file.reach(start.saturating_add(frame_len(bytes) as u64)).map_err(full)?;
        file.bytes.write(start, &ZEROS[..bytes.clamp(1, ZEROS.len())]).map_err(full)?;
        file.bytes.sync_data().map_err(failed)
    }

    /// The next frame goes into the other file, which holds nothing that counts. Returns the number
    /// after those in this one.
    pub(super) fn switch(&mut self) -> u64 {
        self.active ^= 1;
        self.files[self.active].at = 0;
        self.next
    }

    /// The number of the next frame.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// After a fault, once the tables have everything before `next`: what the files hold is not
    /// relied upon.
    pub(super) fn start_over(&mut self, next: u64) {
        self.next = next;
        for file in &mut self.files {
            (file.at, file.len) = (0, 0);
        }
    }

    /// Bytes of frames in the file that is written.
    pub(super) fn size(&self) -> u64 {
        self.files[self.active].at
    }

    /// Gives the room back to the disk. The tables have everything.
    pub(super) fn shrink(&mut self) -> Result<(), StoreError> {
        for file in &mut self.files {
            (file.at, file.len) = (0, 0);
            file.bytes.set_len(0).map_err(full)?;
        }
        Ok(())
    }

    fn head(&self, number: u64, body: &[u8]) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        // not as it is: it is no secret, and would tell where frames may start
        head[4..12].copy_from_slice(&(number ^ self.secret).to_le_bytes());
        head[12..].copy_from_slice(&(body.len() as u64).to_le_bytes());
        let crc = crc32c::crc32c(&self.secret.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c_append(crc, &head[4..]), body);
        head[..4].copy_from_slice(&crc.to_le_bytes());
        head
    }

    /// The frame of this number, where it is there and whole, without what fills it up.
    fn frame(&self, file: usize, at: u64, number: u64) -> Result<Option<Bytes>, StoreError> {
        let file = &self.files[file];
        let mut head = [0; HEAD];
        let Some(room) = file.len.checked_sub(at + HEAD as u64) else { return Ok(None) };
        file.bytes.read(at, &mut head).map_err(failed)?;
        let mut len = [0; 8];
        len.copy_from_slice(&head[12..]);
        let len = u64::from_le_bytes(len);
        if number_of(&head) ^ self.secret != number || len > room {
            return Ok(None);
        }
        let mut frame = vec![0; HEAD + usize::try_from(len).map_err(|_| Damaged)?];
        file.bytes.read(at, &mut frame).map_err(failed)?;
        let is_whole = self.head(number, &frame[HEAD..])[..] == frame[..HEAD];
        Ok(is_whole.then(|| frame.into()))
    }

    /// Whether a frame is there that comes after the next one: then the next one was there, too.
    fn goes_on(&self, file: usize) -> Result<bool, StoreError> {
        // no more frames have room: it says of nearly all other bytes that they are none
        let most = self.files.iter().map(|file| file.len / HEAD as u64 + 1).sum::<u64>();
        let len = self.files[file].len;
        let mut window = vec![0; WINDOW];
        let mut start = 0;
        while start + HEAD as u64 <= len {
            let size = (len - start).min(WINDOW as u64);
            let window = &mut window[..size as usize];
            self.files[file].bytes.read(start, window).map_err(failed)?;
            // the last heads are in the next one, too
            let heads = (0..=window.len() - HEAD).step_by(ALIGN);
            let numbers = heads.map(|at| (at, number_of(&window[at..at + HEAD]) ^ self.secret));
            let behind = numbers.filter(|(_, number)| number.wrapping_sub(self.next + 1) < most);
            for (at, number) in behind {
                if self.frame(file, start + at as u64, number)?.is_some() {
                    return Ok(true);
                }
            }
            start += (WINDOW - HEAD) as u64;
        }
        Ok(false)
    }
}

fn number_of(head: &[u8]) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&head[4..12]);
    u64::from_le_bytes(number)
}

fn frame_len(body: usize) -> usize {
    (HEAD + body).next_multiple_of(ALIGN)
}

impl File {
    /// Grows to `end` at least.
    fn reach(&mut self, end: u64) -> io::Result<()> {
        while self.len < end.next_multiple_of(self.len.clamp(*EXTENT.start(), *EXTENT.end())) {
            self.bytes.write(self.len, &ZEROS)?;
            self.len += ZEROS.len() as u64;
        }
        Ok(())
    }
}

fn failed(error: io::Error) -> StoreError {
    StoreError::Failed(Arc::new(error))
}

/// Where there is no room, nothing of it is whole.
fn full(error: io::Error) -> StoreError {
    match super::file::is_full(&error) {
        true => StoreError::Full(Arc::new(error)),
        false => failed(error),
    }
}

/// A frame without its head, for which there is room: what changes of servers, and events, each
/// with its length before it.
pub(super) fn frame<'a>(
    servers: impl ExactSizeIterator<Item = (&'a i64, &'a Server)> + Clone,
    events: &[&[Bytes]],
) -> Vec<u8> {
    let events = || events.iter().copied().flatten();
    let len = servers
        .clone()
        .map(|(_, server)| 80 + server.mark.as_ref().map_or(0, Bytes::len))
        .sum::<usize>()
        + events().map(Bytes::len).sum::<usize>();
    let mut out = Vec::with_capacity(HEAD + 4 + len + ALIGN);
    out.resize(HEAD, 0);
    out.extend_from_slice(&(servers.len() as u32).to_le_bytes());
    for (server_id, server) in servers {
        let record = server.to_bytes();
        out.extend_from_slice(&server_id.to_le_bytes());
        put(&mut out, record.len() as u128);
        out.extend_from_slice(&record);
    }
    events().for_each(|run| out.extend_from_slice(run));
    out
}

/// What the body of a [`frame`] was made of: servers, and each event.
pub(super) fn read_body(body: &Bytes) -> Result<(Vec<Server>, Vec<Bytes>), Damaged> {
    let (count, mut rest) = body.split_at_checked(4).ok_or(Damaged)?;
    let mut number = [0; 4];
    number.copy_from_slice(count);
    let mut servers = Vec::new();
    for _ in 0..u32::from_le_bytes(number) {
        let (server_id, behind) = rest.split_first_chunk().ok_or(Damaged)?;
        rest = behind;
        let record = bytes(&mut rest)?;
        servers.push(Server::from_bytes(i64::from_le_bytes(*server_id), record)?);
    }
    let mut events = Vec::new();
    while !rest.is_empty() {
        events.push(body.slice_ref(bytes(&mut rest)?));
    }
    Ok((servers, events))
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Damaged> {
    let len = usize::try_from(take(rest)?).map_err(|_| Damaged)?;
    let (bytes, behind) = rest.split_at_checked(len).ok_or(Damaged)?;
    *rest = behind;
    Ok(bytes)
}
