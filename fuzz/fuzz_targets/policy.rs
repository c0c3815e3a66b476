#![no_main]
//! Fuzz target: see `targets::policy`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::policy(data));
