#![no_main]
//! See `targets::interactions`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::interactions(data));
