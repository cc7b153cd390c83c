//! The frames of one segment: the body and what it promises are in `stratalog::testing::fuzz::segment`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::segment(data));
