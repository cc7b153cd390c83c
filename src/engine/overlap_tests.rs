//! Tests: what happens at once with an append or a close, or at a moment that nobody expects.

use super::Engine;
use super::fault_tests::{FaultyDisk, Plan, append, count, open};
use super::housekeeping::Chore;
use super::open::open_on;
use crate::disk::{Disk, RealDisk};
use crate::vocabulary::append::{Append, AppendPart};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::condition::Condition;
use crate::vocabulary::error::{AppendError, OpenError, ReadError};
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::options::{Durability, OpenMode, Options};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

/// A store of one long segment, in `Sync`, whose disk does what a test says.
fn open_wide(path: &Path, options: Options) -> (Arc<Engine>, Arc<Plan>) {
    let plan = Arc::new(Plan::default());
    let disk = FaultyDisk(RealDisk::new(path).unwrap(), Arc::clone(&plan));
    (open_on(Arc::new(disk), &options.segment_bytes(16 << 20, 16 << 20)).unwrap(), plan)
}

/// Stages a transaction with an id, as another thread has it that waits for its sync.
fn stage(engine: &Engine, id: &str) {
    let (stream, events, any) = (Stream::new("c", "s"), [NewEvent::empty("e")], Condition::any());
    let (attributes, parts) = (Attributes::new(), [AppendPart::new(&stream, &events, &any)]);
    let id = id.into();
    let append = Append { id: Some(&id), ..Append::new(&attributes, &parts) };
    engine.judge_and_stage(&append).unwrap().0.unwrap();
}

#[test]
fn a_transaction_that_is_only_staged_is_not_there_yet() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    stage(&engine, "t");
    assert!(engine.transaction("t").unwrap().is_none());
    plan.sync.store(true, Ordering::Relaxed);
    assert!(append(&engine, "a", &Condition::any()).unwrap_err().is_unknown());
    assert!(engine.transaction("t").unwrap().is_none(), "nor after its sync failed");
}

/// Zeros that are written later would be over what the next one to open the store has appended by then.
#[test]
fn a_store_is_not_closed_while_a_file_is_warmed() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open_wide(directory.path(), Options::new().durability(Durability::Os));
    plan.warm_waits.store(true, Ordering::Relaxed);
    engine.ask_warm();
    while !plan.warming.load(Ordering::Acquire) {
        sleep(MILLISECOND);
    }
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| engine.close());
        sleep(50 * MILLISECOND);
        assert!(!closing.is_finished() && open_on_again(directory.path()).is_err(), "it is somebody's still");
        plan.warm_waits.store(false, Ordering::Relaxed);
        closing.join().unwrap().unwrap();
    });
    open_on_again(directory.path()).unwrap().close().unwrap();
}

fn open_on_again(path: &Path) -> Result<Arc<Engine>, OpenError> {
    open_on(Arc::new(RealDisk::new(path).unwrap()), &Options::new())
}

#[test]
fn no_two_sync_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open_wide(directory.path(), Options::new());
    plan.slow.store(1, Ordering::Relaxed);
    std::thread::scope(|scope| {
        let appending = scope.spawn(|| {
            for _ in 0..100 {
                append(&engine, "a", &Condition::any()).unwrap();
                // An idle store writes a watermark, which the next `sync()` finds not synced.
                engine.do_chore(Chore::Watermark);
                engine.do_chore(Chore::Watermark);
            }
        });
        while !appending.is_finished() {
            engine.sync().unwrap();
        }
    });
    assert_eq!(plan.at_once_most.load(Ordering::SeqCst), 1, "one of two would not be told of what was lost");
}

#[test]
fn a_leader_writes_nothing_after_a_failure_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    stage(&engine, "t");
    let batch = engine.take_seat().unwrap().take_batch().unwrap();
    engine.set_poison("a sync failed");
    let deeds = plan.deeds_to("0000000001.segment");
    engine.commit_batch(&batch);
    assert_eq!(plan.deeds_to("0000000001.segment"), deeds);
    assert_eq!(engine.revision(), 0);
}

