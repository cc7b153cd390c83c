//! redb: a table for the log, one for the stream index, one for the category index.

use super::keys;
use crate::data::{Stream, Tally};
use crate::engine::{Append, Durability, Engine, Setting, Version};
use crate::error::{Error, Of, Result};
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use std::sync::Arc;

const NAME: &str = "redb";

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const STREAMS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("streams");
const CATEGORIES: TableDefinition<'_, &[u8], ()> = TableDefinition::new("categories");

struct Redb {
    database: Database,
    durability: redb::Durability,
}

/// Opens a store. `Sync` is `Durability::Immediate`. `Os` is `Durability::None`, which keeps commits in the process: they do not
/// even survive the process until the next commit that is immediate.
pub fn open(setting: &Setting<'_>) -> Result<Box<dyn Engine>> {
    let database = Database::create(setting.directory.join("events.redb")).of(NAME)?;
    let durability = match setting.durability {
        Durability::Os => redb::Durability::None,
        Durability::Sync => redb::Durability::Immediate,
    };
    let transaction = database.begin_write().of(NAME)?;
    drop(Tables::open(&transaction)?);
    transaction.commit().of(NAME)?;
    Ok(Box::new(Redb { database, durability }))
}

struct Tables<'t> {
    log: Table<'t, u64, &'static [u8]>,
    streams: Table<'t, &'static [u8], u64>,
    categories: Table<'t, &'static [u8], ()>,
    /// The sequence number of the next event.
    next: u64,
    buffer: Vec<u8>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self> {
        let log = transaction.open_table(LOG).of(NAME)?;
        let streams = transaction.open_table(STREAMS).of(NAME)?;
        let categories = transaction.open_table(CATEGORIES).of(NAME)?;
        let next = log.last().of(NAME)?.map_or(1, |(key, _)| key.value() + 1);
        Ok(Self { log, streams, categories, next, buffer: Vec::new() })
    }

    fn append(&mut self, append: &Append<'_>) -> Result<Version> {
        let stream = keys::stream(append.stream);
        let category = keys::category(&append.stream.category);
        let (first, past) = (keys::with(&stream, 0), keys::with(&stream, u64::MAX));
        let mut version = Version::default();
        if let Some(last) = self.streams.range(&*first..&*past).of(NAME)?.next_back() {
            let (key, sequence) = last.of(NAME)?;
            version = Version { events: keys::number(key.value())? + 1, last: sequence.value() };
        }
        if append.expected.is_some_and(|expected| expected.events != version.events) {
            return Err(Error::Conflict);
        }
        for event in append.events {
            keys::event(append.stream, version.events, event, &mut self.buffer);
            self.log.insert(self.next, &*self.buffer).of(NAME)?;
            self.streams.insert(&*keys::with(&stream, version.events), self.next).of(NAME)?;
            self.categories.insert(&*keys::with(&category, self.next), ()).of(NAME)?;
            version = Version { events: version.events + 1, last: self.next };
            self.next += 1;
        }
        Ok(version)
    }
}

impl Redb {
    fn commit<T>(&self, work: impl FnOnce(&mut Tables<'_>) -> Result<T>) -> Result<T> {
        let mut transaction = self.database.begin_write().of(NAME)?;
        transaction.set_durability(self.durability).of(NAME)?;
        let mut tables = Tables::open(&transaction)?;
        let done = work(&mut tables)?;
        drop(tables);
        transaction.commit().of(NAME)?;
        Ok(done)
    }
}

impl Engine for Redb {
    fn append(&self, append: &Append<'_>) -> Result<Version> {
        self.commit(|tables| tables.append(append))
    }

    fn append_many(&self, appends: &[Append<'_>]) -> Result<Vec<Result<Version>>> {
        self.commit(|tables| Ok(appends.iter().map(|append| tables.append(append)).collect()))
    }

    fn read_stream(&self, stream: &Stream) -> Result<Tally> {
        let transaction = self.database.begin_read().of(NAME)?;
        let (log, streams) = (transaction.open_table(LOG).of(NAME)?, transaction.open_table(STREAMS).of(NAME)?);
        let prefix = keys::stream(stream);
        let (first, past) = (keys::with(&prefix, 0), keys::with(&prefix, u64::MAX));
        let mut tally = Tally::default();
        for entry in ReadableTable::range(&streams, &*first..&*past).of(NAME)? {
            let sequence = entry.of(NAME)?.1.value();
            add(&mut tally, log.get(sequence).of(NAME)?.as_ref().map(|stored| stored.value()), sequence)?;
        }
        Ok(tally)
    }

    fn read_category(&self, category: &Arc<str>) -> Result<Tally> {
        let transaction = self.database.begin_read().of(NAME)?;
        let (log, index) = (transaction.open_table(LOG).of(NAME)?, transaction.open_table(CATEGORIES).of(NAME)?);
        let prefix = keys::category(category);
        let (first, past) = (keys::with(&prefix, 0), keys::with(&prefix, u64::MAX));
        let mut tally = Tally::default();
        for entry in ReadableTable::range(&index, &*first..&*past).of(NAME)? {
            let sequence = keys::number(entry.of(NAME)?.0.value())?;
            add(&mut tally, log.get(sequence).of(NAME)?.as_ref().map(|stored| stored.value()), sequence)?;
        }
        Ok(tally)
    }

    fn read_log(&self) -> Result<Tally> {
        let transaction = self.database.begin_read().of(NAME)?;
        let log = transaction.open_table(LOG).of(NAME)?;
        let mut tally = Tally::default();
        for entry in log.iter().of(NAME)? {
            tally.add(keys::payload(entry.of(NAME)?.1.value())?);
        }
        Ok(tally)
    }

    fn close(self: Box<Self>) -> Result<()> {
        // Commits that were kept in the process are written with the next one that is immediate.
        self.database.begin_write().of(NAME)?.commit().of(NAME)?;
        self.database.close().of(NAME)
    }
}

fn add(tally: &mut Tally, stored: Option<&[u8]>, sequence: u64) -> Result<()> {
    match stored {
        Some(stored) => tally.add(keys::payload(stored)?),
        None => return Err(Error::Broken(format!("{NAME}: event {sequence} is in the index and not in the log"))),
    }
    Ok(())
}
