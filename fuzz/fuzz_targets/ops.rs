//! The life of a store on a simulated disk: the body and what it promises are in `stratalog::testing::fuzz::ops`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::ops(data));
