#![no_main]
//! See `targets::requests`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::requests(data));
