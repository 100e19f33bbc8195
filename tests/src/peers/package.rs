//! The Python package of this repository, as a wheel beside deployed software.

use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::install::{self, Installation};
use super::{python_with, target_dir};

/// The package's folder.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../python");

/// What the suite of today asks for, maturin among it.
pub const TODAY: (&str, &str) = ("package-today", "python/tests/requirements.txt");

/// The interpreter of an environment, as [`python_with`] makes it, with the package installed. The
/// wheel is built once a process, and installed where another one is.
///
/// # Errors
///
/// What could not be made, and what was said about it.
pub fn installed(environment: &'static str, requirements: &str) -> Result<PathBuf, String> {
    let python = python_with(environment, requirements).map_err(|error| error.to_string())?;
    let (wheel, _lock) = wheel()?;
    // other processes may be running what is installed
    let stamp = python.with_file_name("wheel.stamp");
    let content = std::fs::read(&wheel).map_err(|error| error.to_string())?;
    if std::fs::read(&stamp).is_ok_and(|installed| installed == content) {
        return Ok(python);
    }
    let install = ["-m", "pip", "install", "-q", "--no-input", "--no-deps", "--force-reinstall"];
    let _ = std::fs::remove_file(&stamp);
    succeed(command(&python).args(install).arg(wheel), "pip install of the wheel")?;
    std::fs::write(stamp, content).map_err(|error| error.to_string())?;
    Ok(python)
}

/// As [`installed`], but as a person does it: what was installed before is taken away, and the
/// wheel brings what it needs.
///
/// # Errors
///
/// What could not be made, and what was said about it.
pub fn installed_anew(environment: &'static str, requirements: &str) -> Result<PathBuf, String> {
    let python = python_with(environment, requirements).map_err(|error| error.to_string())?;
    let pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "-q"];
    let uninstall = ["uninstall", "-y", "hat-native"];
    succeed(command(&python).args(pip).args(uninstall), "pip uninstall of the package")?;
    let (wheel, _lock) = wheel()?;
    succeed(command(&python).args(pip).arg("install").arg(wheel), "pip install of the wheel")?;
    Ok(python)
}

/// A command of an environment's interpreter, which this process' own Python variables do not
/// reach.
pub fn command(python: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(python);
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("HAT_NATIVE");
    command
}

/// Runs `command` to its end, and returns what it wrote.
///
/// # Errors
///
/// All that it wrote, if it did not start or failed.
pub fn succeed(command: &mut Command, what: &str) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{what} did not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{what} failed:\n{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// The wheel, as it is built of the sources now, and the lock under which it stays what it is: each
/// process builds it anew, in the same place.
fn wheel() -> Result<(PathBuf, File), String> {
    static BUILT: Mutex<bool> = Mutex::new(false);

    let folder = target_dir().join("wheels");
    let text = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(text)?;
    let python = python_with(TODAY.0, TODAY.1).map_err(|error| error.to_string())?;
    // the others of this process wait here, not for a lock that it holds itself
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let _installing = Installation::begin();
    let lock = install::lock(&folder.with_extension("lock")).map_err(text)?;
    if !*built {
        for file in std::fs::read_dir(&folder).map_err(text)? {
            std::fs::remove_file(file.map_err(text)?.path()).map_err(text)?;
        }
        let mut maturin = command(&python);
        maturin.current_dir(FOLDER).args(["-m", "maturin", "build", "--release", "-q", "--out"]);
        succeed(maturin.arg(&folder), "maturin build")?;
        *built = true;
    }
    let mut files = std::fs::read_dir(&folder).map_err(text)?;
    let found = files.find_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok((found.ok_or("maturin has made no wheel")?, lock))
}
