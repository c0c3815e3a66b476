#![no_main]
//! Fuzz target: see `targets::tickets`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::tickets(data));
