//! Index files: the body and what it promises are in `stratalog::testing::fuzz::index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::index(data));
