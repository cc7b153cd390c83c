//! Damage to a store's files on a real disk: found and named, or repaired.
//!
//! The sweep over every byte is in memory, in `src/testing/torture/damage.rs`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use stratalog::{Corruption, EventStore, OpenError, OpenMode, Verdict};

type Files = BTreeMap<String, Vec<u8>>;

/// A store of three segments, closed in good order: its files and what it holds. The same one at each call.
fn closed_store() -> (Files, Vec<Row>) {
    static STORE: LazyLock<(Files, Vec<Row>)> = LazyLock::new(make_closed_store);
    STORE.clone()
}

fn make_closed_store() -> (Files, Vec<Row>) {
    let (_dir, path) = place();
    let store = open(&path, small());
    fill(&store, 50);
    assert_eq!(store.stats().unwrap().segments, 3);
    let rows = rows(&store);
    store.close().unwrap();
    assert_eq!(verdict(&path), Verdict::Clean);
    (files(&path), rows)
}

fn read_only(path: &Path) -> Result<EventStore, OpenError> {
    EventStore::open_with(path, small().mode(OpenMode::ReadOnly))
}

/// Opening for writing comes to the same verdict as reading, leaves a corrupt store exactly as it is, and repairs a torn one.
#[test]
fn an_opening_for_writing_repairs_what_is_torn_and_leaves_what_is_corrupt() {
    let (files, expected) = closed_store();
    let (_dir, path) = place();
    let mut random = Random(11);
    let (mut refused, mut repaired) = (0, 0);
    for round in 0..90 {
        let name = segment(1 + round % 3);
        let mut damaged = files.clone();
        let bytes = damaged.get_mut(&name).unwrap();
        let end = *frames(bytes).last().unwrap();
        let at = if round % 5 == 0 { random.below(bytes.len()) } else { FRAMES_FROM + random.below(end - FRAMES_FROM) };
        bytes[at] ^= 1 << random.below(8);
        put_files(&path, &damaged);
        let before = verdict(&path);
        match EventStore::open_with(&path, small()) {
            Err(OpenError::Corrupt(_)) => {
                refused += 1;
                assert!(matches!(before, Verdict::Corrupt { .. }));
                assert_eq!(log_common::files(&path), damaged, "what is corrupt stays as it is");
            }
            Ok(store) => {
                repaired += 1;
                same(&rows(&store), &expected);
                let was_torn = matches!(before, Verdict::Torn { .. });
                drop(store);
                assert_eq!(verdict(&path) == Verdict::Clean, was_torn, "a byte that nobody needs stays as it is");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 50 && repaired > 5, "{refused} {repaired}");
}

/// Damages the files of a closed store, and checks that both opening and verifying name this segment, and change nothing.
fn must_be_corrupt(damage: impl FnOnce(&mut Files), number: u64) {
    let (mut files, _) = closed_store();
    damage(&mut files);
    let (_dir, path) = place();
    put_files(&path, &files);
    for mode in [OpenMode::ReadOnly, OpenMode::CreateIfMissing, OpenMode::Existing] {
        let error = refused(&path, small().mode(mode));
        let OpenError::Corrupt(Corruption { segment, what, .. }) = &error else { panic!("{error}") };
        assert_eq!(*segment, number, "{what}");
    }
    assert!(matches!(verdict(&path), Verdict::Corrupt { segment, .. } if segment == number), "{:?}", verdict(&path));
    assert_eq!(log_common::files(&path), files);
}

#[test]
fn a_truncated_or_lengthened_segment_is_corrupt() {
    for number in 1..=3 {
        for length in [0, 1, 127, 128, 4_095, 4_096, 8_192, SMALL_LENGTH - 1, SMALL_LENGTH + 1, SMALL_LENGTH * 2] {
            must_be_corrupt(|files| files.get_mut(&segment(number)).unwrap().resize(length, 0), number);
        }
    }
}

#[test]
fn a_missing_segment_is_corrupt() {
    must_be_corrupt(|files| drop(files.remove(&segment(1))), 1);
    must_be_corrupt(|files| drop(files.remove(&segment(2))), 2);
}

/// The stated limit: without its last segment a store looks exactly as it did before that segment was begun, and nothing in the
/// segments before can say otherwise.
#[test]
fn a_missing_last_segment_cannot_be_told_from_an_earlier_moment() {
    let (mut files, expected) = closed_store();
    files.remove(&segment(3));
    let (_dir, path) = place();
    put_files(&path, &files);
    let found = rows(&read_only(&path).unwrap());
    same(&found, &expected[..found.len()]);
    assert!(found.len() < expected.len());
}

#[test]
fn swapped_and_repeated_segments_are_corrupt() {
    let swap = |files: &mut Files, a, b| {
        let (first, second) = (files.remove(&segment(a)).unwrap(), files.remove(&segment(b)).unwrap());
        files.insert(segment(a), second);
        files.insert(segment(b), first);
    };
    must_be_corrupt(|files| swap(files, 1, 2), 1);
    must_be_corrupt(|files| swap(files, 2, 3), 2);
    for number in 1..=3 {
        let copy = |files: &mut Files, to| drop(files.insert(segment(to), files[&segment(number)].clone()));
        must_be_corrupt(|files| copy(files, 4), 4);
        must_be_corrupt(|files| copy(files, 9), 4);
    }
}

#[test]
fn a_segment_of_another_store_is_corrupt() {
    let (other, _) = make_closed_store();
    for number in 2..=3 {
        must_be_corrupt(|files| drop(files.insert(segment(number), other[&segment(number)].clone())), number);
    }
    // Of a first segment that does not belong, the second one tells.
    must_be_corrupt(|files| drop(files.insert(segment(1), other[&segment(1)].clone())), 2);
}

/// Frames of the same segment at another place, and of another segment at the same place.
#[test]
fn misplaced_frames_do_not_pass() {
    let (whole, _) = closed_store();
    let starts = frames(&whole[&segment(2)]);
    let (first, second, third) = (starts[1], starts[2], starts[3]);
    let moved = |files: &mut Files| files.get_mut(&segment(2)).unwrap().copy_within(first..second, second);
    must_be_corrupt(moved, 2);
    let foreign = whole[&segment(1)][first..third].to_vec();
    must_be_corrupt(|files| files.get_mut(&segment(2)).unwrap()[first..third].copy_from_slice(&foreign), 2);
}

#[test]
fn zeros_over_a_part_of_a_closed_store_are_corrupt() {
    for number in 1..=3 {
        let (whole, _) = closed_store();
        let starts = frames(&whole[&segment(number)]);
        for index in 1..starts.len().min(6) - 2 {
            must_be_corrupt(
                |files| files.get_mut(&segment(number)).unwrap()[starts[index]..starts[index + 1]].fill(0),
                number,
            );
        }
    }
}
