//! Tests: what is kept of a segment's parts makes the index of the whole, and what does not fit is not used.

use super::Engine;
use super::fault_tests::{FaultyDisk, Plan, append};
use super::indexing::{Indexed, index_part, index_whole};
use super::live::LiveSegment;
use super::making::{Making, build};
use super::open::open_without_chores;
use crate::disk::RealDisk;
use crate::format::segment_header::SegmentHeader;
use crate::index::PartIndex;
use crate::log::index_name;
use crate::segment::Start;
use crate::vocabulary::condition::Condition;
use crate::vocabulary::options::{Durability, Options};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of a segment: it has four parts or five.
const SEGMENT: u64 = 1 << 20;

/// A store whose chores the test does itself.
fn open(path: &Path) -> (Arc<Engine>, Arc<Plan>) {
    let plan = Arc::new(Plan::default());
    let options = Options::new().durability(Durability::Os).segment_bytes(SEGMENT, SEGMENT);
    let disk = FaultyDisk(RealDisk::new(path).unwrap(), Arc::clone(&plan));
    (open_without_chores(Arc::new(disk), &options).unwrap(), plan)
}

/// Appends to streams of some names by turns until the log has so many parts.
fn fill(engine: &Engine, is_enough: impl Fn(&[Arc<LiveSegment>]) -> bool) {
    let mut number = 0_u64;
    while !is_enough(&engine.horizon.segments()) {
        append(engine, &format!("s-{}", number * number % 37), &Condition::any()).unwrap();
        number += 1;
    }
}

fn index_all(engine: &Engine) {
    while engine.index_next(true, &|| ()).unwrap() == Indexed::One {}
}

fn parts_of(engine: &Engine, number: u64) -> Vec<Arc<LiveSegment>> {
    engine.horizon.segments().iter().filter(|part| part.header.number == number).cloned().collect()
}

fn end_of(part: &LiveSegment) -> u64 {
    *part.sealed_end.get().unwrap()
}

/// What reading all frames gives, of parts that are neighbours.
fn anew(parts: &[Arc<LiveSegment>]) -> Vec<u8> {
    let (first, last) = (parts.first().unwrap(), parts.last().unwrap());
    build(&*first.file, &first.header, &first.start, end_of(last)).unwrap()
}

/// A complete segment, in as many parts as it was written in.
fn complete(path: &Path) -> (Arc<Engine>, Vec<Arc<LiveSegment>>) {
    let (engine, _) = open(path);
    fill(&engine, |parts| parts.last().unwrap().header.number == 2);
    let parts = parts_of(&engine, 1);
    assert!(parts.len() > 3, "{} parts", parts.len());
    (engine, parts)
}

#[test]
fn the_frames_of_parts_that_have_indexes_are_not_read_again_when_their_segment_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path());
    for parts in 2..=4 {
        fill(&engine, |found| found.len() == parts);
        index_all(&engine);
    }
    fill(&engine, |parts| parts.last().unwrap().header.number == 2);
    let parts = parts_of(&engine, 1);
    assert_eq!(parts.iter().filter(|part| matches!(part.index(), PartIndex::Sealed(_))).count(), 3);
    let before = plan.read.load(Ordering::Relaxed);
    index_all(&engine);
    let read = plan.read.load(Ordering::Relaxed) - before;
    assert!(read < SEGMENT * 3 / 8, "{read} bytes were read of a segment of {SEGMENT}");
    let file = std::fs::read(directory.path().join(index_name(1, parts[0].start.offset))).unwrap();
    assert_eq!(file, anew(&parts), "{read} bytes read");
    assert_eq!(parts_of(&engine, 1).len(), 1);
    assert!(engine.indexing.lock().is_none(), "nothing of it is kept");
    engine.close().unwrap();
}

#[test]
fn every_part_and_the_whole_get_what_reading_them_gives() {
    let directory = tempfile::tempdir().unwrap();
    let (_engine, parts) = complete(directory.path());
    // Without the part of this number, whose index could not be made.
    for missing in 0..=parts.len() {
        let mut kept = None;
        for (_, part) in parts.iter().enumerate().filter(|(number, _)| *number != missing) {
            let made = index_part(&mut kept, part, end_of(part), &|| ()).unwrap();
            assert_eq!(made, anew(std::slice::from_ref(part)), "without {missing}");
        }
        assert_eq!(kept.is_some(), missing > 0, "what does not begin the segment is not kept");
        let end = end_of(parts.last().unwrap());
        assert_eq!(index_whole(kept, &parts[0], end, &|| ()).unwrap(), anew(&parts), "without {missing}");
    }
}

#[test]
fn what_is_kept_of_something_else_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let (_engine, parts) = complete(directory.path());
    let (first, second, end) = (&parts[0], &parts[1], end_of(parts.last().unwrap()));
    let kept = |header: &SegmentHeader, start: &Start, part: Option<&LiveSegment>| {
        let mut making = Making::new(&first.header, start);
        part.iter().for_each(|part| making.read_on(&*part.file, end_of(part), &|| ()).unwrap());
        making.relabel(header);
        Some(Box::new(making))
    };
    let header = |number: u64, salt: u64| {
        let SegmentHeader { number: of, salt: with, .. } = first.header;
        SegmentHeader { number: of + number, salt: with + salt, ..first.header.clone() }
    };
    for other in [header(1, 0), header(0, 1)] {
        let mut of_other = kept(&other, &first.start, Some(first));
        assert_eq!(index_whole(of_other.take(), first, end, &|| ()).unwrap(), anew(&parts));
        let mut of_other = kept(&other, &first.start, Some(first));
        assert_eq!(index_part(&mut of_other, second, end_of(second), &|| ()).unwrap(), anew(&parts[1..2]));
        assert!(of_other.is_none(), "it is of another segment than what is indexed now");
    }
    // Of this segment, from its middle on, or further than it goes.
    let later = kept(&first.header, &second.start, Some(second));
    assert_eq!(index_whole(later, first, end, &|| ()).unwrap(), anew(&parts));
    let further = kept(&first.header, &first.start, Some(second));
    assert_eq!(index_whole(further, first, end_of(first), &|| ()).unwrap(), anew(&parts[..1]));
}

#[test]
fn nothing_is_kept_after_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let (_engine, parts) = complete(directory.path());
    let mut kept = None;
    index_part(&mut kept, &parts[0], end_of(&parts[0]), &|| ()).unwrap();
    assert!(kept.is_some());
    // No frame ends there.
    index_part(&mut kept, &parts[1], end_of(&parts[1]) - 8, &|| ()).unwrap_err();
    assert!(kept.is_none());
}

#[test]
fn nothing_is_kept_by_a_store_that_is_poisoned_or_closed() {
    for poisoned in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (engine, plan) = open(directory.path());
        fill(&engine, |parts| parts.len() == 2);
        index_all(&engine);
        assert!(engine.indexing.lock().is_some());
        if poisoned {
            append(&engine, "s", &Condition::any()).unwrap();
            plan.sync.store(true, Ordering::Relaxed);
            engine.sync().unwrap_err();
            index_all(&engine);
        } else {
            engine.close().unwrap();
        }
        assert!(engine.indexing.lock().is_none(), "poisoned: {poisoned}");
    }
}
