//! Filling a store with events for benchmarks that read.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

use crate::events::event;
use crate::stores::names;
use std::sync::Arc;
use stratalog::{EventStore, transaction};

/// Bytes of each payload.
const PAYLOAD: usize = 256;

/// Appends so many events, 100 a transaction, each to another stream than the one before, and makes them durable.
pub fn fill(store: &EventStore, events: usize, streams: usize) {
    let names = names(streams);
    let event = event(PAYLOAD);
    for first in (0..events).step_by(100) {
        let mut append = transaction();
        for number in first..events.min(first + 100) {
            let (category, stream) = &names[number.wrapping_mul(7_919) % streams];
            append = append.stream(Arc::clone(category), Arc::clone(stream), [event.clone()]);
        }
        store.append(append).unwrap();
    }
    store.sync().unwrap();
}
