#![no_main]
//! Fuzz target: see `targets::activity`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::activity(data));
