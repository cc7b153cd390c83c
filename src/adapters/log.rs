//! The log adapter: the engine, as storage for a store.

use super::filtered::Filtered;
use super::{
    Access, Append, Capabilities, EventCursor, Explanation, Receipt, SelectQuery, Stats, StorageAdapter, StoredEvent,
    StoredTransaction, Ticket, TransactionCursor,
};
use crate::engine::{self, Cursor, Engine, FrameWalk};
use crate::vocabulary::error::{AppendError, OpenError, ReadError};
use crate::vocabulary::event::{EventId, EventRef};
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::{Durability, Options};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::selector::EventField;
use crate::vocabulary::time::Timestamp;
use bytes::Bytes;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Keeps events in a directory of segment files. Closed when it is dropped, if it was not before.
#[derive(Debug)]
pub struct LogAdapter {
    engine: Arc<Engine>,
}

impl LogAdapter {
    /// Opens the log in the directory `path`, or makes one there, as [`Options::mode`] has it.
    ///
    /// # Errors
    /// As [`EventStore::open_with`](crate::EventStore::open_with).
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, OpenError> {
        Ok(Self { engine: engine::open(path.as_ref(), options)? })
    }

    /// Opens the log on a disk of the test's own.
    #[cfg(feature = "testing")]
    pub(crate) fn open_on(disk: Arc<dyn crate::disk::Disk>, options: &Options) -> Result<Self, OpenError> {
        Ok(Self { engine: engine::open_on(disk, options)? })
    }
}

impl Drop for LogAdapter {
    fn drop(&mut self) {
        // Nobody is left to tell. What is not durable now is what an unclean end leaves, and recovery deals with that.
        let _ = self.engine.close();
    }
}

impl StorageAdapter for LogAdapter {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "log",
            persistent: true,
            transaction_ids: true,
            attributes: true,
            any_payload: true,
            system_records: true,
            gapless: true,
            nanoseconds: true,
        }
    }

    fn append(&self, append: &Append<'_>) -> Result<Receipt, AppendError> {
        self.engine.append(append)
    }

    fn append_deferred(&self, append: &Append<'_>) -> Result<Ticket, AppendError> {
        self.engine.append_deferred(append)
    }

    fn append_verbatim(&self, transactions: &[StoredTransaction]) -> Result<Revision, AppendError> {
        self.engine.append_verbatim(transactions)
    }

    fn revision(&self) -> Result<Revision, ReadError> {
        self.engine.admit_read()?;
        Ok(Revision::new(self.engine.revision()))
    }

    fn scan(&self, query: &ScanQuery) -> Result<Box<dyn EventCursor>, ReadError> {
        Ok(Box::new(LogCursor(self.engine.scan(query)?)))
    }

    fn scan_even_closed(&self, query: &ScanQuery) -> Result<Box<dyn EventCursor>, ReadError> {
        Ok(Box::new(LogCursor(self.engine.scan_even_closed(query)?)))
    }

    fn select(&self, query: &SelectQuery) -> Result<Box<dyn EventCursor>, ReadError> {
        match query.access {
            Access::Scan => Ok(Box::new(Filtered::new(self, query)?)),
            Access::Best | Access::Index => Ok(Box::new(LogCursor(self.engine.select(query)?))),
        }
    }

    fn event_with_id(&self, category: &str, id: &EventId) -> Result<Option<StoredEvent>, ReadError> {
        self.engine.event_with_id(category, id)
    }

    fn names_at(&self, field: EventField, at: Revision) -> Result<Vec<String>, ReadError> {
        self.engine.names_at(field, at)
    }

    fn revision_at(&self, time: Timestamp) -> Result<Revision, ReadError> {
        self.engine.revision_at(time)
    }

    fn latest(&self, target: &Identifier) -> Result<Option<StoredEvent>, ReadError> {
        self.engine.latest(target)
    }

    fn categories(&self) -> Result<Vec<String>, ReadError> {
        self.engine.categories()
    }

    fn streams(&self, category: &str) -> Result<Vec<String>, ReadError> {
        self.engine.streams(category)
    }

    fn transactions(&self, from: Revision) -> Result<Box<dyn TransactionCursor>, ReadError> {
        Ok(Box::new(LogTransactions(self.engine.transactions(from)?)))
    }

    fn transaction(&self, id: &str) -> Result<Option<StoredTransaction>, ReadError> {
        self.engine.transaction(id)
    }

    fn record(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, ReadError> {
        self.engine.admit_read()?;
        Ok(self.engine.record(namespace, key))
    }

    fn records(&self, namespace: &str) -> Result<Vec<(Arc<str>, Bytes)>, ReadError> {
        self.engine.admit_read()?;
        Ok(self.engine.records(namespace))
    }

    fn durability(&self) -> Durability {
        self.engine.durability()
    }

    fn durable_revision(&self) -> Revision {
        self.engine.durable_revision()
    }

    fn sync(&self) -> Result<Revision, AppendError> {
        self.engine.sync()
    }

    fn wait_revision(&self, revision: Revision, timeout: Duration) -> Result<Revision, ReadError> {
        self.engine.wait_revision(revision, timeout, &|| false)
    }

    fn wait_unless(
        &self,
        revision: Revision,
        timeout: Duration,
        is_off: &dyn Fn() -> bool,
    ) -> Result<Revision, ReadError> {
        self.engine.wait_revision(revision, timeout, is_off)
    }

    fn wake(&self) {
        self.engine.wake();
    }

    fn wait_durable(&self, revision: Revision, timeout: Duration) -> Result<(), ReadError> {
        self.engine.wait_durable(revision, timeout)
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        self.engine.stats()
    }

    fn close(&self) -> Result<(), AppendError> {
        self.engine.close()
    }
}

struct LogCursor(Cursor);

impl EventCursor for LogCursor {
    fn next_batch(&mut self, batch: &mut Vec<StoredEvent>) -> Result<(), ReadError> {
        self.0.next_batch(batch)
    }

    fn visit(&mut self, visitor: &mut dyn FnMut(&EventRef<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        self.0.visit(visitor)
    }

    fn explanation(&self) -> Explanation {
        self.0.explanation()
    }
}

struct LogTransactions(FrameWalk);

impl TransactionCursor for LogTransactions {
    fn next_transaction(&mut self) -> Result<Option<StoredTransaction>, ReadError> {
        self.0.next_transaction()
    }
}
