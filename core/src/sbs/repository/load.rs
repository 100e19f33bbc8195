use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use super::Repository;
use crate::sbs::schema::{MAX_SCHEMA_LEN, SchemaError, parse};

/// Why schemas could not be read from files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file or a folder could not be read, or a file is not UTF-8.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// A file is not a schema.
    #[error("{}: {error}", path.display())]
    Schema {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        error: SchemaError,
    },
}

impl Repository {
    /// Of the schema file at `path`, or of every `*.sbs` in the folder at `path` and the folders in
    /// it.
    ///
    /// Files are read in the order of their paths, so that of two modules with one name always the
    /// same is meant: the later. Links to folders are not followed.
    ///
    /// # Errors
    ///
    /// [`LoadError`], at the first file that cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let mut files = Vec::new();
        let mut folders = Vec::new();
        if fs::metadata(path).map_err(|error| io_error(path, error))?.is_dir() {
            folders.push(path.to_owned());
        } else {
            files.push(path.to_owned());
        }
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(|error| io_error(&folder, error))? {
                let entry = entry.map_err(|error| io_error(&folder, error))?;
                let path = entry.path();
                if entry.file_type().map_err(|error| io_error(&path, error))?.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "sbs") {
                    files.push(path);
                }
            }
        }
        files.sort();
        let mut repository = Self::new();
        for path in files {
            let text = read(&path).map_err(|error| io_error(&path, error))?;
            let module = parse(&text).map_err(|error| LoadError::Schema { path, error })?;
            repository.add(module);
        }
        Ok(repository)
    }
}

/// The text of a file, or one byte more than a schema may have.
fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SCHEMA_LEN as u64 + 1).read_to_end(&mut bytes)?;
    // the cut may be inside a character; the length is then the fault to report
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if error.as_bytes().len() > MAX_SCHEMA_LEN => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

fn io_error(path: &Path, error: io::Error) -> LoadError {
    LoadError::Io { path: path.to_owned(), error }
}
