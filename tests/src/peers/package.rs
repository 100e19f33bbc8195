//! The Python package of this repository, as a wheel beside deployed software.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{python_with, target_dir};

/// The package's folder.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../python");

/// What the suite of today asks for, maturin among it.
pub const TODAY: (&str, &str) = ("package-today", "python/tests/requirements.txt");

/// The interpreter of an environment, as [`python_with`] makes it, with the package installed. The
/// wheel is built once a process.
///
/// # Errors
///
/// What could not be made, and what was said about it.
pub fn installed(environment: &'static str, requirements: &str) -> Result<PathBuf, String> {
    let python = python_with(environment, requirements).map_err(|error| error.to_string())?;
    let install = ["-m", "pip", "install", "-q", "--no-input", "--no-deps", "--force-reinstall"];
    succeed(command(&python).args(install).arg(wheel()?), "pip install of the wheel")?;
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
    succeed(command(&python).args(pip).arg("install").arg(wheel()?), "pip install of the wheel")?;
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

fn wheel() -> Result<&'static Path, String> {
    static WHEEL: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let wheel = WHEEL.get_or_init(|| {
        let python = python_with(TODAY.0, TODAY.1).map_err(|error| error.to_string())?;
        let folder = target_dir().join("wheels");
        let _ = std::fs::remove_dir_all(&folder);
        let mut maturin = command(&python);
        maturin.current_dir(FOLDER).args(["-m", "maturin", "build", "--release", "-q", "--out"]);
        succeed(maturin.arg(&folder), "maturin build")?;
        let mut files = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
        let found = files.find_map(|entry| entry.ok().map(|entry| entry.path()));
        found.ok_or_else(|| "maturin has made no wheel".into())
    });
    wheel.as_deref().map_err(Clone::clone)
}
