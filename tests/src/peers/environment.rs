//! Virtual environments with the deployed Python packages, made once under `target/peers/`.

use std::{
    env, fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::install::{self, Installation};

/// The sources of the peers and their requirements.
pub(super) const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// What is known to install and run: the packages' own limits, as far as they were tried.
const TODAY_PYTHONS: RangeInclusive<(u32, u32)> = (3, 11)..=(3, 13);
const CHATTER05_PYTHONS: RangeInclusive<(u32, u32)> = (3, 11)..=(3, 11);
const JUGGLER05_PYTHONS: RangeInclusive<(u32, u32)> = (3, 11)..=(3, 11);
const S7_PYTHONS: RangeInclusive<(u32, u32)> = (3, 11)..=(3, 13);

/// Interpreters to try, in this order: 3.11 runs all of the peers.
const PYTHONS: [&str; 2] = ["python3.11", "python3"];

/// A virtual environment with deployed packages, and the script that puts them behind the line
/// protocol.
///
/// The first test that needs it makes it, with the packages that `tests/peers/requirements-*.txt`
/// pins; that takes some ten seconds and the network. It is made again when the requirements
/// change.
#[derive(Debug, Clone)]
pub struct Environment {
    python: PathBuf,
    script: PathBuf,
}

/// Why there is no environment, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No interpreter fits.
    #[error(
        "the deployed peer `{name}` needs Python {oldest}{newest} on the PATH, and {found}. Install it with its venv \
         module (Debian and Ubuntu: python3.11 and python3.11-venv), or set {skip}=1 to skip the tests that need \
         deployed peers",
        skip = super::WITHOUT_PEERS
    )]
    NoPython {
        /// The peer.
        name: &'static str,
        /// The oldest version that fits.
        oldest: String,
        /// The newest one, where it is another.
        newest: String,
        /// What there is instead.
        found: String,
    },
    /// A step of making it failed.
    #[error(
        "cannot make the Python environment of the deployed peer `{name}`: {step} failed:\n{output}\nSet {skip}=1 to \
         skip the tests that need deployed peers",
        skip = super::WITHOUT_PEERS
    )]
    Failed {
        /// The peer.
        name: &'static str,
        /// What was done.
        step: String,
        /// What it answered.
        output: String,
    },
    /// Files under `target/peers/` could not be read or written.
    #[error("cannot keep Python environments in {}: {error}", folder.display())]
    Files {
        /// The folder of the environments.
        folder: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}

impl Environment {
    /// Today's deployed software: hat-event, hat-drivers and hat-sbs.
    pub fn today() -> Result<Self, SetupError> {
        Recipe::of_peer("today", TODAY_PYTHONS).provide()
    }

    /// The last Chatter of dialect `Hat`: hat-chatter 0.5.
    pub fn chatter05() -> Result<Self, SetupError> {
        Recipe::of_peer("chatter05", CHATTER05_PYTHONS).provide()
    }

    /// The last symmetric Juggler: hat-juggler 0.5.
    pub fn juggler05() -> Result<Self, SetupError> {
        Recipe::of_peer("juggler05", JUGGLER05_PYTHONS).provide()
    }

    /// S7 communication: python-snap7.
    pub fn s7() -> Result<Self, SetupError> {
        Recipe::of_peer("s7", S7_PYTHONS).provide()
    }

    /// A command that runs the peer.
    pub fn command(&self) -> Command {
        let mut command = clean_command(&self.python);
        command.arg(&self.script);
        command
    }
}

/// The interpreter of an environment with what `requirements` asks for, a file of the repository by
/// its path from the workspace. It is made under `target/peers/NAME`.
pub fn python_with(name: &'static str, requirements: &str) -> Result<PathBuf, SetupError> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(requirements);
    let recipe = Recipe { name, pythons: CHATTER05_PYTHONS, requirements };
    recipe.provide_in(&target_dir().join("peers"))
}

struct Recipe {
    name: &'static str,
    pythons: RangeInclusive<(u32, u32)>,
    requirements: PathBuf,
}

impl Recipe {
    fn of_peer(name: &'static str, pythons: RangeInclusive<(u32, u32)>) -> Self {
        let requirements = Path::new(SOURCES).join(format!("requirements-{name}.txt"));
        Self { name, pythons, requirements }
    }

    fn provide(&self) -> Result<Environment, SetupError> {
        let python = self.provide_in(&target_dir().join("peers"))?;
        Ok(Environment { python, script: Path::new(SOURCES).join(format!("{}.py", self.name)) })
    }

    fn provide_in(&self, folder: &Path) -> Result<PathBuf, SetupError> {
        let requirements = &self.requirements;
        let files = |error| SetupError::Files { folder: folder.to_owned(), error };

        fs::create_dir_all(folder).map_err(files)?;
        let _installing = Installation::begin();
        let lock = folder.join(format!("{}.lock", self.name));
        let _lock = install::lock(&lock).map_err(files)?;

        let venv = folder.join(self.name);
        let python = python_of(&venv);
        let stamp = venv.join("requirements.stamp");
        let wanted = fs::read_to_string(requirements).map_err(files)?;
        // the interpreter is a link, and the one it points to may have been removed since
        if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && python.exists() {
            return Ok(python);
        }

        let base = self.find_python()?;
        self.run("python -m venv", clean_command(base).args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut install = clean_command(&python);
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ]);
        self.run("pip install", install.arg("-r").arg(requirements))?;
        // last, so that what was interrupted is made again
        fs::write(&stamp, wanted).map_err(files)?;
        Ok(python)
    }

    fn find_python(&self) -> Result<&'static str, SetupError> {
        let mut found = Vec::new();
        for python in PYTHONS {
            match python_version(python) {
                Some(version) if self.pythons.contains(&version) => return Ok(python),
                Some((major, minor)) => found.push(format!("{python} is {major}.{minor}")),
                None => {}
            }
        }
        let (oldest, newest) = (self.pythons.start(), self.pythons.end());
        Err(SetupError::NoPython {
            name: self.name,
            oldest: format!("{}.{}", oldest.0, oldest.1),
            newest: if oldest == newest {
                String::new()
            } else {
                format!(" to {}.{}", newest.0, newest.1)
            },
            found: if found.is_empty() { "there is none".to_owned() } else { found.join(", ") },
        })
    }

    fn run(&self, step: &str, command: &mut Command) -> Result<(), SetupError> {
        let failed = |output| SetupError::Failed { name: self.name, step: step.to_owned(), output };
        let Output { status, stdout, stderr } =
            install::output(&format!("{step} for {}", self.name), command)
                .map_err(|error| failed(error.to_string()))?;
        if status.success() {
            return Ok(());
        }
        Err(failed(format!(
            "{}{}{status}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        )))
    }
}

/// Where cargo puts what it builds; a relative path counts from the workspace, where cargo is
/// mostly started.
pub fn target_dir() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is a folder of the workspace");
    workspace.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

fn python_of(venv: &Path) -> PathBuf {
    if cfg!(windows) {
        venv.join("Scripts").join("python.exe")
    } else {
        venv.join("bin").join("python")
    }
}

fn python_version(python: &str) -> Option<(u32, u32)> {
    let print = "import sys; print(*sys.version_info[:2])";
    let output = clean_command(python)
        .args(["-c", print])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Python without what the caller's own environment would bring in.
fn clean_command(python: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(python);
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    command
}
