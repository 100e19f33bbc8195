//! A file of the folder. All of this blocks: it runs on a thread of its own.
//!
//! The path is resolved below the folder by `cap-std` (`openat2` with `RESOLVE_BENEATH` on Linux,
//! part by part elsewhere), so that neither `..` nor a symbolic link leads out of it, also while
//! someone is changing the folder. What remains to those who may write in it: a named pipe put in
//! the place of a file in the moment between looking at it and opening it holds a thread until it
//! is written to.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::select::{Conditions, Selection, Validators};

/// Bytes that are read, and held, of a file at a time.
const CHUNK: u64 = 64 * 1024;

/// Links on the way to a file, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// A file whose last change is not as old as this may change again within the precision of its
/// time.
const SETTLED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Found {
    pub(super) selection: Selection,
    pub(super) validators: Validators,
    /// What of the file is to be sent, if anything is.
    pub(super) content: Option<Content>,
}

/// The part of a file that is still to be sent.
#[derive(Debug)]
pub(in super::super) struct Content {
    file: File,
    /// Bytes after those of `next`.
    left: u64,
    next: Bytes,
}

/// Looks for a file, and reads the beginning of what is wanted of it. `None` for what is not a
/// file, or may not be read.
///
/// The folder is looked up each time: it may be a handle to the release of the day.
pub(super) fn find(root: &Path, path: &str, wanted: &Conditions) -> io::Result<Option<Found>> {
    let folder = Dir::open_ambient_dir(root, ambient_authority())?;
    let mut path = PathBuf::from(path);
    let mut entry = folder.metadata(&path);
    if entry.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
        && let Some(inside) = without_links(root, &folder, &path)
    {
        entry = folder.metadata(&inside);
        path = inside;
    }
    // before it is opened: to open a named pipe would wait for who writes to it
    if !entry.is_ok_and(|entry| entry.is_file()) {
        return Ok(None);
    }
    let file = match folder.open(&path) {
        Ok(file) => file.into_std(),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => return Ok(None),
            _ => return Err(error),
        },
    };
    let entry = file.metadata()?;
    if !entry.is_file() {
        return Ok(None);
    }
    let validators = validators(entry.len(), entry.modified().ok(), SystemTime::now());
    let selection = wanted.select(&validators);
    let (first, len) = match selection {
        Selection::Whole => (0, validators.size),
        Selection::Part { first, len } => (first, len),
        _ => (0, 0),
    };
    let content = match wanted.head() || len == 0 {
        true => None,
        false => Some(Content::new(file, first, len)?),
    };
    Ok(Some(Found { selection, validators, content }))
}

/// Where a path leads that goes along links, some of them to absolute paths: below a folder the
/// system follows none of those, though they may name what is inside. `None` if it leads out.
///
/// What is found is opened below the folder like anything else, so nothing depends on it that
/// links stay as they are.
fn without_links(root: &Path, folder: &Dir, path: &Path) -> Option<PathBuf> {
    let root = root.canonicalize().ok()?;
    let parts = |path: &Path| {
        path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>()
    };
    let (mut done, mut left) = (PathBuf::new(), parts(path));
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            // what is done has no links, so what is above it is what its name says
            if !done.pop() {
                return None;
            }
            continue;
        }
        let next = done.join(&part);
        let Ok(mut target) = folder.read_link_contents(&next) else {
            done = next;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return None;
        }
        if target.is_absolute() {
            target = target.canonicalize().ok()?.strip_prefix(&root).ok()?.to_owned();
            done.clear();
        }
        left.append(&mut parts(&target));
    }
    Some(done)
}

fn validators(size: u64, modified: Option<SystemTime>, now: SystemTime) -> Validators {
    let time = modified.unwrap_or(SystemTime::UNIX_EPOCH);
    let tag = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => format!("\"{:x}-{size:x}\"", since.as_nanos()),
        Err(before) => format!("\"-{:x}-{size:x}\"", before.duration().as_nanos()),
    };
    let age = modified.and_then(|time| now.duration_since(time).ok());
    let weak = age.is_none_or(|age| age < SETTLED);
    // HTTP names no year before 1970, none after 9999, and no time in the future: RFC 9110 section
    // 8.8.2.1
    let modified = modified.map(|time| time.min(now).max(SystemTime::UNIX_EPOCH));
    Validators { size, tag, weak, modified }
}

impl Content {
    fn new(mut file: File, first: u64, len: u64) -> io::Result<Self> {
        if first > 0 {
            file.seek(SeekFrom::Start(first))?;
        }
        Self { file, left: len, next: Bytes::new() }.read()
    }

    /// Bytes that are still to be sent.
    pub(in super::super) fn len(&self) -> u64 {
        self.left + self.next.len() as u64
    }

    /// What was read and is to be sent next; empty where [`read`](Self::read) must come first.
    pub(in super::super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.next)
    }

    /// Reads what comes next. Blocks.
    ///
    /// A file that became shorter is an error: the length of the answer is announced already.
    pub(in super::super) fn read(mut self) -> io::Result<Self> {
        let len = self.left.min(CHUNK);
        // at most 64 KiB
        let mut bytes = Vec::with_capacity(len as usize);
        (&self.file).take(len).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < len {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        self.left -= len;
        self.next = bytes.into();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_just_now_has_a_weak_tag() {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(16);
        let made = |after| validators(255, Some(then), then + after);
        assert_eq!(made(SETTLED).tag, "\"3b9aca000-ff\"");
        assert!(!made(SETTLED).weak);
        assert!(made(Duration::from_millis(999)).weak);
        assert!(validators(255, Some(then + SETTLED), then).weak, "in the future");
        assert!(validators(255, None, then).weak);
    }

    /// What file systems can name, and HTTP cannot.
    #[test]
    fn any_date_of_a_file_has_one_of_http() {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(16);
        let made = |modified| validators(255, Some(modified), then);
        let text = |file: &Validators| file.modified.map(httpdate::fmt_http_date);
        for (days, wanted) in [
            (1, "Thu, 01 Jan 1970 00:00:16 GMT"),
            (3_000_000, "Thu, 01 Jan 1970 00:00:16 GMT"),
            (100_000_000_000_000, "Thu, 01 Jan 1970 00:00:16 GMT"),
        ] {
            let far = Duration::from_secs(days * 86_400);
            let file = made(then + far);
            assert_eq!(text(&file).as_deref(), Some(wanted), "in {days} days");
            assert!(file.weak);
            let file = made(then - far);
            assert_eq!(text(&file).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
            assert!(!file.weak && file.tag != made(then - far * 2 / 3).tag, "{}", file.tag);
        }
    }
}
