//! Benchmark of state views and state changes: a view from the start, gone on from, asked for again; a decision and its append.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use stratalog::{
    ChangeDefinition, Database, DatabaseReader, DatabaseSource, DecideResult, Durability, Event, EventStore,
    EvolveError, FieldValue, Json, Options, ProspectiveEvent, Selector, SelectorTemplate, StateChange,
    StateChangeMetadata, StateChangeRequest, StateView, ViewDefinition, parameter, unchanged_since,
};
use support::is_test;

/// How many accounts the events are of, in turn.
const ACCOUNTS: u64 = 1_000;

#[derive(Default, Serialize, Deserialize)]
struct Summary {
    cents: i64,
    events: u64,
}

impl StateView for Summary {
    type Codec = Json;

    fn evolve_event(&mut self, event: &Event) -> Result<(), EvolveError> {
        self.cents += event.decode::<i64>()?;
        self.events += 1;
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Deposit {
    account: u64,
    cents: i64,
}

fn deposited(account: u64, cents: i64) -> ProspectiveEvent {
    ProspectiveEvent::json("accounts", "deposited", &cents).unwrap().with_stream(format!("acc-{account}"))
}

fn of(account: u64) -> [(&'static str, FieldValue); 1] {
    [("account", FieldValue::stream(format!("acc-{account}")))]
}

/// Looks at the account's view, and deposits if nothing came in between.
impl StateChange for Deposit {
    type Command = Self;

    fn decide(database: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
        let seen = database.view_state::<Summary>("account", 1, of(command.account))?;
        let selector = Selector::category("accounts") & Selector::stream(format!("acc-{}", command.account));
        let unchanged = seen.map(|seen| unchanged_since(selector, seen.revision));
        Ok(([deposited(command.account, command.cents)], unchanged).into())
    }
}

fn filled(database: &Database, events: u64) {
    for first in (0..events).step_by(1_000) {
        let batch = (first..(first + 1_000).min(events)).map(|number| deposited(number % ACCOUNTS, 1));
        database.transact(batch.collect::<Vec<_>>()).unwrap();
    }
    let accounts = SelectorTemplate::category("accounts");
    let of_account = accounts.clone() & SelectorTemplate::stream(parameter("account"));
    database.register_view::<Summary>("account", ViewDefinition::new(of_account)).unwrap();
    database.register_view::<Summary>("total", ViewDefinition::new(accounts)).unwrap();
    database.register_change::<Deposit>("deposit", ChangeDefinition::new()).unwrap();
}

fn functions(criterion: &mut Criterion) {
    let events: u64 = if is_test() { 5_000 } else { 200_000 };
    let directory = support::directory();
    let options = Options::new().durability(Durability::Os);
    let store = EventStore::open_with(directory.path(), options).unwrap();
    let source = DatabaseSource::new("https://events.example", "bank").unwrap();
    let database = Database::new(store, source).unwrap();
    filled(&database, events);
    let mut group = criterion.benchmark_group("functions");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let now = database.latest().unwrap();

    group.throughput(Throughput::Elements(events));
    group.bench_function("view of all, from the start", |bencher| {
        database.set_view_cache_bytes(0);
        bencher.iter(|| assert!(now.view("total", 1, ()).unwrap().unwrap().content.is_some()));
    });
    group.throughput(Throughput::Elements(events / ACCOUNTS));
    group.bench_function("view of one, from the start", |bencher| {
        bencher.iter(|| assert!(now.view("account", 1, of(7)).unwrap().unwrap().content.is_some()));
    });
    database.set_view_cache_bytes(64 << 20);
    group.throughput(Throughput::Elements(1));
    group.bench_function("view of one, again", |bencher| {
        bencher.iter(|| assert!(now.view("account", 1, of(7)).unwrap().unwrap().content.is_some()));
    });
    group.bench_function("view of one, one event more", |bencher| {
        bencher.iter_custom(|times| {
            let mut taken = Duration::ZERO;
            for _ in 0..times {
                database.transact([deposited(7, 1)]).unwrap();
                let now = database.latest().unwrap();
                let begun = Instant::now();
                assert!(now.view("account", 1, of(7)).unwrap().unwrap().content.is_some());
                taken += begun.elapsed();
            }
            taken
        });
    });
    let mut account = 0;
    group.bench_function("state change with a view and a condition", |bencher| {
        bencher.iter(|| {
            account = (account + 1) % ACCOUNTS;
            let request = StateChangeRequest::new().json(&Deposit { account, cents: 1 }).unwrap();
            assert!(database.execute_state_change("deposit", 1, &request).unwrap().receipt.is_some());
        });
    });
    group.finish();
    database.store().close().unwrap();
}

criterion_group!(benches, functions);
criterion_main!(benches);
