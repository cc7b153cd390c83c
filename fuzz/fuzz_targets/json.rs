//! JSON of events, identifiers and times: the body and what it promises are in `stratalog::testing::fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::testing::fuzz::json(data));
