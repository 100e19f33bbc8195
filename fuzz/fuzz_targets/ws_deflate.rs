#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hat_tests::fuzzing::run("ws_deflate", input));
