//! Cases about limits: what is too much is refused with its values, and nothing is written.

use super::support::{event, light, save, snapshot, stream};
use super::{Bench, Outcome, case_list};
use crate::store::EventStore;
use crate::testing::NewEventBuilder;
use crate::vocabulary::error::{AppendError, LimitExceeded, LimitedThing};
use crate::vocabulary::options::{Limits, Options};
use crate::vocabulary::payload::Payload;
use crate::vocabulary::transaction::{SystemRecord, Transaction, transaction};

case_list!(limits:
    a_limit_that_is_exceeded_by_one_refuses_with_its_values,
    the_limit_on_a_transactions_bytes_counts_its_content,
    default_limits_hold,
);

/// Makes a transaction that holds so much of a thing.
type Holding = Box<dyn Fn(usize) -> Transaction>;

fn text(length: usize) -> String {
    "t".repeat(length)
}

/// A transaction of one event.
fn of(builder: NewEventBuilder) -> Transaction {
    transaction().stream("c", "s", [builder.with_payload(Payload::none()).build()])
}

/// Everything that has a limit in `limits`, with the limit and how to hold so much of it.
fn limited(limits: &Limits) -> Vec<(LimitedThing, usize, Holding)> {
    use LimitedThing as Thing;
    let names = limits.name_bytes;
    let new = NewEventBuilder::new;
    let attributes =
        move |count: usize| (0..count).fold(new(), |event, index| event.with_attribute(index.to_string(), 1));
    let set = |key: String, value: String| transaction().record(SystemRecord::set("name", key, value));
    vec![
        (Thing::CategoryName, names, Box::new(|length| transaction().stream(text(length), "s", [event()]))),
        (Thing::StreamName, names, Box::new(|length| transaction().stream("c", text(length), [event()]))),
        (Thing::EventName, names, Box::new(move |length| of(new().with_name(text(length))))),
        (Thing::EventId, names, Box::new(move |length| of(new().with_id(text(length))))),
        (Thing::ContentType, names, Box::new(|length| payload(Payload::text("").with_content_type(text(length))))),
        (Thing::Schema, names, Box::new(|length| payload(Payload::text("").with_schema(text(length))))),
        (Thing::Payload, limits.payload_bytes, Box::new(|length| payload(Payload::text(text(length))))),
        (Thing::Metadata, limits.metadata_bytes, Box::new(move |length| of(new().with_metadata(text(length))))),
        (Thing::Attributes, limits.attributes, Box::new(move |count| of(attributes(count)))),
        (Thing::AttributeName, limits.attribute_name_bytes, Box::new(move |l| of(new().with_attribute(text(l), 1)))),
        (
            Thing::AttributeValue,
            limits.attribute_value_bytes,
            Box::new(move |l| of(new().with_attribute("a", text(l)))),
        ),
        (
            Thing::TransactionId,
            limits.transaction_id_bytes,
            Box::new(|l| transaction().id(text(l)).stream("c", "s", [event()])),
        ),
        (
            Thing::TransactionEvents,
            limits.transaction_events,
            Box::new(|count| transaction().stream("c", "s", light(count))),
        ),
        (Thing::RecordKey, limits.record_key_bytes, Box::new(move |length| set(text(length - 4), String::new()))),
        (Thing::RecordValue, limits.record_value_bytes, Box::new(move |length| set(String::new(), text(length)))),
    ]
}

fn payload(payload: Payload) -> Transaction {
    transaction().stream("c", "s", [NewEventBuilder::new().with_payload(payload).build()])
}

fn exceeded(store: &EventStore, whole: Transaction) -> LimitExceeded {
    let before = snapshot(store);
    let outcome = store.append(whole);
    let Err(AppendError::Limit(exceeded)) = outcome else {
        panic!("expected that a limit refuses it, found {outcome:?}");
    };
    assert_eq!(snapshot(store), before, "{exceeded}");
    exceeded
}

/// Why the cases cannot run with this adapter, if they cannot.
fn unable(store: &EventStore) -> Option<Outcome> {
    let able = store.capabilities();
    let all = able.attributes && able.any_payload && able.system_records && able.transaction_ids;
    let reason = "the adapter holds JSON events alone; what it lacks is refused in other cases";
    (!all).then(|| Outcome::NotApplicable(reason.into()))
}

fn a_limit_that_is_exceeded_by_one_refuses_with_its_values(bench: &Bench<'_>) -> Outcome {
    let mut limits = Limits::new();
    (limits.name_bytes, limits.transaction_id_bytes) = (50, 20);
    (limits.payload_bytes, limits.metadata_bytes) = (1_000, 100);
    (limits.attributes, limits.attribute_name_bytes, limits.attribute_value_bytes) = (5, 30, 40);
    (limits.transaction_events, limits.record_key_bytes, limits.record_value_bytes) = (10, 60, 70);
    if let Some(outcome) = bench.deaf().or_else(|| unable(&bench.store())) {
        return outcome;
    }
    let options = Options::new().limits(limits);
    for (thing, limit, holding) in limited(&limits) {
        let store = bench.store_with(&options);
        let found = exceeded(&store, holding(limit + 1));
        assert_eq!((found.thing, found.actual, found.limit), (thing, limit as u64 + 1, limit as u64));
        let receipt = store.append(holding(limit)).unwrap_or_else(|error| panic!("{thing} at its limit: {error}"));
        assert_eq!(receipt.basis().get(), 0);
        exceeded(&store, holding(limit + 100));
    }
    let store = bench.store_with(&options);
    let attributes = (0..6).fold(transaction(), |whole, index| whole.attribute(index.to_string(), 1));
    assert_eq!(exceeded(&store, attributes.stream("c", "s", [event()])).thing, LimitedThing::Attributes);
    Outcome::Passed
}

fn the_limit_on_a_transactions_bytes_counts_its_content(bench: &Bench<'_>) -> Outcome {
    if let Some(outcome) = bench.deaf().or_else(|| unable(&bench.store())) {
        return outcome;
    }
    let mut limits = Limits::new();
    limits.transaction_bytes = 64 << 10;
    let store = bench.store_with(&Options::new().limits(limits));
    let event = || NewEventBuilder::new().with_payload(Payload::text(text(16 << 10))).build();
    let whole = |count: usize| transaction().stream("c", "s", (0..count).map(|_| event()));
    store.append(whole(3)).unwrap();
    for count in [4, 5, 20] {
        // How much more than its content a transaction takes is the adapter's own affair.
        let found = exceeded(&store, whole(count));
        assert_eq!((found.thing, found.limit), (LimitedThing::TransactionBytes, 64 << 10));
        assert!(found.actual > found.limit && found.actual >= count as u64 * (16 << 10));
    }
    let record = SystemRecord::set("n", "k", text(50 << 10));
    exceeded(&store, transaction().record(record.clone()).stream("c", "s", [event()]));
    store.append(transaction().record(record)).unwrap();
    Outcome::Passed
}

fn default_limits_hold(bench: &Bench<'_>) -> Outcome {
    let store = bench.store();
    save(&store, &stream(), &[event()]);
    if let Some(outcome) = unable(&store) {
        return outcome;
    }
    for (thing, limit, holding) in limited(&Limits::new()) {
        let found = exceeded(&store, holding(limit + 1));
        assert_eq!((found.thing, found.actual, found.limit), (thing, limit as u64 + 1, limit as u64));
    }
    Outcome::Passed
}
