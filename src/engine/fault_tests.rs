//! Tests: what a failing disk does to an open store. The disk is the real one, with failures on demand.

use super::Engine;
use super::open::open_on;
use crate::disk::{Disk, DiskFile, Lock, RealDisk, Region};
use crate::vocabulary::append::{Append, AppendPart};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::condition::{Condition, stream_is_empty};
use crate::vocabulary::error::{AppendError, IoFailure, OpenError, ReadError, Retry};
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::{Durability, Options};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::transaction::Receipt;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What is to fail from now on, and how often a sync was asked for.
#[derive(Debug, Default)]
struct Plan {
    sync: AtomicBool,
    write: AtomicBool,
    create: AtomicBool,
    syncs: AtomicUsize,
}

impl Plan {
    fn check(flag: &AtomicBool, doing: &'static str, kind: ErrorKind) -> Result<(), IoFailure> {
        if flag.load(Ordering::Relaxed) { Err(IoFailure::new(doing, "test", Error::from(kind))) } else { Ok(()) }
    }
}

#[derive(Debug)]
struct FaultyDisk(RealDisk, Arc<Plan>);

#[derive(Debug)]
struct FaultyFile(Arc<dyn DiskFile>, Arc<Plan>);

impl Disk for FaultyDisk {
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn lock(&self) -> Result<Option<Box<dyn Lock>>, IoFailure> {
        self.0.lock()
    }
    fn list(&self) -> Result<Vec<String>, IoFailure> {
        self.0.list()
    }
    fn create(&self, name: &str, length: u64, wide: bool) -> Result<Arc<dyn DiskFile>, IoFailure> {
        Plan::check(&self.1.create, "allocate", ErrorKind::StorageFull)?;
        Ok(Arc::new(FaultyFile(self.0.create(name, length, wide)?, Arc::clone(&self.1))))
    }
    fn open(&self, name: &str, write: bool) -> Result<Arc<dyn DiskFile>, IoFailure> {
        Ok(Arc::new(FaultyFile(self.0.open(name, write)?, Arc::clone(&self.1))))
    }
    fn rename(&self, from: &str, to: &str) -> Result<(), IoFailure> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> Result<(), IoFailure> {
        self.0.remove(name)
    }
    fn sync_directory(&self) -> Result<(), IoFailure> {
        self.0.sync_directory()
    }
}

impl DiskFile for FaultyFile {
    fn path(&self) -> PathBuf {
        self.0.path()
    }
    fn length(&self) -> u64 {
        self.0.length()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoFailure> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        Plan::check(&self.1.write, "write", ErrorKind::Other)?;
        self.0.write_at(offset, bytes)
    }
    fn store(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        Plan::check(&self.1.write, "store", ErrorKind::Other)?;
        self.0.store(offset, bytes)
    }
    fn sync(&self) -> Result<(), IoFailure> {
        self.1.syncs.fetch_add(1, Ordering::Relaxed);
        Plan::check(&self.1.sync, "sync", ErrorKind::Other)?;
        self.0.sync()
    }
    fn region(&self) -> Result<Arc<Region>, IoFailure> {
        self.0.region()
    }
}

fn open(path: &Path, durability: Durability) -> Result<(Arc<Engine>, Arc<Plan>), OpenError> {
    let plan = Arc::new(Plan::default());
    let options = Options::new().durability(durability).segment_bytes(16 << 10, 16 << 10);
    let disk = FaultyDisk(RealDisk::new(path)?, Arc::clone(&plan));
    Ok((open_on(Arc::new(disk), &options)?, plan))
}

fn append(engine: &Engine, stream: &str, condition: &Condition) -> Result<Receipt, AppendError> {
    let (stream, events) = (Stream::new("c", stream), [NewEvent::empty("e").with_metadata(vec![7; 500])]);
    engine.append(&Append::new(&Attributes::new(), &[AppendPart::new(&stream, &events, condition)]))
}

fn count(engine: &Engine) -> usize {
    let mut batch = Vec::new();
    let mut cursor = engine.scan(&ScanQuery::default()).unwrap();
    loop {
        let before = batch.len();
        cursor.next_batch(&mut batch).unwrap();
        if batch.len() == before {
            return before;
        }
    }
}

