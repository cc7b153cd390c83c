//! Segment headers: the body and what it promises are in `stratalog::testing::fuzz::header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::header(data));
