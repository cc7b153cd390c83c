//! Stores with the usual options, and the names of their streams.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

use std::path::Path;
use std::sync::Arc;
use stratalog::{Durability, EventStore, Options};

/// Categories that streams are in.
pub const CATEGORIES: usize = 10;

/// Opens the store in a directory.
pub fn open(path: &Path, durability: Durability) -> EventStore {
    EventStore::open_with(path, Options::new().durability(durability)).unwrap()
}

/// The names of so many streams, each with its category, 20 bytes a name.
pub fn names(streams: usize) -> Vec<(Arc<str>, Arc<str>)> {
    let name =
        |stream: usize| (format!("category-{:011}", stream % CATEGORIES).into(), format!("stream-{stream:013}").into());
    (0..streams).map(name).collect()
}
