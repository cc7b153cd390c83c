//! Tests: what a failing disk does to an open store. The disk is the real one, with failures on demand.

use super::Engine;
use super::open::open_on;
use crate::disk::{Disk, DiskFile, Lock, RealDisk, Region, Writing};
use crate::format::frame::{FrameHeader, Kind, seal};
use crate::format::place::aligned;
use crate::format::segment_header::SegmentHeader;
use crate::vocabulary::append::{Append, AppendPart};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::condition::{Condition, stream_is_empty};
use crate::vocabulary::error::{AppendError, IoFailure, OpenError, ReadError, Retry};
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::{Durability, Options};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::Receipt;
use parking_lot::Mutex;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What is to fail from now on, and how often a sync was asked for.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) sync: AtomicBool,
    /// The next sync fails, and none after it.
    pub(super) sync_once: AtomicBool,
    /// The next sync panics.
    pub(super) panic_once: AtomicBool,
    /// A sync takes so many milliseconds longer.
    pub(super) slow: AtomicUsize,
    pub(super) write: AtomicBool,
    pub(super) create: AtomicBool,
    /// No index file can be made.
    pub(super) create_index: AtomicBool,
    /// Who warms a file stands still as long as this is set, and says so in the other.
    pub(super) warm_waits: AtomicBool,
    pub(super) warming: AtomicBool,
    pub(super) syncs: AtomicUsize,
    /// How many bytes were read by system calls.
    pub(super) read: AtomicU64,
    /// How often an index file was to be made.
    pub(super) tries: AtomicUsize,
    /// What was done to which file, in order.
    pub(super) deeds: Mutex<Vec<(String, &'static str)>>,
    /// How many syncs are under way, and how many were at once at most.
    at_once: AtomicUsize,
    pub(super) at_once_most: AtomicUsize,
}

impl Plan {
    fn check(flag: &AtomicBool, doing: &'static str, kind: ErrorKind) -> Result<(), IoFailure> {
        if flag.load(Ordering::Relaxed) { Err(IoFailure::new(doing, "test", Error::from(kind))) } else { Ok(()) }
    }
}

#[derive(Debug)]
pub(super) struct FaultyDisk(pub(super) RealDisk, pub(super) Arc<Plan>);

#[derive(Debug)]
struct FaultyFile(Arc<dyn DiskFile>, Arc<Plan>);

impl FaultyFile {
    fn note(&self, deed: &'static str) {
        let name = self.0.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.1.deeds.lock().push((name, deed));
    }
}

