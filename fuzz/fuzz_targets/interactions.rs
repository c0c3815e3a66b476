#![no_main]
//! Fuzz target: see `targets::interactions`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::interactions(data));
