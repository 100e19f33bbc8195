//! Why a file is not read.

use std::io;
use std::sync::Arc;

/// Why a file of LMDB gives no events, or no more of them.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LmdbError {
    /// The system could not read it.
    #[error("the file cannot be read: {0}")]
    Io(Arc<io::Error>),
    /// It is no such file, or one of another version or layout.
    #[error("{0}")]
    Unknown(Arc<str>),
    /// What is in it does not fit together.
    #[error(
        "the file is damaged: {0}; take another copy of it (`hat-event-lmdb-manager copy`), or mirror the server that uses it"
    )]
    Damaged(Arc<str>),
    /// A server wrote to it.
    #[error(
        "the file was written while it was being read; stop the server that uses it, or import a copy (`hat-event-lmdb-manager copy`)"
    )]
    Changed,
}

impl LmdbError {
    /// Damage of a page.
    pub(super) fn page(page: u64, what: &str) -> Self {
        Self::Damaged(format!("page {page}: {what}").into())
    }

    /// Damage of what the event server wrote.
    pub(super) fn entry(database: &str, what: impl std::fmt::Display) -> Self {
        Self::Damaged(format!("{database}: {what}").into())
    }
}

impl From<io::Error> for LmdbError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
