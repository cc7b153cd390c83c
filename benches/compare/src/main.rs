//! Measures Stratalog beside the engines that users would pick instead, and the machine's own limits.

mod data;
mod engine;
mod engines;
mod error;
mod gather;
mod limits;
mod measure;
mod workloads;

fn main() {}
