//! Who is compared, and how its two sides are started; or why it is not here.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hat_tests::peers::Environment;

use crate::process::Program;

/// One implementation in one kind of work.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// How to start it, or the reason why it is not here.
    pub(crate) sides: Result<Sides, String>,
}

/// The two processes of a run; see [`crate::side`] for what they say.
pub(crate) struct Sides {
    /// None, where a program works alone.
    pub(crate) server: Option<Program>,
    /// The client of a server at this port.
    pub(crate) client: Box<dyn Fn(u16) -> Program>,
}

impl Contender {
    /// Both sides of one program: `serve` starts the server; `drive`, the port and `work` the
    /// client.
    pub(crate) fn new<A: ToString>(
        name: &'static str,
        program: Result<Program, String>,
        serve: &[&str],
        drive: &[&str],
        work: &[A],
    ) -> Self {
        let client = program.clone().map(|it| it.with(drive));
        Self::apart(name, program, serve, client, work)
    }

    /// With another name, and a server that is started in another way.
    pub(crate) fn serving(
        self,
        name: &'static str,
        change: impl FnOnce(Program) -> Program,
    ) -> Self {
        let change = |it: Sides| Sides { server: it.server.map(change), ..it };
        Self { name, sides: self.sides.map(change) }
    }

    /// The sides are of two programs: `serve` starts the server; the port and `work` are added to
    /// the client.
    pub(crate) fn apart<A: ToString>(
        name: &'static str,
        server: Result<Program, String>,
        serve: &[&str],
        client: Result<Program, String>,
        work: &[A],
    ) -> Self {
        let work: Vec<String> = work.iter().map(ToString::to_string).collect();
        let both = server.and_then(|server| Ok((server, client?)));
        let sides = both.map(|(server, client)| {
            let client = move |port: u16| client.clone().with([port]).with(&work);
            Sides { server: Some(server.with(serve)), client: Box::new(client) }
        });
        Self { name, sides }
    }

    /// A program that works alone: it speaks as a client, and is told `work` only.
    pub(crate) fn alone(
        name: &'static str,
        program: Result<Program, String>,
        work: impl ToString,
    ) -> Self {
        let program = program.map(|it| it.with([work]));
        let sides = program
            .map(|program| Sides { server: None, client: Box::new(move |_| program.clone()) });
        Self { name, sides }
    }
}

/// What sockets without a protocol are called in the tables.
pub(crate) const RAW: &str = "raw TCP";
/// What this library is called.
pub(crate) const TOKIO: &str = "hat on Tokio";
/// The same on the other runtime.
pub(crate) const SMOL: &str = "hat on smol";
/// The same on io_uring.
pub(crate) const COMPIO: &str = "hat on compio";

/// Where programs come from that are not this one.
#[derive(Default)]
pub(crate) struct Programs {
    python: OnceLock<Result<Environment, String>>,
    rust: OnceLock<Result<PathBuf, String>>,
    hat: OnceLock<Result<PathBuf, String>>,
}

impl Programs {
    /// This program.
    pub(crate) fn itself(&self) -> Result<Program, String> {
        Program::itself().map_err(|error| error.to_string())
    }

    /// A script of `peers/` with the packages of the deployed software, which are installed on
    /// first use.
    pub(crate) fn python(&self, script: &str) -> Result<Program, String> {
        let script = format!("{}/peers/{script}", env!("CARGO_MANIFEST_DIR"));
        Ok(Program::new(self.interpreter()?).with([script]))
    }

    /// The interpreter with the packages of the deployed software.
    pub(crate) fn interpreter(&self) -> Result<PathBuf, String> {
        let environment = self.python.get_or_init(|| {
            // its second line is pip's
            Environment::today().map_err(|error| {
                let text = error.to_string();
                format!("not here: {}", text.lines().next().unwrap_or_default())
            })
        });
        let python = environment.as_ref().map_err(Clone::clone)?.command();
        // and not the peer of the tests
        Ok(python.get_program().into())
    }

    /// The command line, built on first use.
    pub(crate) fn hat(&self) -> Result<PathBuf, String> {
        self.hat.get_or_init(build_hat).clone()
    }

    /// The peers in Rust, a package of its own that is built on first use.
    pub(crate) fn rust(&self) -> Result<Program, String> {
        self.rust.get_or_init(build_peers).clone().map(Program::new)
    }

    /// The peers in Rust, for work that needs `program` on the PATH, which a Debian `package` has.
    pub(crate) fn rust_with(&self, program: &str, package: &str) -> Result<Program, String> {
        let path = env::var_os("PATH").unwrap_or_default();
        if !env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            return Err(format!(
                "not here: no `{program}` on the PATH (Debian: apt-get install {package})"
            ));
        }
        self.rust()
    }
}

/// The profile of what is built, that of this program, and its folder.
const PROFILE: (&str, &str) = match cfg!(debug_assertions) {
    true => ("dev", "debug"),
    false => ("release", "release"),
};

/// Where cargo puts what it builds: this program is `target/release/hat-bench`.
fn target() -> Result<PathBuf, String> {
    let itself = env::current_exe().map_err(|error| format!("not here: {error}"))?;
    Ok(itself.ancestors().nth(2).unwrap_or(Path::new("target")).to_owned())
}

/// `hat-bench-peers`, built into a folder beside this program's own.
fn build_peers() -> Result<PathBuf, String> {
    let target = target()?.join("bench-peers");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/rust/Cargo.toml");
    build(&target, &["--locked", "--manifest-path", manifest])?;
    Ok(target.join(PROFILE.1).join("hat-bench-peers"))
}

/// The command line, built beside this program.
fn build_hat() -> Result<PathBuf, String> {
    let target = target()?;
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    build(&target, &["--package", "hat-cli", "--manifest-path", manifest])?;
    Ok(target.join(PROFILE.1).join("hat"))
}

/// Builds what `arguments` say, into `target`.
fn build(target: &Path, arguments: &[&str]) -> Result<(), String> {
    eprintln!("building {} into {}", arguments.join(" "), target.display());
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--profile", PROFILE.0, "--quiet", "--target-dir"])
        .arg(target)
        .args(arguments);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("not here: it could not be built ({status})")),
        Err(error) => Err(format!("not here: cargo did not start: {error}")),
    }
}
