//! Adapters over others: one counts what subscriptions ask for, and one has no way to wake who sleeps.

use super::*;
use std::sync::{Arc, Mutex};
use stratalog::adapters::{
    Append, Capabilities, EventCursor, SelectQuery, Stats, StorageAdapter, Ticket, TransactionCursor,
};
use stratalog::{AppendError, Durability, Identifier, Receipt, Revision, ScanQuery, StoredEvent, StoredTransaction};

type Cursor = Result<Box<dyn EventCursor>, ReadError>;

/// What is handed on to the adapter below as it is.
macro_rules! hand_on {
    () => {
        hand_on! {
            fn capabilities(&self) -> Capabilities;
            fn append(&self, append: &Append<'_>) -> Result<Receipt, AppendError>;
            fn append_deferred(&self, append: &Append<'_>) -> Result<Ticket, AppendError>;
            fn append_verbatim(&self, transactions: &[StoredTransaction]) -> Result<Revision, AppendError>;
            fn revision(&self) -> Result<Revision, ReadError>;
            fn wait_revision(&self, revision: Revision, timeout: Duration) -> Result<Revision, ReadError>;
            fn latest(&self, target: &Identifier) -> Result<Option<StoredEvent>, ReadError>;
            fn categories(&self) -> Result<Vec<String>, ReadError>;
            fn streams(&self, category: &str) -> Result<Vec<String>, ReadError>;
            fn transactions(&self, from: Revision) -> Result<Box<dyn TransactionCursor>, ReadError>;
            fn transaction(&self, id: &str) -> Result<Option<StoredTransaction>, ReadError>;
            fn record(&self, namespace: &str, key: &str) -> Result<Option<bytes::Bytes>, ReadError>;
            fn records(&self, namespace: &str) -> Result<Vec<(Arc<str>, bytes::Bytes)>, ReadError>;
            fn durability(&self) -> Durability;
            fn durable_revision(&self) -> Revision;
            fn sync(&self) -> Result<Revision, AppendError>;
            fn wait_durable(&self, revision: Revision, timeout: Duration) -> Result<(), ReadError>;
            fn stats(&self) -> Result<Stats, ReadError>;
            fn close(&self) -> Result<(), AppendError>;
        }
    };
    ($(fn $name:ident(&self $(, $argument:ident: $type:ty)*) -> $result:ty;)*) => {$(
        fn $name(&self $(, $argument: $type)*) -> $result {
            self.below.$name($($argument),*)
        }
    )*};
}

/// An adapter that has the least that the contract asks for: nothing of waking, nor of reading when it is closed.
#[derive(Debug)]
pub struct Least<A> {
    pub below: A,
}

impl<A: StorageAdapter> StorageAdapter for Least<A> {
    hand_on!();
    hand_on! {
        fn scan(&self, query: &ScanQuery) -> Cursor;
    }
}

/// An adapter that counts.
#[derive(Debug)]
pub struct Watched<A> {
    below: A,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
pub struct Counts {
    /// How often somebody went to sleep where an append wakes it.
    pub sleeps: AtomicU64,
    /// From where scans and selections went, and up to where.
    pub ranges: Mutex<Vec<(u64, u64)>>,
}

/// A store on an adapter that counts.
pub fn watched<A: StorageAdapter + 'static>(below: A) -> (EventStore, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    (EventStore::new(Watched { below, counts: Arc::clone(&counts) }), counts)
}

impl<A> Watched<A> {
    fn note(&self, from: Option<SequenceNumber>, until: Option<SequenceNumber>) {
        let range = (from.map_or(0, SequenceNumber::get), until.map_or(u64::MAX, SequenceNumber::get));
        self.counts.ranges.lock().unwrap().push(range);
    }
}

impl<A: StorageAdapter> StorageAdapter for Watched<A> {
    hand_on!();
    hand_on! {
        fn scan_even_closed(&self, query: &ScanQuery) -> Cursor;
    }

    fn scan(&self, query: &ScanQuery) -> Cursor {
        self.note(query.from, query.until);
        self.below.scan(query)
    }

    fn select(&self, query: &SelectQuery) -> Cursor {
        self.note(query.from, query.until);
        self.below.select(query)
    }

    fn wait_unless(
        &self,
        revision: Revision,
        timeout: Duration,
        is_off: &dyn Fn() -> bool,
    ) -> Result<Revision, ReadError> {
        self.counts.sleeps.fetch_add(1, Ordering::Relaxed);
        self.below.wait_unless(revision, timeout, is_off)
    }

    fn wake(&self) {
        self.below.wake();
    }
}
