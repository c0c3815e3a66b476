#![no_main]
//! Fuzz target: see `targets::documents`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::documents(data));
