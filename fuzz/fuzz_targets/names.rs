//! Names, ids and attributes as callers give them: the body and what it promises are in `stratalog::testing::fuzz::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::names(data));
