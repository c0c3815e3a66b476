#![no_main]
//! See `targets::documents`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::documents(data));
