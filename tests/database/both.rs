//! The adapters that a test of databases runs on: memory, and the log on disk, under a clock that goes where it is told.

use std::sync::{Arc, Mutex};
use stratalog::adapters::memory::MemoryAdapter;
use stratalog::{Clock, Database, DatabaseSource, Durability, EventStore, Options, Timestamp};

/// When a test's clock begins.
pub const BEGIN: &str = "2024-01-01T00:00:00Z";

/// A clock that shows what it is told to.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(BEGIN.parse().unwrap())))
    }

    pub fn set(&self, time: &str) {
        *self.0.lock().unwrap() = time.parse().unwrap();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// How stores of a test are opened.
pub fn options(clock: &ManualClock) -> Options {
    Options::new().durability(Durability::Os).clock(clock.clone()).strict_names(true)
}

pub fn source() -> DatabaseSource {
    DatabaseSource::new("https://events.example", "bank").unwrap()
}

/// Runs a check on a new database on each adapter.
pub fn on_both(check: impl Fn(Database, ManualClock)) {
    on_both_stores(|store, clock| check(Database::new(store, source()).unwrap(), clock));
}

/// Runs a check on a new store of each adapter.
pub fn on_both_stores(check: impl Fn(EventStore, ManualClock)) {
    run(|options| options, check);
}

/// The same on stores that are opened otherwise.
pub struct With<F>(pub F);

impl<F: Fn(Options) -> Options> With<F> {
    pub fn on_both(&self, check: impl Fn(Database)) {
        run(&self.0, |store, _| check(Database::new(store, source()).unwrap()));
    }
}

/// Runs a check on a new store of each adapter. A failure's output ends with the name of the adapter it is about.
#[expect(clippy::print_stdout, reason = "the harness shows it for a test that fails")]
fn run(adjust: impl Fn(Options) -> Options, check: impl Fn(EventStore, ManualClock)) {
    println!("on memory");
    let clock = ManualClock::new();
    check(EventStore::new(MemoryAdapter::with_options(&adjust(options(&clock)))), clock);
    println!("on the log");
    let (clock, directory) = (ManualClock::new(), tempfile::tempdir().unwrap());
    check(EventStore::open_with(directory.path(), adjust(options(&clock))).unwrap(), clock);
}