impl Plan {
    /// What was done to a file since the last call, in order.
    pub(super) fn deeds_to(&self, name: &str) -> Vec<&'static str> {
        self.deeds.lock().iter().filter(|(file, _)| file == name).map(|(_, deed)| *deed).collect()
    }
}

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
    fn create(&self, name: &str, length: u64, writing: Writing) -> Result<Arc<dyn DiskFile>, IoFailure> {
        Plan::check(&self.1.create, "allocate", ErrorKind::StorageFull)?;
        if name.contains(".index") {
            self.1.tries.fetch_add(1, Ordering::Relaxed);
            Plan::check(&self.1.create_index, "allocate", ErrorKind::StorageFull)?;
        }
        Ok(Arc::new(FaultyFile(self.0.create(name, length, writing)?, Arc::clone(&self.1))))
    }
    fn open(&self, name: &str, write: bool) -> Result<Arc<dyn DiskFile>, IoFailure> {
        Ok(Arc::new(FaultyFile(self.0.open(name, write)?, Arc::clone(&self.1))))
    }
    fn rename(&self, from: &str, to: &str) -> Result<(), IoFailure> {
        self.1.deeds.lock().push((from.to_owned(), "rename"));
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> Result<(), IoFailure> {
        self.0.remove(name)
    }
    fn sync_directory(&self) -> Result<(), IoFailure> {
        self.1.deeds.lock().push((".".to_owned(), "sync"));
        self.0.sync_directory()
    }
    fn random(&self) -> [u8; 16] {
        self.0.random()
    }
    fn now(&self) -> Timestamp {
        self.0.now()
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
        self.1.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        Plan::check(&self.1.write, "write", ErrorKind::Other)?;
        self.note("write");
        self.0.write_at(offset, bytes)
    }
    fn store(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        Plan::check(&self.1.write, "store", ErrorKind::Other)?;
        self.0.store(offset, bytes)
    }
    fn warm(&self) -> Result<bool, IoFailure> {
        while self.1.warm_waits.load(Ordering::Acquire) {
            self.1.warming.store(true, Ordering::Release);
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.warm()
    }
    fn sync(&self) -> Result<(), IoFailure> {
        self.1.syncs.fetch_add(1, Ordering::Relaxed);
        self.1.at_once_most.fetch_max(self.1.at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(self.1.slow.load(Ordering::Relaxed) as u64));
        self.1.at_once.fetch_sub(1, Ordering::SeqCst);
        assert!(!self.1.panic_once.swap(false, Ordering::Relaxed), "a sync that panics");
        Plan::check(&self.1.sync, "sync", ErrorKind::Other)?;
        let once = AtomicBool::new(self.1.sync_once.swap(false, Ordering::Relaxed));
        Plan::check(&once, "sync", ErrorKind::Other)?;
        self.note("sync");
        self.0.sync()
    }
    fn region(&self) -> Result<Arc<Region>, IoFailure> {
        self.0.region()
    }
}

pub(super) fn open(path: &Path, durability: Durability) -> Result<(Arc<Engine>, Arc<Plan>), OpenError> {
    let plan = Arc::new(Plan::default());
    let options = Options::new().durability(durability).segment_bytes(16 << 10, 16 << 10);
    let disk = FaultyDisk(RealDisk::new(path)?, Arc::clone(&plan));
    Ok((open_on(Arc::new(disk), &options)?, plan))
}

pub(super) fn append(engine: &Engine, stream: &str, condition: &Condition) -> Result<Receipt, AppendError> {
    let (stream, events) = (Stream::new("c", stream), [NewEvent::empty("e").with_metadata(vec![7; 500])]);
    engine.append(&Append::new(&Attributes::new(), &[AppendPart::new(&stream, &events, condition)]))
}

pub(super) fn count(engine: &Engine) -> usize {
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
fn a_sync_that_fails_once_is_not_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    plan.sync_once.store(true, Ordering::Relaxed);
    let before = plan.syncs.load(Ordering::Relaxed);
    // A second sync would succeed, and say nothing of what the first one lost.
    let error = append(&engine, "a", &Condition::any()).unwrap_err();
    assert!(matches!(error, AppendError::Poisoned { unknown: true, .. }), "{error}");
    assert_eq!(plan.syncs.load(Ordering::Relaxed), before + 1);
}

#[test]
fn nobody_is_answered_before_the_sync_that_covers_it() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    // Long enough for others to come while one syncs.
    plan.slow.store(5, Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let receipt = append(&engine, "a", &Condition::any()).unwrap();
                    assert!(engine.durable_revision() >= receipt.revision(), "{receipt:?}");
                }
            });
        }
    });
}

#[test]
fn a_leader_that_panics_leaves_nobody_asleep() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    plan.panic_once.store(true, Ordering::Relaxed);
    let begun = std::time::Instant::now();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let run = || scope.spawn(|| append(&engine, "a", &Condition::any()));
        // So few that no segment is prepared meanwhile, whose sync would be the one that panics.
        let threads: Vec<_> = (0..5).map(|_| run()).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1, "one thread led, and panicked");
    for outcome in outcomes.into_iter().flatten() {
        let error = outcome.unwrap_err();
        assert!(matches!(error, AppendError::Poisoned { .. }), "{error}");
    }
    assert!(begun.elapsed() < Options::new().append_deadline / 2, "woken, and not by a deadline");
}

#[test]
fn a_refusal_that_rests_on_events_that_never_came_is_poisoned_too() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    plan.sync.store(true, Ordering::Relaxed);
    // The sync fails late, so that others come while it is under way.
    plan.slow.store(50, Ordering::Relaxed);
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

#[test]
fn a_sync_claims_only_what_was_visible_when_it_began() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Os).unwrap();
    append(&engine, "a", &Condition::any()).unwrap();
    let before = plan.syncs.load(Ordering::Relaxed);
    plan.slow.store(200, Ordering::Relaxed);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| engine.sync().unwrap());
        while plan.syncs.load(Ordering::Relaxed) == before {
            std::thread::yield_now();
        }
        append(&engine, "a", &Condition::any()).unwrap();
        syncing.join().unwrap();
    });
    assert_eq!(
        (engine.revision(), engine.durable_revision()),
        (2, Revision::new(1)),
        "the second came behind the sync"
    );
}

