//! What the cases share: events, saving with the expected outcome, snapshots of a log, threads that start at once.

use super::Outcome;
use crate::store::EventStore;
use crate::testing::builders::{NewEventBuilder, StoredEventBuilder};
use crate::testing::data;
use crate::vocabulary::condition::{IntoCondition, UnmetCondition};
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::event::{NewEvent, StoredEvent};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Revision;
use crate::vocabulary::payload::{Codec, Payload};
use crate::vocabulary::time::{Clock, Timestamp};
use crate::vocabulary::transaction::{Receipt, StoredTransaction, Transaction, transaction};
use std::any::Any;
use std::sync::Barrier;
use std::thread;

/// A clock in whole microseconds, so that adapters that keep no more can take part.
#[derive(Debug)]
pub(super) struct Microseconds;

impl Clock for Microseconds {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_unix(now.unix_seconds(), now.subsecond_nanoseconds() / 1_000 * 1_000).unwrap()
    }
}

/// A builder of events with a random JSON payload, which every adapter can hold.
pub(super) fn builder() -> NewEventBuilder {
    let payload = Payload::encode(Codec::Json, &data::random_event_payload()).unwrap();
    NewEventBuilder::new().with_payload(payload).with_clock(Microseconds)
}

/// A random event.
pub(super) fn event() -> NewEvent {
    builder().build()
}

/// So many random events.
pub(super) fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event()).collect()
}

/// An event with a random name and next to nothing in it, for cases that make many.
pub(super) fn light_event() -> NewEvent {
    NewEvent::from_payload(data::random_event_name(), Payload::json_text("1").unwrap()).with_clock(&Microseconds)
}

/// So many light events.
pub(super) fn light(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| light_event()).collect()
}

/// A random category name.
pub(super) fn category() -> String {
    data::random_event_category_name()
}

/// A random stream in a random category.
pub(super) fn stream() -> Stream {
    stream_in(&category())
}

/// A random stream in this category.
pub(super) fn stream_in(category: &str) -> Stream {
    Stream::new(category, data::random_event_stream_name())
}

/// Appends events to one stream.
pub(super) fn append(
    store: &EventStore,
    stream: &Stream,
    events: &[NewEvent],
    condition: impl IntoCondition,
) -> Result<Receipt, AppendError> {
    store.stream(stream.category(), stream.stream()).publish_if(events.to_vec(), condition)
}

/// A transaction of one event in a random stream.
pub(super) fn one_event() -> Transaction {
    let stream = stream();
    transaction().stream(stream.category(), stream.stream(), [event()])
}

/// The stored events that an append to one stream must have made: every field as submitted, the numbers and the recorded time
/// of the receipt, and ids as found where the caller gave none.
pub(super) fn expected(
    store: &EventStore,
    stream: &Stream,
    events: &[NewEvent],
    receipt: &Receipt,
) -> Vec<StoredEvent> {
    assert_eq!(receipt.count(), events.len());
    let found = store.events_of(receipt).unwrap();
    assert_eq!(found.len(), events.len());
    let last = receipt.last_position().map_or(0, |last| last.get() + 1);
    let first = last - events.len() as u64;
    let pairs = events.iter().zip(&found).zip(0_u64..);
    pairs.map(|((event, found), index)| stored(stream, event, found, receipt, (first, index))).collect()
}

fn stored(stream: &Stream, event: &NewEvent, found: &StoredEvent, receipt: &Receipt, at: (u64, u64)) -> StoredEvent {
    let builder = StoredEventBuilder::from_new_event(event)
        .with_category(stream.category())
        .with_stream(stream.stream())
        .with_position(at.0 + at.1)
        .with_sequence_number(receipt.basis().get() + at.1)
        .with_recorded_at(receipt.recorded_at());
    match event.id() {
        Some(_) => builder.build(),
        None => builder.with_id(found.id()).build(),
    }
}

/// Appends events to one stream, which must succeed, and returns what must be read back.
pub(super) fn save(store: &EventStore, stream: &Stream, events: &[NewEvent]) -> Vec<StoredEvent> {
    save_if(store, stream, events, None)
}

/// [`save`] on a condition that must hold.
pub(super) fn save_if(
    store: &EventStore,
    stream: &Stream,
    events: &[NewEvent],
    condition: impl IntoCondition,
) -> Vec<StoredEvent> {
    let receipt = append(store, stream, events, condition).unwrap();
    expected(store, stream, events, &receipt)
}

/// What a stream holds.
pub(super) fn read(store: &EventStore, stream: &Stream) -> Vec<StoredEvent> {
    store.stream(stream.category(), stream.stream()).read().unwrap()
}

/// What the log holds.
pub(super) fn read_log(store: &EventStore) -> Vec<StoredEvent> {
    store.log().read().unwrap()
}

/// The events' positions.
pub(super) fn positions(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position().get()).collect()
}

/// The events' sequence numbers.
pub(super) fn numbers(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.sequence_number().get()).collect()
}

/// All transactions of a store.
pub(super) fn transactions(store: &EventStore) -> Vec<StoredTransaction> {
    store.transactions(Revision::EMPTY).unwrap().map(Result::unwrap).collect()
}

/// Everything that an outsider can see of a log.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    revision: Revision,
    log: Vec<StoredEvent>,
    transactions: Vec<StoredTransaction>,
    streams: Vec<(String, String, Vec<StoredEvent>)>,
}

/// Looks at everything.
pub(super) fn snapshot(store: &EventStore) -> Snapshot {
    let mut streams = Vec::new();
    for category in store.categories().unwrap() {
        for stream in store.category(category.as_str()).streams().unwrap() {
            let events = store.stream(category.as_str(), stream.as_str()).read().unwrap();
            streams.push((category.clone(), stream, events));
        }
    }
    Snapshot { revision: store.revision().unwrap(), log: read_log(store), transactions: transactions(store), streams }
}

/// The unmet condition of an append that must have failed for one.
#[track_caller]
pub(super) fn unmet(outcome: Result<Receipt, AppendError>) -> UnmetCondition {
    match outcome {
        Err(AppendError::Unmet(unmet)) => *unmet,
        other => panic!("expected an unmet condition, found {other:?}"),
    }
}

/// Checks that an append was refused for a feature that the adapter lacks, and reports it.
#[track_caller]
pub(super) fn lacks<T: std::fmt::Debug>(outcome: Result<T, AppendError>) -> Outcome {
    match outcome {
        Err(AppendError::Unsupported { feature, layout }) => {
            Outcome::NotApplicable(format!("{layout} cannot hold {feature}"))
        }
        other => panic!("expected that the adapter says what it lacks, found {other:?}"),
    }
}

/// Does the same in many threads at the same moment, and returns what each got.
pub(super) fn at_once<T: Send>(threads: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (start, job) = (Barrier::new(threads), &job);
    thread::scope(|scope| {
        let start = &start;
        let run = |index| {
            scope.spawn(move || {
                start.wait();
                job(index)
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Whether a read failed because it came from inside a condition.
pub(super) fn is_called_from_condition<T>(outcome: &Result<T, ReadError>) -> bool {
    matches!(outcome, Err(ReadError::CalledFromCondition))
}

/// The text of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}
