//! Filling a store with events for benchmarks that read.

use crate::support::{STREAMS, event, names};
use std::sync::Arc;
use stratalog::{EventStore, transaction};

/// Appends so many events, 100 a transaction, each to another stream than the one before, and makes them durable.
pub fn fill(store: &EventStore, events: usize) {
    let names = names();
    for first in (0..events).step_by(100) {
        let mut append = transaction();
        for number in first..events.min(first + 100) {
            let (category, stream) = &names[number.wrapping_mul(7_919) % STREAMS];
            append = append.stream(Arc::clone(category), Arc::clone(stream), [event()]);
        }
        store.append(append).unwrap();
    }
    store.sync().unwrap();
}
