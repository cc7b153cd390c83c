//! The random case: the adapter and the memory adapter do the same, and must say the same.

use super::{Bench, Outcome, case_list, support};
use crate::adapters::memory::MemoryAdapter;
use crate::store::EventStore;
use crate::vocabulary::condition::{Condition, position_is, stream_exists, stream_is_empty};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::{NewEvent, StoredEvent};
use crate::vocabulary::identifier::{Category, Identifier, Log, Stream};
use crate::vocabulary::number::{Position, Revision, SequenceNumber};
use crate::vocabulary::payload::Payload;
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{Receipt, StoredTransaction, SystemRecord, Transaction, transaction};
use fastrand::Rng;

case_list!(model:
    random_calls_have_the_same_outcome_as_on_the_memory_adapter,
);

const CATEGORIES: [&str; 4] = ["", "a", "a-b", "orders"];
const STREAMS: [&str; 5] = ["", "b-c", "c", "1", "2"];
const STEPS: usize = 400;

fn random_calls_have_the_same_outcome_as_on_the_memory_adapter(bench: &Bench<'_>) -> Outcome {
    let able = bench.store().capabilities();
    let all = able.attributes && able.any_payload && able.system_records && able.transaction_ids;
    if !(all && able.gapless && able.nanoseconds) {
        return Outcome::NotApplicable("the adapter lacks what the memory adapter can".into());
    }
    let first = bench.options.seed.unwrap_or_else(|| fastrand::u64(..));
    let runs = if bench.options.seed.is_some() { 1 } else { (bench.options.repeats as u64 / 20).max(2) };
    for seed in (0..runs).map(|run| first.wrapping_add(run)) {
        let stores = [bench.store(), EventStore::new(MemoryAdapter::new())];
        let mut rng = Rng::with_seed(seed);
        for step in 0..STEPS {
            let [adapter, model] = random_step(&mut rng, &stores);
            assert_eq!(adapter, model, "at step {step} of seed {seed}: left is the adapter, right the model");
        }
        let [adapter, model] = stores.each_ref().map(|store| support::transactions(store).iter().map(whole).collect());
        let (adapter, model): (Vec<String>, Vec<String>) = (adapter, model);
        assert_eq!(adapter, model, "at the end of seed {seed}: left is the adapter, right the model");
    }
    Outcome::Passed
}

/// Does one random thing in both stores, and returns what came of it, ids and recorded times aside.
fn random_step(rng: &mut Rng, stores: &[EventStore; 2]) -> [String; 2] {
    let end = stores[1].revision().unwrap().get();
    match rng.u8(..12) {
        0..=5 => {
            let whole = random_transaction(rng);
            stores.each_ref().map(|store| appended(&store.append(whole.clone())))
        }
        6..=8 => {
            let query = random_query(rng, end);
            stores.each_ref().map(|store| format!("{query:?}: {}", scanned(store, &query)))
        }
        9 => {
            let target = random_target(rng);
            stores.each_ref().map(|store| {
                let latest = store.adapter().latest(&target).unwrap();
                format!("latest of {target}: {:?}", latest.as_ref().map(shown))
            })
        }
        10 => {
            let category = *pick(rng, &CATEGORIES);
            stores.each_ref().map(|store| {
                let mut stats = store.stats().unwrap();
                (stats.segments, stats.log_bytes, stats.file_bytes, stats.index_bytes) = (0, 0, 0, 0);
                (stats.first_recorded_at, stats.last_recorded_at) = (None, None);
                let streams = store.category(category).streams().unwrap();
                format!("{:?} {streams:?} {stats:?}", store.categories().unwrap())
            })
        }
        _ => {
            let (id, key, from) = (rng.u8(..20).to_string(), rng.u8(..5).to_string(), rng.u64(..end + 3));
            stores.each_ref().map(|store| {
                let found = store.transaction(&id).unwrap();
                let next = store.transactions(Revision::new(from)).unwrap().next().map(Result::unwrap);
                let records = (store.record("n", &key).unwrap(), store.records("n").unwrap());
                format!(
                    "{id}: {:?}, from {from}: {:?}, {records:?}",
                    found.as_ref().map(whole),
                    next.as_ref().map(whole)
                )
            })
        }
    }
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}

fn random_stream(rng: &mut Rng) -> Stream {
    Stream::new(*pick(rng, &CATEGORIES), *pick(rng, &STREAMS))
}

fn random_target(rng: &mut Rng) -> Identifier {
    match rng.u8(..3) {
        0 => Log::new().into(),
        1 => Category::new(*pick(rng, &CATEGORIES)).into(),
        _ => random_stream(rng).into(),
    }
}