#[test]
fn an_append_from_a_destructor_of_a_thread_that_panics_is_an_append() {
    struct Farewell<'a>(&'a Engine);
    impl Drop for Farewell<'_> {
        fn drop(&mut self) {
            append(self.0, "a", &Condition::any()).unwrap();
        }
    }
    for durability in [Durability::Sync, Durability::Os] {
        let directory = tempfile::tempdir().unwrap();
        let (engine, _) = open(directory.path(), durability).unwrap();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _farewell = Farewell(&engine);
            panic!("the job failed");
        }));
        assert!(panicked.is_err());
        assert_eq!((engine.poison(), count(&engine)), (None, 1), "{durability:?}");
        append(&engine, "a", &Condition::any()).unwrap();
    }
}

#[test]
fn a_watermark_waits_for_the_leader_that_stands_between_durable_and_visible() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open(directory.path(), Durability::Sync).unwrap();
    stage(&engine, "t");
    let (place, revision) = {
        let seat = engine.take_seat().unwrap();
        (seat.place(), seat.sequence)
    };
    engine.set_durable(place, revision);
    for _ in 0..3 {
        engine.do_chore(Chore::Watermark);
    }
    assert_eq!(engine.revision(), 0, "only its leader publishes a batch");
}

#[test]
fn reads_are_verified_once_the_store_is_poisoned_though_it_was_opened_not_to() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open_wide(directory.path(), Options::new().durability(Durability::Os).verify_reads(false));
    append(&engine, "a", &Condition::any()).unwrap();
    engine.set_poison("a sync failed");
    let file = directory.path().join("0000000001.segment");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(8).rposition(|window| window == [7; 8]).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let read = engine.latest(&Stream::new("c", "a").into());
    assert!(matches!(read, Err(ReadError::Corrupt(_))), "{read:?}");
}

#[test]
fn who_closes_second_waits_for_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open(directory.path(), Durability::Sync).unwrap();
    append(&engine, "a", &Condition::any()).unwrap();
    std::thread::scope(|scope| {
        // The first one stops where it would remove the prepared segment.
        let prepared = engine.prepared.lock();
        let first = scope.spawn(|| engine.close());
        while !engine.closed.load(Ordering::Acquire) {
            sleep(MILLISECOND);
        }
        let second = scope.spawn(|| engine.close());
        sleep(50 * MILLISECOND);
        assert!(!second.is_finished(), "the store is still locked");
        drop(prepared);
        second.join().unwrap().unwrap();
        assert!(RealDisk::new(directory.path()).unwrap().lock().unwrap().is_some(), "closed, so it can be opened");
        first.join().unwrap().unwrap();
    });
}

#[test]
fn a_store_that_has_lost_its_lock_file_leaves_the_files_to_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let (first, _) = open(directory.path(), Durability::Os).unwrap();
    append(&first, "a", &Condition::any()).unwrap();
    first.prepare_next(1);
    std::fs::remove_file(directory.path().join("LOCK")).unwrap();
    let (second, _) = open(directory.path(), Durability::Os).unwrap();
    for _ in 0..60 {
        append(&second, "a", &Condition::any()).unwrap();
    }
    let closed = first.close();
    assert!(matches!(closed, Err(AppendError::Poisoned { .. })), "{closed:?}");
    second.close().unwrap();
    let (third, _) = open(directory.path(), Durability::Os).unwrap();
    assert_eq!(count(&third), 61);
}

#[test]
fn a_store_that_came_between_is_not_new() {
    let directory = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::new(directory.path()).unwrap());
    let new = Options::new().mode(OpenMode::CreateNew);
    open_on(disk(), &new).unwrap().close().unwrap();
    let again = open_on(disk(), &new);
    assert!(matches!(again, Err(OpenError::AlreadyExists { .. })), "{again:?}");
}
