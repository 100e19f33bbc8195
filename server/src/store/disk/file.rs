//! Where the bytes are: a file, or what a test has in its place.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::store::StoreError;

/// Opens the bytes of a store, also again after a fault.
pub trait Medium: Send + Sync + std::fmt::Debug + 'static {
    /// The bytes, from the first on.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn open(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// The bytes of a file of the journal: number 0 or 1. A new one is empty.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn journal(&self, number: usize) -> io::Result<Box<dyn StorageBackend>>;
}

/// The name of the store's file in its folder.
pub(super) const FILE: &str = "events.redb";
/// The names of the files of the journal.
pub(super) const JOURNAL: [&str; 2] = ["journal.0", "journal.1"];
/// The name of the file whose lock says that a process uses the folder.
const LOCK: &str = "lock";

/// A folder on a disk.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    #[expect(dead_code, reason = "locked for as long as it is open")]
    lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and locks it.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreError> {
        let of = |error| StoreError::Path(path.into(), Arc::new(error));
        std::fs::create_dir_all(path).map_err(of)?;
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(path.join(LOCK));
        let lock = lock.map_err(of)?;
        match lock.try_lock() {
            Ok(()) => {
                let folder = Self { path: path.into(), lock };
                folder.make()?;
                Ok(folder)
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.into())),
            Err(TryLockError::Error(error)) => Err(of(error)),
        }
    }
}

impl Folder {
    /// Makes the files where there are none: that of the tables last, and under another name first,
    /// for half a new file is none that could be opened.
    fn make(&self) -> Result<(), StoreError> {
        let path = self.path.join(FILE);
        if path.exists() {
            return Ok(());
        }
        let of = |error| StoreError::Path(path.clone(), Arc::new(error));
        for name in JOURNAL {
            let path = self.path.join(name);
            let of = |error| StoreError::Path(path.clone(), Arc::new(error));
            File::create(&path).and_then(|file| file.sync_all()).map_err(of)?;
        }
        let new = self.path.join("events.new");
        let _ = std::fs::remove_file(&new);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&new);
        super::make_on(Box::new(backend(file.map_err(of)?).map_err(of)?))?;
        File::open(&new).and_then(|file| file.sync_all()).map_err(of)?;
        std::fs::rename(&new, &path).map_err(of)?;
        // the names of the files must be as durable as what is in them
        #[cfg(unix)]
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(of)?;
        Ok(())
    }
}

/// Makes the store in the folder `part`, which nobody has open, the one of `folder`: the whole of
/// it or nothing, whatever happens meanwhile.
pub(super) fn take_from(part: &Path, folder: &Path) -> Result<(), StoreError> {
    let of = |error| StoreError::Path(folder.into(), Arc::new(error));
    // the tables last: without them there is no store
    for name in JOURNAL.into_iter().chain([FILE]) {
        std::fs::rename(part.join(name), folder.join(name)).map_err(of)?;
    }
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(of)?;
    // what is left is a lock that nobody holds
    let _ = std::fs::remove_dir_all(part);
    Ok(())
}

impl Medium for Folder {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path.join(FILE))?;
        Ok(Box::new(backend(file)?))
    }

    /// One that is missing is not made: a folder that was copied without it has lost events.
    fn journal(&self, number: usize) -> io::Result<Box<dyn StorageBackend>> {
        let path = self.path.join(JOURNAL[number]);
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        Ok(Box::new(backend(file)?))
    }
}

fn backend(file: File) -> io::Result<redb::backends::FileBackend> {
    redb::backends::FileBackend::new(file).map_err(io::Error::other)
}

/// What failed first since the bytes were opened. redb tells that something did, and not what.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault(Arc<Mutex<Option<Failed>>>);

/// What was done, and what the system said.
type Failed = (Operation, Arc<io::Error>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Write,
    Sync,
}

/// Whether there is no room for what was to be written.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl Fault {
    /// As an error of the store, where there was one.
    pub(super) fn error(&self) -> Option<StoreError> {
        let fault = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (operation, error) = fault?;
        // a sync that has no room is as uncertain as any other that fails
        Some(match operation {
            Operation::Write if is_full(&error) => StoreError::Full(error),
            _ => StoreError::Failed(error),
        })
    }

    fn note<T>(&self, operation: Operation, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let error = Arc::new(error);
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| (operation, error.clone()));
            io::Error::new(error.kind(), error)
        })
    }
}

/// Bytes whose faults are noted. They are locked by other means, if at all: the folder's lock
/// outlives a store that is opened anew.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) inner: Box<dyn StorageBackend>,
    pub(super) fault: Fault,
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.fault.note(Operation::Read, self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.fault.note(Operation::Read, self.inner.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fault.note(Operation::Write, self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fault.note(Operation::Sync, self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fault.note(Operation::Write, self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(
        &self,
        _start: std::ops::Bound<u64>,
        _end: std::ops::Bound<u64>,
    ) -> Result<bool, BackendError> {
        Err(BackendError::Unsupported)
    }
}
