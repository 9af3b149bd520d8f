#![no_main]
#![allow(dead_code, reason = "the modules are the tests' own, and each target calls a part of them")]

#[path = "../../tests/sync/hostile.rs"]
mod hostile;
#[path = "../../tests/sync/pair.rs"]
mod pair;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hostile::sketches(bytes));
