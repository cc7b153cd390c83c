//! Frames from any bytes: the body and what it promises are in `stratalog::testing::fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::frame(data));
