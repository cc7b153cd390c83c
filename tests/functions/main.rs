//! State views and state changes, on both adapters: folded and continued, decided and repeated, and everything that can fail.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod bank;
#[path = "../store/both.rs"]
mod both;
mod changes;
mod continued;
mod given;
mod kept;
mod registry;
mod transfers;
mod views;

use bank::{Account, Trace, accounts, of_account};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stratalog::{
    AnyStateView, Database, DatabaseSource, Event, EventStore, EvolveError, FieldValue, ProspectiveEvent, RenderedView,
    Timestamp, ViewFold,
};

fn source() -> DatabaseSource {
    DatabaseSource::new("https://test.local", "bank").unwrap()
}

fn database(store: &EventStore) -> Database {
    Database::new(store.clone(), source()).unwrap()
}

/// Runs a check on a new database of each adapter.
fn on_both(check: impl Fn(Database)) {
    both::on_both(|store| check(database(&store)));
}

/// Another handle of the same store, which has registered and remembered nothing: what a restart leaves.
fn anew(database: &Database) -> Database {
    self::database(database.store())
}

/// Money that came into an account.
fn deposited(account: &str, cents: i64) -> ProspectiveEvent {
    ProspectiveEvent::json("accounts", "deposited", &cents).unwrap().with_stream(account)
}

/// Seconds after 1970.
fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds, 0).unwrap()
}

/// The parameter of a view by account.
fn account(name: &str) -> [(&str, FieldValue); 1] {
    [("account", FieldValue::stream(name))]
}

/// The content of a view as text; "none" where there is none.
fn text(view: &RenderedView) -> String {
    view.content.as_ref().map_or_else(|| "none".to_owned(), |content| String::from_utf8(content.to_vec()).unwrap())
}

/// Numbers that look random, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A view that counts how often its code was begun and how many events it was handed; it writes their names and revisions.
#[derive(Clone, Default)]
struct Counting {
    begun: Arc<AtomicU64>,
    handed: Arc<AtomicU64>,
}

impl Counting {
    /// Begun and handed since it was last asked.
    fn taken(&self) -> (u64, u64) {
        (self.begun.swap(0, Ordering::Relaxed), self.handed.swap(0, Ordering::Relaxed))
    }
}

struct CountingFold<'a> {
    view: &'a Counting,
    text: Vec<u8>,
}

impl AnyStateView for Counting {
    fn content_type(&self) -> &str {
        "text/plain"
    }

    fn speaks(&self, content_type: &str) -> bool {
        content_type == "text/plain"
    }

    fn begin<'a>(&'a self, view: &RenderedView) -> Result<Box<dyn ViewFold + 'a>, EvolveError> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let text = view.content.as_ref().map_or_else(Vec::new, |content| content.to_vec());
        Ok(Box::new(CountingFold { view: self, text }))
    }
}

impl ViewFold for CountingFold<'_> {
    fn evolve(&mut self, events: &[Event]) -> Result<(), EvolveError> {
        self.view.handed.fetch_add(events.len() as u64, Ordering::Relaxed);
        for event in events {
            self.text.extend_from_slice(format!("{}@{} ", event.name(), event.revision()).as_bytes());
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Option<bytes::Bytes>, EvolveError> {
        Ok(Some(self.text.into()))
    }
}
