#![no_main]
//! See `targets::gate`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::gate(data));
