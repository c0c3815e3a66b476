#![no_main]
//! See `targets::credentials`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::credentials(data));