#[test]
fn a_failed_sync_poisons_and_is_never_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    append(&engine, "a", &Condition::any()).unwrap();
    plan.sync.store(true, Ordering::Relaxed);
    let error = append(&engine, "a", &Condition::any()).unwrap_err();
    assert!(matches!(error, AppendError::Poisoned { unknown: true, .. }), "{error}");
    assert_eq!(error.retry(), Retry::WithTransactionId);
    plan.sync.store(false, Ordering::Relaxed);
    let syncs = plan.syncs.load(Ordering::Relaxed);
    let error = append(&engine, "a", &Condition::any()).unwrap_err();
    assert!(matches!(error, AppendError::Poisoned { unknown: false, .. }), "{error}");
    assert!(matches!(engine.sync(), Err(AppendError::Poisoned { .. })));
    assert_eq!((engine.revision(), count(&engine)), (1, 1), "the mark stays, and reads go on");
    let waiting = engine.wait_durable(Revision::new(2), Duration::from_secs(5));
    assert!(matches!(waiting, Err(ReadError::NotReached { .. })), "{waiting:?}");
    assert!(matches!(engine.close(), Err(AppendError::Poisoned { .. })));
    assert_eq!(plan.syncs.load(Ordering::Relaxed), syncs);
    drop(engine);
    let (engine, _) = open(directory.path(), Durability::Sync).unwrap();
    assert!((1..=2).contains(&count(&engine)), "what was acknowledged, and at most what was tried");
    append(&engine, "b", &stream_is_empty()).unwrap();
}

#[test]
fn a_refusal_that_rests_on_events_that_never_came_is_poisoned_too() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    plan.sync.store(true, Ordering::Relaxed);
    let outcomes: Vec<AppendError> = std::thread::scope(|scope| {
        let run = || scope.spawn(|| append(&engine, "a", &stream_is_empty()).unwrap_err());
        let threads: Vec<_> = (0..8).map(|_| run()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for outcome in outcomes {
        assert!(matches!(outcome, AppendError::Poisoned { .. }), "{outcome}");
    }
    assert_eq!(engine.revision(), 0);
}

#[test]
fn a_failed_write_poisons_in_every_durability() {
    for durability in [Durability::Sync, Durability::Os, Durability::Interval(Duration::from_millis(1))] {
        let directory = tempfile::tempdir().unwrap();
        let (engine, plan) = open(directory.path(), durability).unwrap();
        append(&engine, "a", &Condition::any()).unwrap();
        plan.write.store(true, Ordering::Relaxed);
        let error = append(&engine, "a", &Condition::any()).unwrap_err();
        assert!(error.is_poisoned() && error.is_unknown(), "{durability:?}: {error}");
        plan.write.store(false, Ordering::Relaxed);
        assert!(append(&engine, "a", &Condition::any()).unwrap_err().is_poisoned(), "{durability:?}");
        assert_eq!(count(&engine), 1, "{durability:?}");
    }
}

#[test]
fn a_full_disk_refuses_one_append_and_poisons_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Os).unwrap();
    plan.create.store(true, Ordering::Relaxed);
    let mut appended = 0;
    let error = loop {
        match append(&engine, "a", &Condition::any()) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
        assert!(appended < 1_000, "a segment of 16 KiB does not hold that much");
    };
    assert!(matches!(error, AppendError::NoSpace(_)), "{error}");
    assert_eq!((error.retry(), count(&engine)), (Retry::Safe, appended));
    plan.create.store(false, Ordering::Relaxed);
    append(&engine, "a", &Condition::any()).unwrap();
    engine.close().unwrap();
    drop(engine);
    let (engine, _) = open(directory.path(), Durability::Os).unwrap();
    assert_eq!(count(&engine), appended + 1);
}

#[test]
fn an_interval_that_fails_to_sync_poisons() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Interval(Duration::from_millis(2))).unwrap();
    plan.sync.store(true, Ordering::Relaxed);
    append(&engine, "a", &Condition::any()).unwrap();
    let waiting = engine.wait_durable(Revision::new(1), Duration::from_secs(20));
    assert!(matches!(waiting, Err(ReadError::Poisoned { .. })), "{waiting:?}");
    assert!(append(&engine, "a", &Condition::any()).unwrap_err().is_poisoned());
}
