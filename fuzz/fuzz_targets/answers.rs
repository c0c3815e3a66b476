#![no_main]
//! Fuzz target: see `targets::answers`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::answers(data));
