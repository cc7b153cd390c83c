//! Whole directories, with files of odd names: the body and what it promises are in `stratalog::testing::fuzz::directory`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::directory(data));
