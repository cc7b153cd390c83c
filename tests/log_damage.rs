//! Damage to a store's files: found and named, or repaired, and never fewer events in silence.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

mod log_common;

use log_common::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
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

/// Where damage to a byte is to be named: the byte itself, or the beginning of what it is part of.
fn named_at(bytes: &[u8], is_last: bool, offset: usize) -> Vec<u64> {
    let frames = frames(bytes);
    let end = *frames.last().unwrap();
    let part = match offset {
        _ if offset < FRAMES_FROM => 0,
        _ if offset >= end && is_last => end,
        _ if offset >= end => offset,
        _ => *frames.iter().rfind(|frame| **frame <= offset).unwrap(),
    };
    vec![part as u64, offset as u64]
}

/// What a sweep over all bytes found.
#[derive(Debug, Default)]
struct Tally {
    corrupt: u64,
    torn: u64,
    opened: u64,
    refused: u64,
}

/// Flips a byte, and checks what is said of it, and that opening shows all events or refuses.
fn check_flip(path: &Path, expected: &[Row], number: u64, allowed: &[u64], tally: &mut Tally) {
    let (segment, offset) = match verdict(path) {
        Verdict::Clean => panic!("not found"),
        Verdict::Torn { segment, offset, .. } => {
            tally.torn += 1;
            (segment, offset)
        }
        Verdict::Corrupt { segment, offset, .. } => {
            tally.corrupt += 1;
            (segment, offset)
        }
    };
    assert_eq!(segment, number);
    assert!(allowed.contains(&offset), "verify says {offset}, allowed are {allowed:?}");
    match read_only(path) {
        Ok(store) => {
            same(&rows(&store), expected);
            tally.opened += 1;
        }
        Err(OpenError::Corrupt(Corruption { segment, offset, .. })) => {
            assert_eq!(segment, number);
            assert!(allowed.contains(&offset), "opening says {offset}, allowed are {allowed:?}");
            tally.refused += 1;
        }
        Err(other) => panic!("{other}"),
    }
}

/// Whether all is to be tried that there is, rather than a sample.
fn in_full() -> bool {
    std::env::var_os("STRATALOG_FULL").is_some()
}

/// Of a closed store, which has no residue: every 47th byte and some of each frame's header, or all bytes with `STRATALOG_FULL` set, once with all its bits
/// turned and once with one.
#[test]
fn a_flipped_byte_is_found_and_named_and_hides_nothing() {
    let (files, expected) = closed_store();
    let (_dir, path) = place();
    put_files(&path, &files);
    let stride = if in_full() { 1 } else { 47 };
    let mut random = Random(7);
    let mut tally = Tally::default();
    for (number, (name, bytes)) in (1..).zip(&files) {
        let file = fs::OpenOptions::new().write(true).open(path.join(name)).unwrap();
        let is_last = number == files.len() as u64;
        let frames = frames(bytes);
        // Zeros beyond the last frame are all alike: fewer of them do.
        let beyond = frames.last().unwrap() + 512;
        let all_frames = frames.iter().flat_map(|frame| [*frame, frame + 4, frame + 44]);
        let mut offsets: Vec<usize> = (random.below(stride)..bytes.len()).step_by(stride).chain(all_frames).collect();
        offsets.retain(|offset| *offset < beyond.min(bytes.len()) || in_full() || offset % 5 == 0);
        for offset in offsets.into_iter().filter(|offset| *offset < bytes.len()) {
            for mask in [0xff, 1 << random.below(8)] {
                file.write_at(&[bytes[offset] ^ mask], offset as u64).unwrap();
                let context = format!("segment {number}, offset {offset}, mask {mask:#x}");
                let allowed = named_at(bytes, is_last, offset);
                let check = || check_flip(&path, &expected, number, &allowed, &mut tally);
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err() {
                    panic!("{context}");
                }
            }
            file.write_at(&bytes[offset..=offset], offset as u64).unwrap();
        }
    }
    assert_eq!(verdict(&path), Verdict::Clean, "all is as it was");
    println!("{tally:?}");
    assert!(tally.torn > 0 && tally.refused > tally.opened, "{tally:?}");
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
        for length in [0, 1, 127, 128, 4_095, 4_096, 8_192, SMALL as usize - 1, SMALL as usize + 1, SMALL as usize * 2]
        {
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
