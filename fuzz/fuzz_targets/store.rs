//! Whole stores, damaged: the body and what it promises are in `stratalog::testing::fuzz::store`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::store(data));
