//! Lines of an import: the body and what it promises are in `stratalog::hosts::lines::fuzz::lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalog::hosts::lines::fuzz::lines(data));
