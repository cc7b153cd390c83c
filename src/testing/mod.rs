//! Help for tests: random data, builders of events, and the conformance suite that every storage adapter passes.

pub mod builders;
pub mod conformance;
pub mod data;
pub mod functions;
#[doc(hidden)]
pub mod fuzz;
#[doc(hidden)]
pub mod torture;

pub use builders::{NewEventBuilder, StoredEventBuilder};
pub use functions::{Given, TestEventBuilder, Then, given, test_database, test_event, test_stored_event};
