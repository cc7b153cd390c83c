//! fjall: a keyspace for the log, one for the stream index, one for the category index, one for the streams' versions.

use super::keys;
use crate::data::{Stream, Tally};
use crate::engine::{Append, Durability, Engine, Setting, Version};
use crate::error::{Error, Of, Result};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

const NAME: &str = "fjall";

struct Fjall {
    database: Database,
    log: Keyspace,
    streams: Keyspace,
    categories: Keyspace,
    /// How far each stream is. A look-up by key is much cheaper here than finding the last key of a range.
    versions: Keyspace,
    mode: PersistMode,
    /// The sequence number of the next event. Held while a batch is put together and written: one writer at a time.
    next: Mutex<u64>,
}

/// What one batch has done so far, since a batch cannot be read from.
struct Batch {
    batch: OwnedWriteBatch,
    versions: HashMap<Vec<u8>, Version>,
    next: u64,
}

/// Opens a store. `Sync` is `PersistMode::SyncData`; `Os` is `PersistMode::Buffer`.
pub fn open(setting: &Setting<'_>) -> Result<Box<dyn Engine>> {
    // A quarter of a gigabyte of cache, where the default is 32 MiB.
    let database = Database::builder(setting.directory).cache_size(1 << 28).open().of(NAME)?;
    let keyspace = |name, hits| {
        let options = || KeyspaceCreateOptions::default().expect_point_read_hits(hits);
        database.keyspace(name, options).of(NAME)
    };
    let (log, streams) = (keyspace("log", true)?, keyspace("streams", false)?);
    let (categories, versions) = (keyspace("categories", false)?, keyspace("versions", false)?);
    let next = match log.last_key_value() {
        Some(last) => keys::number(&last.key().of(NAME)?)? + 1,
        None => 1,
    };
    let mode = match setting.durability {
        Durability::Os => PersistMode::Buffer,
        Durability::Sync => PersistMode::SyncData,
    };
    Ok(Box::new(Fjall { database, log, streams, categories, versions, mode, next: Mutex::new(next) }))
}

impl Fjall {
    fn version(&self, stream: &[u8]) -> Result<Version> {
        match self.versions.get(stream).of(NAME)? {
            None => Ok(Version::default()),
            Some(value) => {
                let (events, last) = value.split_at_checked(8).ok_or_else(|| broken("a version is cut short"))?;
                Ok(Version { events: keys::number(events)?, last: keys::number(last)? })
            }
        }
    }

    fn append_in(&self, batch: &mut Batch, append: &Append<'_>) -> Result<Version> {
        let stream = keys::stream(append.stream);
        let category = keys::category(&append.stream.category);
        let mut version = match batch.versions.get(&stream) {
            Some(version) => *version,
            None => self.version(&stream)?,
        };
        if append.expected.is_some_and(|expected| expected.events != version.events) {
            return Err(Error::Conflict);
        }
        let mut stored = Vec::new();
        for event in append.events {
            keys::event(append.stream, version.events, event, &mut stored);
            let sequence = keys::with(&[], batch.next);
            batch.batch.insert(&self.log, &sequence, &stored);
            batch.batch.insert(&self.streams, keys::with(&stream, version.events), &sequence);
            batch.batch.insert(&self.categories, keys::with(&category, batch.next), [0_u8; 0]);
            version = Version { events: version.events + 1, last: batch.next };
            batch.next += 1;
        }
        batch.batch.insert(&self.versions, &stream, keys::with(&keys::with(&[], version.events), version.last));
        batch.versions.insert(stream, version);
        Ok(version)
    }

    fn commit<T>(&self, work: impl FnOnce(&mut Batch) -> Result<T>) -> Result<T> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = self.database.batch().durability(Some(self.mode));
        let mut batch = Batch { batch, versions: HashMap::new(), next: *next };
        let done = work(&mut batch)?;
        batch.batch.commit().of(NAME)?;
        *next = batch.next;
        Ok(done)
    }

    fn add(&self, tally: &mut Tally, sequence: &[u8]) -> Result<()> {
        match self.log.get(sequence).of(NAME)? {
            Some(stored) => tally.add(keys::payload(&stored)?),
            None => return Err(broken("an event is in the index and not in the log")),
        }
        Ok(())
    }
}

impl Engine for Fjall {
    fn append(&self, append: &Append<'_>) -> Result<Version> {
        self.commit(|batch| self.append_in(batch, append))
    }

    fn append_many(&self, appends: &[Append<'_>]) -> Result<Vec<Result<Version>>> {
        self.commit(|batch| Ok(appends.iter().map(|append| self.append_in(batch, append)).collect()))
    }

    fn read_stream(&self, stream: &Stream) -> Result<Tally> {
        let mut tally = Tally::default();
        for entry in self.streams.prefix(keys::stream(stream)) {
            self.add(&mut tally, &entry.value().of(NAME)?)?;
        }
        Ok(tally)
    }

    fn read_category(&self, category: &Arc<str>) -> Result<Tally> {
        let mut tally = Tally::default();
        for entry in self.categories.prefix(keys::category(category)) {
            let key = entry.key().of(NAME)?;
            self.add(&mut tally, key.last_chunk::<8>().ok_or_else(|| broken("a key is cut short"))?)?;
        }
        Ok(tally)
    }

    fn read_log(&self) -> Result<Tally> {
        let mut tally = Tally::default();
        for entry in self.log.iter() {
            tally.add(keys::payload(&entry.value().of(NAME)?)?);
        }
        Ok(tally)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.database.persist(PersistMode::SyncAll).of(NAME)
    }
}

fn broken(what: &str) -> Error {
    Error::Broken(format!("{NAME}: {what}"))
}
