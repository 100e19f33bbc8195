//! `cargo run -p hat-tests --bin fuzz_seeds -- FOLDER`: writes the seeds of every fuzz target.

use std::process::ExitCode;

use hat_tests::fuzzing::seeds;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("say where to: fuzz_seeds FOLDER");
        return ExitCode::FAILURE;
    };
    match seeds::write(folder.as_ref()) {
        Ok(count) => println!("{count} seeds"),
        Err(error) => {
            eprintln!("cannot write seeds to {}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
