//! The bodies of the fuzz targets, over what once made one fail, over the seeds, and over random
//! bytes. The fuzzers themselves are in `fuzz/`.

use std::fs;
use std::path::Path;

use hat_tests::fuzzing::{TARGETS, run, seeds};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz");

#[test]
fn every_target_has_its_file_and_its_entry() {
    let manifest = fs::read_to_string(format!("{FUZZ}/Cargo.toml")).expect("fuzz/Cargo.toml");
    for target in TARGETS {
        let name = target.name;
        assert!(Path::new(&format!("{FUZZ}/fuzz_targets/{name}.rs")).exists(), "no file: {name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "no entry: {name}");
    }
    let files = fs::read_dir(format!("{FUZZ}/fuzz_targets")).expect("a folder").count();
    assert_eq!(files, TARGETS.len());
}

#[test]
fn what_once_failed() {
    for folder in fs::read_dir(format!("{FUZZ}/regressions")).expect("a folder") {
        let folder = folder.expect("an entry").path();
        let name = folder.file_name().expect("a name").to_str().expect("a target's name");
        for input in fs::read_dir(&folder).expect("a folder") {
            let path = input.expect("an entry").path();
            println!("{}", path.display());
            run(name, &fs::read(&path).expect("a file"));
        }
    }
}

#[test]
fn seeds() {
    for (name, seeds) in seeds::all() {
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            run(name, &seed);
            // cut in every way that the head of an input can say
            if name.ends_with("_bytes") {
                for grain in [1, 2, 3, 7] {
                    run(name, &[&[grain], &seed[1..]].concat());
                }
            }
        }
    }
}

#[test]
fn random_bytes() {
    for target in TARGETS {
        println!("{}", target.name);
        let mut runner =
            TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
        let inputs = prop_oneof![vec(any::<u8>(), 0..300), vec(0_u8..8, 0..300)];
        let outcome = runner.run(&inputs, |input| {
            (target.run)(&input);
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{}: {failure}", target.name));
    }
}
