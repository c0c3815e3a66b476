#![no_main]
//! Fuzz target: see `targets::settings`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::settings(data));
