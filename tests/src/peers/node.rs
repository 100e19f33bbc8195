//! Peers that are npm packages, installed once under `target/peers/`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::environment::{SOURCES, target_dir};
use super::install::{self, Installation};

/// The tests of pages, whose scripts run a browser.
const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");

/// Whether Node and npm are on the PATH. Where they are not, tests that need them are to be
/// [skipped](super::skip).
pub fn installed() -> bool {
    runs(Command::new("node")) && runs(npm())
}

/// The major version of Node on the PATH, if it is there with npm.
#[must_use]
pub fn version() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let major = text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()?;
    runs(npm()).then_some(major)
}

/// A command that runs `script` of the folder `tests/peers/{package}` with what its
/// `package-lock.json` pins.
///
/// # Panics
///
/// Where that cannot be installed.
#[track_caller]
pub fn command(package: &str, script: &str) -> Command {
    let folder = folder(&Path::new(SOURCES).join(package));
    let mut command = Command::new("node");
    command.arg(folder.join(script));
    command
}

/// The files of `tests/browser` with what its `package-lock.json` pins, `node_modules` included:
/// scripts to run, and pages to serve.
///
/// # Panics
///
/// Where that cannot be installed.
#[must_use]
#[track_caller]
pub fn browser() -> PathBuf {
    folder(Path::new(BROWSER))
}

#[track_caller]
fn folder(source: &Path) -> PathBuf {
    provide(source).unwrap_or_else(|error| {
        panic!("cannot install the npm packages of {}: {error}", source.display())
    })
}

fn provide(source: &Path) -> io::Result<PathBuf> {
    let package = source.file_name().unwrap_or_default();
    let peers = target_dir().join("peers");
    let folder = peers.join(package);
    fs::create_dir_all(&folder)?;
    let _installing = Installation::begin();
    // tests run at once, in threads and in processes
    let _lock = install::lock(&folder.with_extension("lock"))?;

    for entry in fs::read_dir(source)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            install::replace(&folder.join(entry.file_name()), &fs::read(entry.path())?)?;
        }
    }
    let wanted = fs::read_to_string(source.join("package-lock.json"))?;
    let stamp = folder.join("installed.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(folder);
    }
    let mut npm = npm();
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
    let what = format!("installing npm packages of {}", source.display());
    let Output { status, stderr, .. } = install::output(&what, &mut npm)?;
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
