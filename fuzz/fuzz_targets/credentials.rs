#![no_main]
//! Fuzz target: see `targets::credentials`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::credentials(data));
