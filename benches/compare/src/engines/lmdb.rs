//! LMDB by `heed`: a database for the log, one for the stream index, one for the category index.

use super::keys;
use crate::data::{Stream, Tally};
use crate::engine::{Append, Durability, Engine, Setting, Version};
use crate::error::{Error, Of, Result};
use heed::byteorder::BigEndian;
use heed::types::{Bytes, U64, Unit};
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, RwTxn, WithoutTls};
use std::sync::Arc;

const NAME: &str = "heed";

/// Addresses set aside for the file, and more for each event: several times what it fills. Through a map that is written, the
/// file is as long as that from the start, and all of it that was not filled is a hole.
const MAP: usize = 1 << 30;
const MAP_AN_EVENT: usize = 4 << 10;

struct Lmdb {
    env: Env<WithoutTls>,
    tables: Tables,
}

#[derive(Clone, Copy)]
struct Tables {
    log: Database<'static, U64<BigEndian>, Bytes>,
    streams: Database<'static, Bytes, U64<BigEndian>>,
    categories: Database<'static, Bytes, Unit>,
}

/// Opens a store. `Sync` is LMDB's default. `Os` is `MDB_NOSYNC`: the file survives the process, and a power cut may corrupt it.
/// With `writemap`, the file is written through the map.
pub fn open(setting: &Setting<'_>, writemap: bool) -> Result<Box<dyn Engine>> {
    let mut flags = EnvFlags::empty();
    flags.set(EnvFlags::WRITE_MAP, writemap);
    flags.set(EnvFlags::NO_SYNC, setting.durability == Durability::Os);
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(MAP + MAP_AN_EVENT * setting.data.order.len()).max_dbs(3).max_readers(128);
    // SAFETY: nothing else has the directory open, so no one changes the file behind the map; it is on a local file system.
    // Without syncs only a power cut can break the file, and then the store is not opened again.
    let env = unsafe { options.flags(flags).open(setting.directory) }.of(NAME)?;
    let transaction = env.write_txn().of(NAME)?;
    let (log, streams, categories) = env
        .create_databases_and_commit(transaction, |databases, transaction| {
            let log = databases.create_database(transaction, Some("log"))?;
            let streams = databases.create_database(transaction, Some("streams"))?;
            let categories = databases.create_database(transaction, Some("categories"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((log, streams, categories)))
        })
        .of(NAME)?
        .commit()
        .ok_or_else(|| Error::Broken("the tables of LMDB were not made".to_owned()))?;
    Ok(Box::new(Lmdb { env, tables: Tables { log, streams, categories } }))
}

impl Tables {
    fn append(&self, transaction: &mut RwTxn<'_>, append: &Append<'_>, buffer: &mut Vec<u8>) -> Result<Version> {
        let stream = keys::stream(append.stream);
        let category = keys::category(&append.stream.category);
        let mut version = Version::default();
        if let Some((key, sequence)) =
            self.streams.get_lower_than(transaction, &keys::with(&stream, u64::MAX)).of(NAME)?
            && key.starts_with(&stream)
        {
            version = Version { events: keys::number(key)? + 1, last: sequence };
        }
        if append.expected.is_some_and(|expected| expected.events != version.events) {
            return Err(Error::Conflict);
        }
        let first = self.log.last(transaction).of(NAME)?.map_or(1, |(last, _)| last + 1);
        for (sequence, event) in (first..).zip(append.events) {
            keys::event(append.stream, version.events, event, buffer);
            // The log's keys only grow: appending spares the search, and fills pages whole.
            self.log.put_with_flags(transaction, heed::PutFlags::APPEND, &sequence, buffer).of(NAME)?;
            self.streams.put(transaction, &keys::with(&stream, version.events), &sequence).of(NAME)?;
            self.categories.put(transaction, &keys::with(&category, sequence), &()).of(NAME)?;
            version = Version { events: version.events + 1, last: sequence };
        }
        Ok(version)
    }
}

impl Engine for Lmdb {
    fn append(&self, append: &Append<'_>) -> Result<Version> {
        let mut transaction = self.env.write_txn().of(NAME)?;
        let version = self.tables.append(&mut transaction, append, &mut Vec::new())?;
        transaction.commit().of(NAME)?;
        Ok(version)
    }

    fn append_many(&self, appends: &[Append<'_>]) -> Result<Vec<Result<Version>>> {
        let mut transaction = self.env.write_txn().of(NAME)?;
        let mut buffer = Vec::new();
        let versions = appends.iter().map(|append| self.tables.append(&mut transaction, append, &mut buffer)).collect();
        transaction.commit().of(NAME)?;
        Ok(versions)
    }

    fn read_stream(&self, stream: &Stream) -> Result<Tally> {
        let transaction = self.env.read_txn().of(NAME)?;
        let mut tally = Tally::default();
        for entry in self.tables.streams.prefix_iter(&transaction, &keys::stream(stream)).of(NAME)? {
            let sequence = entry.of(NAME)?.1;
            add(&mut tally, self.tables.log.get(&transaction, &sequence).of(NAME)?, sequence)?;
        }
        Ok(tally)
    }

    fn read_category(&self, category: &Arc<str>) -> Result<Tally> {
        let transaction = self.env.read_txn().of(NAME)?;
        let mut tally = Tally::default();
        for entry in self.tables.categories.prefix_iter(&transaction, &keys::category(category)).of(NAME)? {
            let sequence = keys::number(entry.of(NAME)?.0)?;
            add(&mut tally, self.tables.log.get(&transaction, &sequence).of(NAME)?, sequence)?;
        }
        Ok(tally)
    }

    fn read_log(&self) -> Result<Tally> {
        let transaction = self.env.read_txn().of(NAME)?;
        let mut tally = Tally::default();
        for entry in self.tables.log.iter(&transaction).of(NAME)? {
            tally.add(keys::payload(entry.of(NAME)?.1)?);
        }
        Ok(tally)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.env.force_sync().of(NAME)?;
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}

fn add(tally: &mut Tally, stored: Option<&[u8]>, sequence: u64) -> Result<()> {
    match stored {
        Some(stored) => tally.add(keys::payload(stored)?),
        None => return Err(Error::Broken(format!("{NAME}: event {sequence} is in the index and not in the log"))),
    }
    Ok(())
}
