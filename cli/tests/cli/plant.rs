//! `hat serve` in a plant of deployed programs.

use std::process::Command;

use hat_tests::peers;

use crate::on_every_runtime;
use crate::store::Folder;

on_every_runtime! {
    /// Gateway, GUI and monitor around our server, which is killed: `tests/peers/plant.py`.
    fn a_plant_comes_back_whole(runtime) {
        if peers::skipped("a_plant_comes_back_whole") {
            return;
        }
        // the programs that Python's own suite runs, too
        let python = match peers::python_with("package-today", "python/tests/requirements.txt") {
            Ok(python) => python,
            Err(error) => return peers::skip("a_plant_comes_back_whole", &error.to_string()),
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/peers/plant.py");
        let folder = Folder::new();
        let mut command = Command::new(python);
        command.args([script, env!("CARGO_BIN_EXE_hat"), runtime, &folder.of("")]);
        command.env_remove("HAT_TOKEN").env_remove("RUST_LOG").env("HAT_NATIVE", "0");
        let output = command.output().expect("Python runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        println!("{}", text(&output.stdout));
    }
}
