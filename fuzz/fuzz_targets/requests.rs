#![no_main]
//! Fuzz target: see `targets::requests`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::requests(data));
