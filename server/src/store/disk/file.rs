//! Where the bytes are: a file, or what a test has in its place.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

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
/// The folder in which a store is made, within the one that it is for.
pub(super) const PART: &str = "part";
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
    /// The file of the tables, which is locked, too: a lock's file may be removed by who takes it
    /// for a stale one. Not on Windows, where who has it open otherwise could not use it.
    #[cfg(unix)]
    tables: File,
}

/// Makes the folder where there is none, and locks it.
pub(super) fn lock_folder(path: &Path) -> Result<File, StoreError> {
    let of = |error| StoreError::Path(path.into(), Arc::new(error));
    make_folders(path).map_err(of)?;
    let mut options = OpenOptions::new();
    let lock = options.create(true).truncate(false).write(true).open(path.join(LOCK));
    lock_file(lock.map_err(of)?, path)
}

fn lock_file(file: File, folder: &Path) -> Result<File, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(folder.into())),
        Err(TryLockError::Error(error)) => Err(StoreError::Path(folder.into(), Arc::new(error))),
    }
}

impl Folder {
    /// Locks the folder, and makes it and a store in it where there is none.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreError> {
        let lock = lock_folder(path)?;
        make(path)?;
        #[cfg(unix)]
        let tables = {
            let file = path.join(FILE);
            let opened = OpenOptions::new().read(true).write(true).open(&file);
            lock_file(opened.map_err(|error| StoreError::Path(file, Arc::new(error)))?, path)?
        };
        Ok(Self {
            path: path.into(),
            lock,
            #[cfg(unix)]
            tables,
        })
    }

    /// The file of the tables is the one that was locked: somebody may have moved the folder away,
    /// and begun another store in its place.
    fn is_the_same(&self, file: &File) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let of = |file: &File| file.metadata().map(|known| (known.dev(), known.ino()));
            if of(&self.tables)? != of(file)? {
                let path = self.path.join(FILE);
                let what = format!("{} is no longer the file that was opened", path.display());
                return Err(io::Error::other(what));
            }
        }
        let _ = file;
        Ok(())
    }
}

/// Makes a folder where there is none, and those that it is in.
fn make_folders(path: &Path) -> io::Result<()> {
    let named_in = named_in(path);
    std::fs::create_dir_all(path)?;
    named_in.into_iter().try_for_each(sync_folder)
}

