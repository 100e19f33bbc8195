//! Peers that are npm packages, installed once under `target/peers/`.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::environment::{SOURCES, target_dir};

/// Whether Node and npm are on the PATH. Where they are not, tests that need them are to be [skipped](super::skip).
pub fn installed() -> bool {
    runs(Command::new("node")) && runs(npm())
}

/// A command that runs `script` of the folder `tests/peers/{package}` with what its `package-lock.json` pins.
///
/// # Panics
///
/// Where that cannot be installed.
#[track_caller]
pub fn command(package: &str, script: &str) -> Command {
    let folder = provide(package)
        .unwrap_or_else(|error| panic!("cannot install the npm package {package}: {error}"));
    let mut command = Command::new("node");
    command.arg(folder.join(script));
    command
}

fn provide(package: &str) -> io::Result<PathBuf> {
    let source = Path::new(SOURCES).join(package);
    let peers = target_dir().join("peers");
    let folder = peers.join(package);
    fs::create_dir_all(&folder)?;
    // tests run at once, in threads and in processes
    let lock = File::create(peers.join(format!("{package}.lock")))?;
    lock.lock()?;

    for entry in fs::read_dir(&source)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    let wanted = fs::read_to_string(source.join("package-lock.json"))?;
    let stamp = folder.join("installed.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(folder);
    }
    let Output { status, stderr, .. } =
        npm().args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output()?;
    if !status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&stderr)));
    }
    // last, so that what was interrupted is installed again
    fs::write(stamp, wanted)?;
    Ok(folder)
}

fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

fn runs(mut program: Command) -> bool {
    program.arg("--version").output().is_ok_and(|output| output.status.success())
}
