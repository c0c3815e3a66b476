#![no_main]
//! See `targets::settings`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::settings(data));
