//! The Python package: its own suites, run by pytest against the wheel, beside the deployed modules
//! and programs.
//!
//! ```text
//! target/peers/package-*   the deployed modules of one generation, pytest
//! target/wheels            the wheel, made once a run, installed into each
//! python/tests, tests05    the suites
//! python/tests/person.py   programs of Hat, restarted with the package beside them
//! ```

use std::path::Path;

use hat_tests::peers;
use hat_tests::peers::package::{self, command, succeed};

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

/// A person who runs Hat installs the wheel beside it, sets `HAT_NATIVE=1` and restarts.
#[test]
fn person() {
    if peers::skipped("person") {
        return;
    }
    let requirements = "python/tests/requirements-person.txt";
    let python = match package::installed_anew("package-person", requirements) {
        Ok(python) => python,
        Err(error) => return peers::skip("person", &error),
    };
    // the second is what the workflow of the wheels tries on every platform
    for script in ["tests/person.py", "tests/installed.py"] {
        let mut person = command(&python);
        person.current_dir(package::FOLDER).args(["-P", script]);
        succeed(&mut person, script).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A class of PyO3's writes what is unsafe; nobody here does.
#[test]
fn no_unsafe_of_ours() {
    let mut folders = vec![Path::new(package::FOLDER).join("src")];
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
    let python = match package::installed(environment, requirements) {
        Ok(python) => python,
        Err(error) => return peers::skip(test, &error),
    };
    let mut pytest = command(&python);
    pytest.current_dir(package::FOLDER).args([
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        suite,
    ]);
    // the package of the folder has no binary part: the installed one is meant
    pytest.env("PYTHONSAFEPATH", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    succeed(&mut pytest, "pytest").unwrap_or_else(|error| panic!("{error}"));
}
