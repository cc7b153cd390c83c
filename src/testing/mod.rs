//! Help for tests: random data, builders of events, and the conformance suite that every storage adapter passes.

pub mod builders;
pub mod conformance;
pub mod data;
#[doc(hidden)]
pub mod fuzz;
#[doc(hidden)]
pub mod torture;

pub use builders::{NewEventBuilder, StoredEventBuilder};
