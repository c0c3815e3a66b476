#![no_main]
//! See `targets::policy`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::policy(data));
