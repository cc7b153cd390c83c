//! Tests: indexes that cannot be written into files stay in memory, and are written once there is room.

use super::Engine;
use super::fault_tests::{append, count, open};
use super::indexing::UNINDEXED_MOST;
use crate::vocabulary::condition::Condition;
use crate::vocabulary::options::Durability;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Appends until the log has so many segments.
fn fill(engine: &Engine, segments: usize) {
    while engine.horizon.segments().last().unwrap().header.number < segments as u64 {
        append(engine, "a", &Condition::any()).unwrap();
    }
}

/// Waits until so many complete segments have no index file, and none has an index that was filled.
fn settle(engine: &Engine, unindexed: usize) {
    let begun = Instant::now();
    let found = || (engine.unindexed_segments(), engine.unsealed_segments());
    while found() != (unindexed, 0) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}, not yet {unindexed}", found());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_full_disk_keeps_indexes_in_memory_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Os).unwrap();
    plan.create_index.store(true, Ordering::Relaxed);
    fill(&engine, 12);
    settle(&engine, 11);
    let events = count(&engine);
    let tries = plan.tries.load(Ordering::Relaxed);
    assert!(tries < 11 * 12, "{tries} tries for 11 segments: each rotation tries few");
    plan.create_index.store(false, Ordering::Relaxed);
    // A segment that could be made shows that there is room.
    fill(&engine, 13);
    settle(&engine, 0);
    assert!(count(&engine) > events);
    engine.close().unwrap();
    let (again, _) = open(directory.path(), Durability::Os).unwrap();
    assert_eq!(again.unindexed_segments(), 0);
}

/// What opening has made of segments without index files is written as it is, and not made again.
#[test]
fn what_opening_has_indexed_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open(directory.path(), Durability::Os).unwrap();
    fill(&engine, 8);
    let events = count(&engine);
    engine.close().unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "index") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (engine, plan) = open(directory.path(), Durability::Os).unwrap();
    assert!(engine.unsealed_segments() <= UNINDEXED_MOST, "the others were turned into what their files hold");
    settle(&engine, 0);
    assert_eq!((count(&engine), plan.tries.load(Ordering::Relaxed)), (events, 7));
}