fn random_transaction(rng: &mut Rng) -> Transaction {
    let mut whole = transaction();
    // Few ids, so that some are repeated, mostly with other content.
    if rng.u8(..4) == 0 {
        let id = rng.u8(..20);
        whole = whole.id(id.to_string());
        if rng.bool() {
            return whole.stream("a", "c", [NewEvent::empty(format!("of transaction {id}"))]);
        }
    }
    if rng.u8(..8) == 0 {
        whole = whole.attribute("attempt", rng.i64(..));
    }
    for _ in 0..rng.usize(0..4) {
        let stream = random_stream(rng);
        let events: Vec<NewEvent> = (0..rng.usize(0..5)).map(|_| random_event(rng)).collect();
        let condition = random_condition(rng, 2);
        whole = whole.stream_if(stream.category(), stream.stream(), events, condition);
    }
    for _ in 0..if rng.u8(..5) == 0 { rng.usize(1..4) } else { 0 } {
        let key = rng.u8(..5).to_string();
        whole = whole.record(match rng.bool() {
            true => SystemRecord::set("n", key, rng.u32(..).to_string()),
            false => SystemRecord::remove("n", key),
        });
    }
    whole
}

fn random_event(rng: &mut Rng) -> NewEvent {
    let bytes: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
    let payload = match rng.u8(..5) {
        0 => Payload::none(),
        1 => Payload::text(rng.u64(..).to_string()).with_content_type("text/plain"),
        2 => Payload::binary(bytes).with_schema("urn:x"),
        3 => Payload::encode(crate::Codec::MessagePack, &bytes).unwrap().with_schema_version(rng.u32(..3)),
        _ => Payload::encode(crate::Codec::Json, &bytes).unwrap(),
    };
    let mut event = NewEvent::from_payload(format!("e-{}", rng.u8(..4)), payload);
    if rng.u8(..4) == 0 {
        event = event.with_id(rng.u64(..).to_string()).with_attribute("a", rng.bool()).with_attribute("b", "");
    }
    if rng.u8(..4) == 0 {
        event = event.with_metadata(vec![0; rng.usize(..3)]);
    }
    if rng.u8(..4) == 0 {
        event = event.with_occurred_at(Timestamp::from_unix(rng.i64(-1_000_000..1_000_000), rng.u32(..9)).unwrap());
    }
    event
}

fn random_condition(rng: &mut Rng, depth: u8) -> Condition {
    match rng.u8(..if depth > 0 { 14 } else { 10 }) {
        0..=5 => Condition::any(),
        6 => stream_is_empty(),
        7 => stream_exists(),
        8 => position_is(rng.u64(..20)),
        9 => {
            let parity = rng.u64(..2);
            Condition::custom(format!("parity {parity}"), move |last| {
                last.is_none_or(|event| event.position().get() % 2 == parity && event.name() != "e-3")
            })
        }
        10 | 11 => random_condition(rng, depth - 1) & random_condition(rng, depth - 1),
        _ => random_condition(rng, depth - 1) | random_condition(rng, depth - 1),
    }
}

fn random_query(rng: &mut Rng, end: u64) -> ScanQuery {
    let mut query = ScanQuery::new(random_target(rng));
    let maybe = |rng: &mut Rng, below: u64| (rng.u8(..3) == 0).then(|| rng.u64(..below));
    query.after = maybe(rng, end + 2).map(SequenceNumber::new);
    query.from = maybe(rng, end + 2).map(SequenceNumber::new);
    query.until = maybe(rng, end + 2).map(SequenceNumber::new);
    query.at = maybe(rng, end + 2).map(Revision::new);
    query.from_position = maybe(rng, 10).map(Position::new);
    query.until_position = maybe(rng, 40).map(Position::new);
    query.limit = maybe(rng, 20);
    query.reverse = rng.bool();
    query
}

fn scanned(store: &EventStore, query: &ScanQuery) -> String {
    let mut cursor = match store.adapter().scan(query) {
        Ok(cursor) => cursor,
        Err(error) => return format!("{error}"),
    };
    let (mut events, mut before) = (Vec::new(), usize::MAX);
    while before != events.len() {
        before = events.len();
        cursor.next_batch(&mut events).unwrap();
    }
    let mut visited = Vec::new();
    store
        .adapter()
        .scan(query)
        .unwrap()
        .visit(&mut |event| {
            visited.push(event.to_stored());
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(visited, events, "visited and iterated events differ");
    format!("{:?}", events.iter().map(shown).collect::<Vec<_>>())
}

fn appended(outcome: &Result<Receipt, AppendError>) -> String {
    match outcome {
        Ok(receipt) => {
            let (basis, count, last) = (receipt.basis(), receipt.count(), receipt.last_position());
            format!("{:?} {basis} {count} {last:?} {}", receipt.transaction_id(), receipt.is_repeat())
        }
        Err(error) => format!("{error}"),
    }
}

/// All of an event that does not depend on who stored it, and when.
fn shown(event: &StoredEvent) -> String {
    let id = event.has_given_id().then(|| event.id());
    let at = (event.category(), event.stream(), event.position(), event.sequence_number());
    let whole = (event.transaction_id(), event.transaction_basis(), event.transaction_revision());
    let times = (event.observed_at(), event.occurred_at());
    let given = (event.has_given_observed_at(), event.has_given_occurred_at());
    let content = (event.name(), event.payload(), event.attributes(), event.metadata());
    format!("{id:?} {at:?} {whole:?} {times:?} {given:?} {content:?}")
}

fn whole(known: &StoredTransaction) -> String {
    let events: Vec<String> = known.events().iter().map(shown).collect();
    let head = (known.id(), known.digest(), known.basis(), known.attributes());
    format!("{head:?} {events:?} {:?}", known.records())
}
