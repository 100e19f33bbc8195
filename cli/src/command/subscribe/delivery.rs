//! Whether what was printed has arrived, so that no later run needs to print it again.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use anyhow::{Context, Result};

/// What standard output is.
pub(super) enum Delivery {
    /// A power cut takes what is not on the disk yet.
    File(File),
    /// What still waits in it is lost when the reader ends.
    Pipe(File),
    /// Nobody can be asked.
    Other,
}

impl Delivery {
    /// That of standard output.
    pub(super) fn new() -> Self {
        let Ok(output) = io::stdout().as_fd().try_clone_to_owned() else { return Self::Other };
        let output = File::from(output);
        match output.metadata().map(|metadata| metadata.file_type()) {
            Ok(kind) if kind.is_file() => Self::File(output),
            Ok(kind) if kind.is_fifo() => Self::Pipe(output),
            _ => Self::Other,
        }
    }

    /// Whether the reader has taken all that was written. A file has, once the disk has.
    pub(super) fn is_complete(&self) -> Result<bool> {
        match self {
            Self::File(file) => {
                file.sync_data().context("cannot write the output to the disk")?;
                Ok(true)
            }
            Self::Pipe(pipe) => is_empty(pipe).context("cannot ask the pipe of the output"),
            Self::Other => Ok(true),
        }
    }
}

#[cfg(target_os = "linux")]
fn is_empty(pipe: &File) -> io::Result<bool> {
    Ok(rustix::io::ioctl_fionread(pipe)? == 0)
}

/// Other systems are not asked: not all of them say so to the one who writes.
#[cfg(not(target_os = "linux"))]
fn is_empty(_: &File) -> io::Result<bool> {
    Ok(true)
}
