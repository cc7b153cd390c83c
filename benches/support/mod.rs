//! What the benchmarks share: a directory that goes away, names, and events of one size.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

use std::path::Path;
use std::sync::Arc;
use stratalog::{Durability, EventStore, NewEvent, Options, Payload};

/// Streams, and the categories they are in.
pub const STREAMS: usize = 10_000;
pub const CATEGORIES: usize = 10;

/// A directory for one store, below the system's own for temporary files.
pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Opens the store in a directory.
pub fn open(path: &Path, durability: Durability) -> EventStore {
    EventStore::open_with(path, Options::new().durability(durability)).unwrap()
}

/// The names of all streams, each with its category, 20 bytes a name.
pub fn names() -> Vec<(Arc<str>, Arc<str>)> {
    let name =
        |stream: usize| (format!("category-{:011}", stream % CATEGORIES).into(), format!("stream-{stream:013}").into());
    (0..STREAMS).map(name).collect()
}

/// An event with a payload of 256 bytes.
pub fn event() -> NewEvent {
    NewEvent::from_payload("something-happened-x", Payload::binary(vec![0x5a; 256]))
}
