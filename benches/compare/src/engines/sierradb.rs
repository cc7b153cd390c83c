//! SierraDB's engine: an event store of partitions. One partition in one bucket, since order across partitions is not kept.

use crate::data::{Stream, Tally};
use crate::engine::{Append, Engine, Setting, Version};
use crate::error::{Error, Of, Result};
use futures::executor::block_on;
use futures::future::join_all;
use sierradb::bucket::segment::CommittedEvents;
use sierradb::database::{Database, DatabaseBuilder, ExpectedVersion, NewEvent, Transaction};
use sierradb::error::WriteError;
use sierradb::id::{uuid_to_partition_hash, uuid_v7_with_partition_hash};
use sierradb::writer_thread_pool::AppendResult;
use sierradb::{IterDirection, StreamId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

const NAME: &str = "sierradb";

/// The one partition.
const PARTITION: u16 = 0;

/// The key that all streams share, as those of one partition do.
const KEY: Uuid = Uuid::from_u128(0x5747_1a10_6000_4000_8000_0000_0000_0001);

/// Commits that one read asks for.
const BATCH: usize = 1_000;

struct Sierra {
    database: Database,
}

/// Opens a store. Each append is on disk when it is acknowledged; that cannot be lifted. The writer syncs when as many events
/// wait as there are threads, or after a millisecond: with its defaults it would wait for 50 events, or 5 ms.
pub fn open(setting: &Setting<'_>) -> Result<Box<dyn Engine>> {
    let wait = Duration::from_millis(1);
    let database = DatabaseBuilder::new()
        .total_buckets(1)
        .bucket_ids_from_range(0..1)
        .writer_threads(1)
        .sync_interval(wait)
        .sync_idle_interval(wait)
        .max_batch_size(setting.threads)
        .min_sync_bytes(usize::MAX)
        .open(setting.directory)
        .of(NAME)?;
    Ok(Box::new(Sierra { database }))
}

/// The stream's name: streams are named across categories here.
fn stream_id(stream: &Stream) -> Result<StreamId> {
    StreamId::new(format!("{}/{}", stream.category, stream.name)).of(NAME)
}

fn transaction(append: &Append<'_>) -> Result<Transaction> {
    let stream = stream_id(append.stream)?;
    let hash = uuid_to_partition_hash(KEY);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let new = |(place, event): (usize, &crate::engine::Event<'_>)| NewEvent {
        event_id: uuid_v7_with_partition_hash(hash),
        stream_id: stream.clone(),
        stream_version: match append.expected.map(|version| version.events + place as u64) {
            None => ExpectedVersion::Any,
            Some(0) => ExpectedVersion::Empty,
            Some(events) => ExpectedVersion::Exact(events - 1),
        },
        event_name: event.name.to_string(),
        timestamp: u64::try_from(now).unwrap_or_default(),
        metadata: Vec::new(),
        payload: event.payload.to_vec(),
    };
    Transaction::new(KEY, PARTITION, append.events.iter().enumerate().map(new).collect()).of(NAME)
}

fn answer(outcome: Result<AppendResult, WriteError>) -> Result<Version> {
    match outcome {
        Ok(done) => Ok(Version {
            events: done.stream_versions.values().next().map_or(0, |last| last + 1),
            last: done.last_partition_sequence + 1,
        }),
        Err(WriteError::WrongExpectedVersion { .. }) => Err(Error::Conflict),
        Err(error) => Err(error).of(NAME),
    }
}

fn count(tally: &mut Tally, commits: Vec<CommittedEvents>) {
    for commit in commits {
        commit.into_iter().for_each(|event| tally.add(&event.payload));
    }
}

impl Engine for Sierra {
    fn append(&self, append: &Append<'_>) -> Result<Version> {
        answer(block_on(self.database.append_events(transaction(append)?)))
    }

    fn append_many(&self, appends: &[Append<'_>]) -> Result<Vec<Result<Version>>> {
        // All in flight at once: the writer makes them durable together.
        let transactions = appends.iter().map(transaction).collect::<Result<Vec<_>>>()?;
        let outcomes = block_on(join_all(transactions.into_iter().map(|one| self.database.append_events(one))));
        Ok(outcomes.into_iter().map(answer).collect())
    }

    fn read_stream(&self, stream: &Stream) -> Result<Tally> {
        let stream = stream_id(stream)?;
        block_on(async {
            let mut tally = Tally::default();
            let mut commits = self.database.read_stream(PARTITION, stream, 0, IterDirection::Forward).await.of(NAME)?;
            while let Some(batch) = commits.next_batch(BATCH).await.of(NAME)? {
                count(&mut tally, batch);
            }
            Ok(tally)
        })
    }

    fn read_category(&self, _category: &Arc<str>) -> Result<Tally> {
        Err(Error::NotComparable(super::NO_CATEGORIES))
    }

    fn read_log(&self) -> Result<Tally> {
        block_on(async {
            let mut tally = Tally::default();
            let mut commits = self.database.read_partition(PARTITION, 0, IterDirection::Forward).await.of(NAME)?;
            while let Some(batch) = commits.next_batch(BATCH).await.of(NAME)? {
                count(&mut tally, batch);
            }
            Ok(tally)
        })
    }

    fn shares_syncs(&self) -> bool {
        true
    }

    fn close(self: Box<Self>) -> Result<()> {
        block_on(self.database.shutdown());
        Ok(())
    }
}
