//! Counts the instructions of the hot paths and holds them against the stored ones: see the
//! library.
#![allow(clippy::print_stdout, reason = "a program")]

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Parser;
use hat_guard::table::{MARGIN, Table};
use hat_guard::{cases, targets, valgrind};

/// Counts the instructions of the core's hot paths with callgrind and holds them against
/// tests/guard/counts.txt.
#[derive(Parser)]
struct Args {
    /// Store what was counted.
    #[arg(long)]
    bless: bool,
    /// Count the cases of one module alone, as `chatter`, and hold them against nothing.
    #[arg(long, value_name = "MODULE", conflicts_with = "bless")]
    only: Option<String>,
    /// Only run the cases: what callgrind is given.
    #[arg(long, hide = true)]
    cases: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if args.cases {
        cases::run(args.only.as_deref());
        return Ok(());
    }
    if cfg!(debug_assertions) {
        bail!("not optimized: cargo run --profile guard -p hat-guard");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let profiles = std::env::current_exe()?.with_file_name("hat-guard-profiles");
    let now = valgrind::count(&profiles, args.only.as_deref())?;
    print!("{now}");
    println!("Where they are spent: callgrind_annotate {}/profile.N", profiles.display());

    if args.only.is_some() {
        return Ok(());
    }
    let missed = targets::missed(&now);
    missed.iter().for_each(|missed| println!("AIM     {missed}"));
    let stored = folder.join("counts.txt");
    if args.bless {
        std::fs::write(&stored, now.to_string()).context("writing counts.txt")?;
        println!("stored in {}", stored.display());
    } else {
        let text =
            std::fs::read_to_string(&stored).context("reading counts.txt; make it with --bless")?;
        let was = Table::parse(&text).with_context(|| format!("in {}", stored.display()))?;
        let moved = was.moved(&now);
        moved.iter().for_each(|moved| println!("MOVED   {moved}"));
        if !moved.is_empty() {
            let tools = if was.tools == now.tools {
                String::new()
            } else {
                format!(
                    " Stored was what {} counted, this is {}: others count differently.",
                    was.tools, now.tools
                )
            };
            bail!(
                "{} of {} counts moved by more than {MARGIN} %.{tools} If that is meant: cargo run --profile guard -p hat-guard -- --bless, \
                 and say why in the commit",
                moved.len(),
                now.rows.len(),
            );
        }
    }
    Ok(())
}
