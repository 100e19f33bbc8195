//! The Python package: its own suites, run by pytest against the wheel, beside the deployed modules
//! and programs.
//!
//! ```text
//! target/peers/package-*   the deployed modules of one generation, pytest
//! target/wheels            the wheel, made once a run, installed into each
//! python/tests, tests05    the suites
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hat_tests::peers;
use hat_tests::peers::{python_with, target_dir};

/// The package's folder.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../python");

#[test]
fn today() {
    run("today", "package-today", "python/tests/requirements.txt", "tests");
}

#[test]
fn chatter05() {
    run(
        "chatter05",
        "package-chatter05",
        "python/tests05/requirements-chatter.txt",
        "tests05/chatter",
    );
}

#[test]
fn juggler05() {
    run(
        "juggler05",
        "package-juggler05",
        "python/tests05/requirements-juggler.txt",
        "tests05/juggler",
    );
}

/// A class of PyO3's writes what is unsafe; nobody here does.
#[test]
fn no_unsafe_of_ours() {
    let mut folders = vec![Path::new(PACKAGE).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the sources are there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).expect("a source");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                assert!(!line.contains("unsafe"), "{}: {line}", path.display());
            }
        }
    }
    assert!(files > 5, "only {files} sources were found");
}

/// Installs the wheel beside what `requirements` asks for, and runs pytest on a folder of the
/// package.
fn run(test: &str, environment: &'static str, requirements: &str, suite: &str) {
    if peers::skipped(test) {
        return;
    }
    let python = match python_with(environment, requirements) {
        Ok(python) => python,
        Err(error) => return peers::skip(test, &error.to_string()),
    };
    let wheel = match wheel() {
        Ok(wheel) => wheel,
        Err(error) => return peers::skip(test, error),
    };
    let install = ["-m", "pip", "install", "-q", "--no-input", "--no-deps", "--force-reinstall"];
    succeed(command(&python).args(install).arg(wheel), "pip install of the wheel");
    let mut pytest = command(&python);
    pytest.current_dir(PACKAGE).args(["-m", "pytest", "-q", "-p", "no:cacheprovider", suite]);
    // the package of the folder has no binary part: the installed one is meant
    pytest.env("PYTHONSAFEPATH", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    succeed(&mut pytest, "pytest");
}

/// The wheel, built once.
fn wheel() -> Result<&'static Path, &'static str> {
    static WHEEL: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let wheel = WHEEL.get_or_init(|| {
        // maturin is part of what the suite of today asks for
        let python = python_with("package-today", "python/tests/requirements.txt")
            .map_err(|error| error.to_string())?;
        let folder = target_dir().join("wheels");
        let _ = std::fs::remove_dir_all(&folder);
        let mut maturin = command(&python);
        maturin.current_dir(PACKAGE).args(["-m", "maturin", "build", "--release", "-q", "--out"]);
        succeed(maturin.arg(&folder), "maturin build");
        let mut files = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
        let found = files.find_map(|entry| entry.ok().map(|entry| entry.path()));
        found.ok_or_else(|| "maturin has made no wheel".into())
    });
    wheel.as_deref().map_err(|error| &**error)
}

fn command(python: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(python);
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("HAT_NATIVE");
    command
}

#[track_caller]
fn succeed(command: &mut Command, what: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{what} did not start: {error}"));
    assert!(
        output.status.success(),
        "{what} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
