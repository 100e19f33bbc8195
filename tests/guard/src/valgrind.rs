//! This program once more, under callgrind, and what that counted.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::meter::{COUNTED, DUMP};
use crate::table::Table;

/// The argument with which this program only runs the cases.
pub const CASES: &str = "--cases";

/// For glibc: no `rep movsb` in copies. Callgrind counts one for each byte, and whether it is used
/// depends on addresses.
const NO_REP: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";

/// Counts all cases, or those of one module; the profiles, which `callgrind_annotate` reads, are
/// left in `folder`.
///
/// # Errors
///
/// There is no valgrind, or it failed, or what it wrote is not what was expected.
pub fn count(folder: &Path, only: Option<&str>) -> Result<Table> {
    let tools = format!("{}, {}", version("rustc")?, version("valgrind")?);
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-instr=yes"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--dump-after={DUMP}"))
        .arg(format!("--callgrind-out-file={}", folder.join("profile").display()))
        .arg(std::env::current_exe().context("finding this program")?)
        .arg(CASES)
        .args(only.map(|only| format!("--only={only}")))
        // the environment moves the stack, and with it what memcpy does
        .env_clear()
        .env("GLIBC_TUNABLES", NO_REP)
        .stderr(Stdio::piped())
        .output()
        .context("running valgrind")?;
    if !output.status.success() {
        bail!("valgrind failed, {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let mut rows = Vec::new();
    for (index, line) in String::from_utf8(output.stdout)?.lines().enumerate() {
        let (name, operations) =
            line.split_once(' ').context("a case says its name and its operations")?;
        let profile = folder.join(format!("profile.{}", index + 1));
        let instructions = instructions(&profile)?;
        ensure!(instructions > 0, "nothing was counted for {name}: is `{COUNTED}` still its name?");
        rows.push((name.to_owned(), instructions.div_ceil(operations.parse()?)));
    }
    Ok(Table { tools, rows })
}

fn instructions(profile: &Path) -> Result<u64> {
    let text =
        fs::read_to_string(profile).with_context(|| format!("reading {}", profile.display()))?;
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")));
    let total = total.with_context(|| format!("{} has no summary", profile.display()))?;
    total.trim().parse().with_context(|| format!("the summary of {}", profile.display()))
}

/// What `tool` says that it is.
fn version(tool: &str) -> Result<String> {
    let output = Command::new(tool).arg("--version").output().with_context(|| {
        format!("there is no `{tool}` here; on Debian and Ubuntu: apt install valgrind, and Rust from rustup.rs")
    })?;
    let line =
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
    // without the commit
    Ok(line.split(" (").next().unwrap_or_default().to_owned())
}