/// Appends once, and waits until a watermark stands behind that.
fn append_and_idle(engine: &Engine) {
    append(engine, "a", &Condition::any()).unwrap();
    let end = engine.visible_place();
    for _ in 0..2_000 {
        if engine.visible_place() > end {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no watermark came");
}

#[test]
fn a_watermark_is_synced_before_its_segment_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    append_and_idle(&engine);
    assert_eq!(plan.deeds_to("0000000001.segment").last(), Some(&"write"), "the watermark itself is not waited for");
    let (stream, events) = (Stream::new("c", "big"), [NewEvent::empty("e").with_metadata(vec![7; 14 << 10])]);
    let any = Condition::any();
    let parts = [AppendPart::new(&stream, &events, &any)];
    engine.append(&Append::new(&Attributes::new(), &parts)).unwrap();
    assert_eq!(engine.visible_place().segment, 2);
    assert_eq!(plan.deeds_to("0000000001.segment").last(), Some(&"sync"), "marks in segment 2 vouch for all of it");
}

#[test]
fn all_is_synced_before_the_last_frame_is_written() {
    for idle in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
        if idle {
            append_and_idle(&engine)
        } else {
            drop(append(&engine, "a", &Condition::any()).unwrap())
        };
        engine.close().unwrap();
        let deeds = plan.deeds_to("0000000001.segment");
        assert!(deeds.ends_with(&["sync", "write", "sync"]), "idle {idle}: {deeds:?}");
    }
}

#[test]
fn a_segment_is_synced_before_it_has_its_name_and_the_name_before_it_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    while engine.visible_place().segment < 2 {
        append(&engine, "a", &Condition::any()).unwrap();
    }
    // The file is known by the name that it was made under.
    let made = |(name, _): &&(String, &str)| name == "0000000002.segment.tmp" || name == ".";
    let deeds: Vec<_> = plan.deeds.lock().iter().filter(made).map(|(name, deed)| (name.len() > 1, *deed)).collect();
    let first: Vec<_> = deeds.iter().skip_while(|(of_segment, _)| !of_segment).take(5).copied().collect();
    let expected = [(true, "write"), (true, "sync"), (true, "rename"), (false, "sync"), (true, "write")];
    assert_eq!(first, expected, "header, content, name, directory, first frames: {deeds:?}");
}

#[test]
fn an_opening_after_a_crash_writes_and_syncs_what_no_mark_proves() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open(directory.path(), Durability::Os).unwrap();
    append(&engine, "a", &Condition::any()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let name = "0000000001.segment";
    std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    let (_engine, plan) = open(copy.path(), Durability::Os).unwrap();
    let deeds = plan.deeds_to(name);
    assert!(deeds.ends_with(&["write", "sync"]), "a sync may have failed before the crash: {deeds:?}");
}

/// Changes the last transaction in a segment's bytes and makes its checksums valid again.
fn change_last(bytes: &mut [u8], change: impl FnOnce(&mut [u8])) {
    let header = SegmentHeader::decode(bytes).unwrap();
    let (mut at, mut last) = (4_096, 4_096);
    while let Some(frame) = FrameHeader::decode(&bytes[at..]) {
        if frame.kind == Kind::Transaction {
            last = at;
        }
        at += usize::try_from(aligned(u64::from(frame.length))).unwrap();
    }
    let frame = FrameHeader::decode(&bytes[last..]).unwrap();
    let slice = &mut bytes[last..last + frame.length as usize];
    change(slice);
    seal(slice, frame.covered as usize, header.salt, last as u64);
}

#[test]
fn a_whole_frame_that_makes_no_sense_is_corrupt_and_never_cut() {
    let changes: [fn(&mut [u8]); 3] = [|frame| frame[50] = 9, |frame| frame[16] += 1, |frame| frame[44] ^= 1];
    for (index, change) in changes.into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, _) = open(directory.path(), Durability::Os).unwrap();
        append(&engine, "a", &Condition::any()).unwrap();
        append(&engine, "a", &Condition::any()).unwrap();
        let copy = tempfile::tempdir().unwrap();
        let name = "0000000001.segment";
        let mut bytes = std::fs::read(directory.path().join(name)).unwrap();
        change_last(&mut bytes, change);
        std::fs::write(copy.path().join(name), &bytes).unwrap();
        let opened = open(copy.path(), Durability::Os).map(drop);
        assert!(matches!(opened, Err(OpenError::Corrupt(_))), "change {index}: {opened:?}");
        assert_eq!(std::fs::read(copy.path().join(name)).unwrap(), bytes, "nothing was written");
    }
}

#[test]
fn an_interval_beyond_what_the_clock_can_say_is_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open(directory.path(), Durability::Interval(Duration::MAX)).unwrap();
    append(&engine, "a", &Condition::any()).unwrap();
    append(&engine, "a", &Condition::any()).unwrap();
    assert!(engine.poison().is_none());
}

#[test]
fn an_idle_store_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open(directory.path(), Durability::Sync).unwrap();
    append_and_idle(&engine);
    std::thread::sleep(Duration::from_millis(50));
    assert!(!engine.chores.is_asked(), "nothing happened since the watermark, so there is nothing to look at");
}
