//! `hat completions` and `hat man`: what a shell and `man` are told of the command.

use std::io;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::{Args, ManArgs, ShellName};
use crate::output;

/// A script for a shell, on standard output.
pub(crate) fn completions(shell: ShellName) -> Result<()> {
    let shell = match shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "hat", &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end())
}

/// The page of the whole on standard output, or a page of each command in a folder.
pub(crate) fn man(args: &ManArgs) -> Result<()> {
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(Args::command(), dir))
            .with_context(|| format!("cannot write the pages to {}", dir.display()))?;
        return Ok(());
    }
    let mut page = Vec::new();
    let rendered: io::Result<()> = clap_mangen::Man::new(Args::command()).render(&mut page);
    rendered.context("cannot write the page")?;
    output::print(String::from_utf8_lossy(&page).trim_end())
}
