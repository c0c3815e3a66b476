#![no_main]
//! Fuzz target: see `targets::quoting`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::quoting(data));
