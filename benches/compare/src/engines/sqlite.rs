//! SQLite: a table of events with an index over streams and one over categories, write-ahead log, prepared statements.

use crate::data::{Stream, Tally};
use crate::engine::{Append, Durability, Engine, Setting, Version};
use crate::error::{Error, Of, Result};
use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, params};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const NAME: &str = "sqlite";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS events (
        sequence INTEGER PRIMARY KEY,
        category TEXT NOT NULL,
        stream TEXT NOT NULL,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE UNIQUE INDEX IF NOT EXISTS by_stream ON events (category, stream, position);
    CREATE INDEX IF NOT EXISTS by_category ON events (category, sequence);
";

const LAST: &str =
    "SELECT position, sequence FROM events WHERE category = ?1 AND stream = ?2 ORDER BY position DESC LIMIT 1";
const INSERT: &str = "INSERT INTO events (category, stream, position, name, payload) VALUES (?1, ?2, ?3, ?4, ?5)";
const BY_STREAM: &str = "SELECT payload FROM events WHERE category = ?1 AND stream = ?2 ORDER BY position";
const BY_CATEGORY: &str = "SELECT payload FROM events WHERE category = ?1 ORDER BY sequence";
const ALL: &str = "SELECT payload FROM events ORDER BY sequence";

struct Sqlite {
    /// SQLite takes one writer at a time; a connection is used by one thread at a time.
    connection: Mutex<Connection>,
}

/// Opens a store. `Sync` is `synchronous = FULL`. `Os` is `NORMAL`, which in the write-ahead log syncs at checkpoints alone, or
/// `OFF` where asked: then a power cut may corrupt the file.
pub fn open(setting: &Setting<'_>, off: bool) -> Result<Box<dyn Engine>> {
    let connection = Connection::open(setting.directory.join("events.sqlite")).of(NAME)?;
    let synchronous = match setting.durability {
        Durability::Sync => "FULL",
        Durability::Os if off => "OFF",
        Durability::Os => "NORMAL",
    };
    connection.pragma_update(None, "journal_mode", "WAL").of(NAME)?;
    connection.pragma_update(None, "synchronous", synchronous).of(NAME)?;
    // 64 MiB of page cache and the file mapped, where the defaults are 2 MiB and no map.
    connection.pragma_update(None, "cache_size", -65_536).of(NAME)?;
    connection.pragma_update(None, "mmap_size", 1_u64 << 33).of(NAME)?;
    connection.execute_batch(SCHEMA).of(NAME)?;
    Ok(Box::new(Sqlite { connection: Mutex::new(connection) }))
}

impl Sqlite {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One append within a transaction. Refusals come before anything is written, so what else the transaction holds stays whole.
fn append_in(transaction: &Transaction<'_>, append: &Append<'_>) -> Result<Version> {
    let (category, stream) = (&*append.stream.category, &*append.stream.name);
    let mut version = Version::default();
    let mut last = transaction.prepare_cached(LAST).of(NAME)?;
    let mut rows = last.query([category, stream]).of(NAME)?;
    if let Some(row) = rows.next().of(NAME)? {
        version = Version { events: row.get::<_, u64>(0).of(NAME)? + 1, last: row.get(1).of(NAME)? };
    }
    drop(rows);
    if append.expected.is_some_and(|expected| expected.events != version.events) {
        return Err(Error::Conflict);
    }
    let mut insert = transaction.prepare_cached(INSERT).of(NAME)?;
    for event in append.events {
        insert.execute(params![category, stream, version.events, &**event.name, event.payload]).of(NAME)?;
        version.events += 1;
    }
    version.last = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
    Ok(version)
}

impl Engine for Sqlite {
    fn append(&self, append: &Append<'_>) -> Result<Version> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).of(NAME)?;
        let version = append_in(&transaction, append)?;
        transaction.commit().of(NAME)?;
        Ok(version)
    }

    fn append_many(&self, appends: &[Append<'_>]) -> Result<Vec<Result<Version>>> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).of(NAME)?;
        let versions = appends.iter().map(|append| append_in(&transaction, append)).collect();
        transaction.commit().of(NAME)?;
        Ok(versions)
    }

    fn read_stream(&self, stream: &Stream) -> Result<Tally> {
        let connection = self.connection();
        tally(connection.prepare_cached(BY_STREAM).of(NAME)?, &[&*stream.category, &*stream.name])
    }

    fn read_category(&self, category: &Arc<str>) -> Result<Tally> {
        let connection = self.connection();
        tally(connection.prepare_cached(BY_CATEGORY).of(NAME)?, &[&**category])
    }

    fn read_log(&self) -> Result<Tally> {
        let connection = self.connection();
        tally(connection.prepare_cached(ALL).of(NAME)?, &[])
    }

    fn close(self: Box<Self>) -> Result<()> {
        let connection = self.connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.close().map_err(|(_, error)| error).of(NAME)
    }
}

fn tally(mut statement: CachedStatement<'_>, names: &[&str]) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut rows = statement.query(rusqlite::params_from_iter(names)).of(NAME)?;
    while let Some(row) = rows.next().of(NAME)? {
        tally.add(row.get_ref(0).of(NAME)?.as_blob().of(NAME)?);
    }
    Ok(tally)
}
