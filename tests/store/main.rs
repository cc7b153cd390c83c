//! What users hold: the store, its three handles, conditions, scans, selectors and retries, on both adapters; and event values.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod both;
mod categories;
mod event_values;
mod handles;
mod logs;
mod publish_conditions;
mod retries;
mod scans;
mod selectors;
mod streams;
mod transactions;

use both::on_both;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;
use stratalog::testing::{NewEventBuilder, StoredEventBuilder, data};
use stratalog::{
    AppendError, AttributeValue, Attributes, Category, Codec, Condition, Error, EventStore, EventStream, FixedClock,
    Log, NewEvent, Options, Payload, Position, ReadError, Retry, SequenceNumber, StoredEvent, Stream, Timestamp,
    position_is, retry_on_conflict, stream_exists, stream_is_empty, transaction,
};

fn event() -> NewEvent {
    NewEventBuilder::new().build()
}

fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event()).collect()
}

fn random_stream(store: &EventStore) -> EventStream {
    store.stream(data::random_event_category_name(), data::random_event_stream_name())
}

fn names<'a>(events: impl IntoIterator<Item = &'a StoredEvent>) -> Vec<String> {
    events.into_iter().map(|event| event.name().to_owned()).collect()
}

/// Publishes events of these names, one by one, to these streams of a category.
fn publish_in_turn(store: &EventStore, turns: &[(&str, &str, &str)]) {
    for (category, stream, name) in turns {
        store.stream(*category, *stream).publish([NewEvent::empty(*name)]).unwrap();
    }
}