/// The folders that get the name of another one where a folder is made.
fn named_in(path: &Path) -> Vec<&Path> {
    let is_missing = |one: &&Path| !one.as_os_str().is_empty() && !one.exists();
    path.ancestors().take_while(is_missing).map(parent).collect()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The names of the files in a folder, and its own, are as durable then as what is in them.
fn sync_names(folder: &Path) -> io::Result<()> {
    sync_folder(folder)?;
    match sync_folder(&folder.join("..")) {
        // who may not look into it has not made the folder there
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Makes the names in a folder durable, where the system lets folders be opened.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes the files in a folder that is locked where there are none: that of the tables last, and
/// under another name first, for half a new file is none that could be opened.
fn make(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(FILE);
    let of = |error| StoreError::Path(path.clone(), Arc::new(error));
    match std::fs::metadata(&path) {
        Ok(file) if file.len() == 0 => {
            let what = format!(
                "{} is empty, so it is not a store; restore a backup, or move the folder away to \
                 start over",
                path.display()
            );
            return Err(StoreError::Unknown(what.into()));
        }
        Ok(_) => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(of(error)),
        Err(_) => {}
    }
    is_nothing_lost(folder)?;
    for name in JOURNAL {
        let path = folder.join(name);
        let of = |error| StoreError::Path(path.clone(), Arc::new(error));
        File::create(&path).and_then(|file| file.sync_all()).map_err(of)?;
    }
    let new = folder.join("events.new");
    let _ = std::fs::remove_file(&new);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&new);
    super::make_on(Box::new(backend(file.map_err(of)?).map_err(of)?))?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(of)?;
    std::fs::rename(&new, &path).map_err(of)?;
    sync_names(folder).map_err(of)
}

/// Nothing is begun anew where there was a store, or half of one: who starts a server over it
/// would take it for all that there is.
fn is_nothing_lost(folder: &Path) -> Result<(), StoreError> {
    let dir = folder.display();
    let lost = |what: String| Err(StoreError::Unknown(what.into()));
    let part = folder.join(PART);
    let of = |error| StoreError::Path(part.clone(), Arc::new(error));
    if part.join(FILE).try_exists().map_err(of)? {
        return lost(format!(
            "{dir} has a part of a store: a restore or an import was not completed; repeat it, or \
             remove {} to start without it",
            part.display()
        ));
    }
    for name in JOURNAL {
        let of = |error| StoreError::Path(folder.join(name), Arc::new(error));
        match std::fs::metadata(folder.join(name)) {
            Ok(file) if file.len() > 0 => {
                return lost(format!(
                    "{dir} has {name} and no {FILE}: the store lacks its tables; restore a backup, \
                     or move the folder away to start over"
                ));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(of(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Removes what is left of a store in `part`, which was begun and has no end; who is still at it
/// has the lock.
pub(super) fn remove_begun(part: &Path) -> Result<(), StoreError> {
    let begun = part.join(FILE);
    let of = |error| StoreError::Path(begun.clone(), Arc::new(error));
    if !begun.try_exists().map_err(of)? {
        return Ok(());
    }
    let lock = Folder::lock(part)?;
    // the tables last: journals without them would be those of a store that has lost them
    for name in JOURNAL {
        match std::fs::remove_file(part.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(of(error)),
            _ => {}
        }
    }
    let removed = std::fs::remove_file(&begun).map_err(of);
    drop(lock);
    removed
}

/// Makes the store in the folder `part`, which nobody has open, the one of `folder`, which is
/// locked: the whole of it or nothing, whatever happens meanwhile.
pub(super) fn take_from(part: &Path, folder: &Path) -> Result<(), StoreError> {
    let of = |error| StoreError::Path(folder.into(), Arc::new(error));
    let take = |name| std::fs::rename(part.join(name), folder.join(name)).map_err(of);
    JOURNAL.into_iter().try_for_each(take)?;
    // the tables last, also on the disk: without them there is no store
    sync_names(folder).map_err(of)?;
    take(FILE)?;
    sync_folder(folder).map_err(of)?;
    // what is left is a lock that nobody holds
    let _ = std::fs::remove_dir_all(part);
    Ok(())
}

impl Medium for Folder {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path.join(FILE))?;
        self.is_the_same(&file)?;
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
///
/// And whether the bytes were opened anew since. Who reads keeps what was opened before for a while
/// longer, and redb writes when it closes that: from what it knows, which is not what there is any
/// more.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault(Arc<FaultState>);

#[derive(Debug, Default)]
struct FaultState {
    first: Mutex<Option<Failure>>,
    is_retired: RwLock<bool>,
}

/// What was done, and what the system said.
type Failure = (Operation, Arc<io::Error>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Write,
    Sync,
}

/// What an error of reading says: of the disk, or of what is on it.
pub(super) fn of_reading(error: Arc<io::Error>) -> StoreError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => StoreError::Damaged("a file ends too early".into()),
        _ => StoreError::Failed(error),
    }
}

/// An error that redb gives, as it was before it went through redb.
pub(super) fn as_it_was(error: &io::Error) -> Arc<io::Error> {
    let noted = error.get_ref().and_then(|inner| inner.downcast_ref::<Arc<io::Error>>());
    noted.cloned().unwrap_or_else(|| Arc::new(io::Error::new(error.kind(), error.to_string())))
}

/// Whether there is no room for what was to be written.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl Fault {
    /// As an error of the store, where there was one.
    pub(super) fn error(&self) -> Option<StoreError> {
        let fault = self.0.first.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (operation, error) = fault?;
        // a sync that has no room is as uncertain as any other that fails
        Some(match operation {
            Operation::Write if is_full(&error) => StoreError::Full(error),
            Operation::Read => of_reading(error),
            _ => StoreError::Failed(error),
        })
    }

    /// From now on the bytes can neither be read nor written by who opened them. What is under way
    /// has ended.
    pub(super) fn retire(&self) {
        *self.0.is_retired.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn run<T>(&self, operation: Operation, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let is_retired = self.0.is_retired.read().unwrap_or_else(PoisonError::into_inner);
        if *is_retired {
            return Err(io::Error::other("the file was opened anew"));
        }
        run().map_err(|error| {
            let error = Arc::new(error);
            let mut first = self.0.first.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| (operation, error.clone()));
            io::Error::new(error.kind(), error)
        })
    }
}

/// Bytes whose faults are noted. They are locked by other means, if at all: the folder's lock
/// outlives a store that is opened anew.
#[derive(Debug)]
pub(super) struct WatchedBytes {
    pub(super) inner: Box<dyn StorageBackend>,
    pub(super) fault: Fault,
}

impl StorageBackend for WatchedBytes {
    fn len(&self) -> io::Result<u64> {
        self.fault.run(Operation::Read, || self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.fault.run(Operation::Read, || self.inner.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fault.run(Operation::Write, || self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fault.run(Operation::Sync, || self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fault.run(Operation::Write, || self.inner.write(offset, data))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store as _;
    use crate::store::disk::{DiskOptions, DiskStore};

    /// A folder that goes with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hat-file-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            Self(path)
        }

        fn open(&self) -> Result<DiskStore, StoreError> {
            DiskStore::open(&self.0, DiskOptions::default())
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_name_of_every_folder_that_is_made_is_made_durable() {
        let scratch = Scratch::new("names");
        let folder = scratch.0.join("a").join("b");
        let top = std::env::temp_dir();
        assert_eq!(named_in(&folder), [&*scratch.0.join("a"), &*scratch.0, &*top]);
        drop(DiskStore::open(&folder, DiskOptions::default()).expect("a store"));
        assert_eq!(named_in(&folder), <[&Path; 0]>::default());
        let relative = Path::new("no-such-folder/b");
        assert_eq!(named_in(relative), [Path::new("no-such-folder"), Path::new(".")]);
    }

    #[test]
    fn nothing_is_begun_anew_over_what_is_left_of_a_store() {
        let scratch = Scratch::new("half");
        let store = scratch.open().expect("a store");
        store.go_on_above(&[(1, 5, None)]).expect("the disk");
        drop(store);
        let journal = || JOURNAL.map(|name| std::fs::read(scratch.0.join(name)).expect("a file"));
        let before = journal();
        assert!(before.iter().any(|file| !file.is_empty()));
        std::fs::remove_file(scratch.0.join(FILE)).expect("the tables");
        for _ in 0..2 {
            let opened = scratch.open();
            assert!(matches!(opened, Err(StoreError::Unknown(_))), "{opened:?}");
            assert!(journal() == before, "what is left stays");
        }
    }

    #[test]
    fn nothing_is_begun_beside_half_a_copy_which_can_be_made_again() {
        let (from, to) = (Scratch::new("whole"), Scratch::new("part"));
        let store = from.open().expect("a store");
        store.go_on_above(&[(1, 5, None)]).expect("the disk");
        // as a copy leaves it that was killed: before its journals were moved, or after the first
        for moved in [0, 1] {
            let part = DiskStore::open(&to.0.join(PART), DiskOptions::default()).expect("a part");
            part.go_on_above(&[(1, 2, None)]).expect("the disk");
            drop(part);
            for name in &JOURNAL[..moved] {
                std::fs::rename(to.0.join(PART).join(name), to.0.join(name)).expect("a file");
            }
            let opened = to.open().map(drop).map_err(|error| error.to_string());
            assert!(opened.is_err_and(|error| error.contains("was not completed")));
            assert_eq!(store.copy_to(&to.0, |_| {}).expect("a copy"), 0);
            let copy = to.open().expect("a store");
            assert_eq!(copy.servers()[0].reserved, 5, "that of the store and not of the part");
            drop(copy);
            std::fs::remove_dir_all(&to.0).expect("it was made");
        }
        // one that was ended between the two files that it removes of such a part
        let part = to.0.join(PART);
        drop(DiskStore::open(&part, DiskOptions::default()).expect("a part"));
        std::fs::remove_file(part.join(JOURNAL[0])).expect("a file");
        store.copy_to(&to.0, |_| {}).expect("a copy");
    }

    #[test]
    fn an_empty_file_in_the_place_of_the_tables_is_no_new_store() {
        let scratch = Scratch::new("empty");
        let store = scratch.open().expect("a store");
        store.go_on_above(&[(1, 5, None)]).expect("the disk");
        drop(store);
        // as a copy leaves it for which there was no room
        std::fs::write(scratch.0.join(FILE), []).expect("a file");
        let opened = scratch.open().map(drop).map_err(|error| error.to_string());
        assert!(opened.as_ref().is_err_and(|error| error.contains("is empty")), "{opened:?}");
        assert_eq!(std::fs::metadata(scratch.0.join(FILE)).expect("a file").len(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn without_the_file_of_the_lock_a_second_one_is_refused_too() {
        let scratch = Scratch::new("no-lock");
        let store = scratch.open().expect("a store");
        // by somebody who takes it for a stale one
        std::fs::remove_file(scratch.0.join(LOCK)).expect("a file");
        let second = scratch.open();
        assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
        drop(store);
        scratch.open().expect("nobody has it");
    }

    #[cfg(unix)]
    #[test]
    fn a_store_that_was_moved_away_is_not_opened_anew_in_its_successor() {
        let (scratch, moved) = (Scratch::new("successor"), Scratch::new("moved"));
        let store = scratch.open().expect("a store");
        store.go_on_above(&[(1, 5, None)]).expect("the disk");
        std::fs::rename(&scratch.0, &moved.0).expect("it can be moved");
        let successor = scratch.open().expect("another store");
        successor.go_on_above(&[(1, 7, None)]).expect("the disk");
        let before = std::fs::read(scratch.0.join(FILE)).expect("a file");
        // as after a fault
        let wrong = |_: &_| Err(crate::store::disk::write::ChangeError::Damaged);
        store.change_file(&mut store.tables(), wrong).expect_err("it fails");
        store.recover().expect_err("what is there now is another store");
        assert!(std::fs::read(scratch.0.join(FILE)).expect("a file") == before);
        drop(store);
        assert!(std::fs::read(scratch.0.join(FILE)).expect("a file") == before);
        drop(successor);
        let successor = scratch.open().expect("a store");
        assert_eq!(successor.servers()[0].reserved, 7);
        assert_eq!(moved.open().expect("a store").servers()[0].reserved, 5);
    }

    #[test]
    fn nobody_begins_a_store_where_one_is_being_made_or_the_reverse() {
        let (from, to) = (Scratch::new("made-from"), Scratch::new("made-to"));
        let store = from.open().expect("a store");
        store.go_on_above(&[(1, 5, None)]).expect("the disk");
        // while the copy is made
        let made = DiskStore::make_whole(&to.0, |_| {
            let begun = to.open();
            assert!(matches!(begun, Err(StoreError::Locked(_))), "{begun:?}");
            Ok::<_, StoreError>(())
        });
        made.expect("a copy");
        drop(to.open().expect("a store"));
        // and where somebody has begun one since it was looked for
        std::fs::remove_dir_all(&to.0).expect("it was made");
        let begun = to.open().expect("a store");
        begun.go_on_above(&[(1, 9, None)]).expect("the disk");
        let made = DiskStore::make_whole(&to.0, |_| Ok::<_, StoreError>(()));
        assert!(matches!(made, Err(StoreError::Locked(_))), "{made:?}");
        drop(begun);
        let made = DiskStore::make_whole(&to.0, |_| Ok::<_, StoreError>(()));
        assert!(matches!(made, Err(StoreError::Path(..))), "{made:?}");
        assert_eq!(to.open().expect("a store").servers()[0].reserved, 9);
    }

    #[test]
    fn a_copy_that_fails_leaves_nothing_in_the_way() {
        let to = Scratch::new("fails");
        let failed = DiskStore::make_whole(&to.0, |_| Err::<(), _>(StoreError::Closed));
        assert!(matches!(failed, Err(StoreError::Closed)));
        assert!(!to.0.join(PART).exists());
        to.open().expect("and a store can be made there");
    }
}
