//! Salvaging damaged stores: all that was not hit is in the new one, and what is not is listed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;
use stratalog::{
    Error, EventStore, Keep, OpenError, OpenMode, Options, SalvageReport, SystemRecord, Verdict, Why, salvage,
    transaction,
};

type Files = BTreeMap<String, Vec<u8>>;

/// A store of three segments, closed in good order, with system records and strict names: its files and what it holds.
fn store() -> (Files, Vec<Row>) {
    static STORE: LazyLock<(Files, Vec<Row>)> = LazyLock::new(|| make(true));
    STORE.clone()
}

fn make(closed: bool) -> (Files, Vec<Row>) {
    let (_dir, path) = place();
    let store = open(&path, small().strict_names(false));
    store.append(transaction().record(SystemRecord::set("app", "kept", b"1".as_slice()))).unwrap();
    fill(&store, 50);
    assert_eq!(store.stats().unwrap().segments, 3);
    let rows = rows(&store);
    if closed {
        store.close().unwrap();
    }
    (files(&path), rows)
}

/// A frame of a store's files: where it stands and which events it holds.
#[derive(Debug, Clone)]
struct FrameAt {
    segment: u64,
    bytes: Range<usize>,
    numbers: Range<u64>,
}

fn all_frames(files: &Files) -> Vec<FrameAt> {
    let mut found = Vec::new();
    for (segment, bytes) in (1..).zip(files.values()) {
        for window in frames(bytes).windows(2) {
            let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let first = u64::from(number(window[0] + 16));
            let numbers = first..first + u64::from(number(window[0] + 12));
            found.push(FrameAt { segment, bytes: window[0]..window[1], numbers });
        }
    }
    found
}

struct Salvaged {
    report: SalvageReport,
    rows: Vec<Row>,
    record: Option<Vec<u8>>,
}

/// Salvages a store of these files, which must not change, into one that must be clean.
fn salvaged(files: &Files, keep: Keep) -> Salvaged {
    let (dir, path) = place();
    put_files(&path, files);
    fs::write(path.join("LOCK"), "7\n").unwrap();
    let new = dir.path().join("new");
    let report = salvage(&path, &new, keep, &mut |_| ()).unwrap();
    assert_eq!(log_common::files(&path), *files, "salvaging changed the store");
    assert_eq!(fs::read(path.join("LOCK")).unwrap(), b"7\n", "salvaging wrote into the lock file");
    assert!(!dir.path().join("new.incomplete").exists());
    assert_eq!(verdict(&new), Verdict::Clean);
    let store = EventStore::open_with(&new, Options::new().mode(OpenMode::ReadOnly)).unwrap();
    let rows = rows(&store);
    assert_eq!(report.events, rows.len() as u64);
    assert_eq!(report.kept.iter().map(|kept| kept.events).sum::<u64>(), report.events);
    assert_eq!(report.kept.iter().map(|kept| kept.transactions).sum::<u64>(), report.transactions);
    Salvaged { report, rows, record: store.record("app", "kept").unwrap().map(|value| value.to_vec()) }
}

/// What is left of these events without some, numbered anew.
fn without(expected: &[Row], lost: &[Range<u64>]) -> Vec<Row> {
    let mut next: BTreeMap<(String, String), u64> = BTreeMap::new();
    let left = expected.iter().filter(|row| lost.iter().all(|lost| !lost.contains(&row.number)));
    let numbered = (0..).zip(left).map(|(number, row)| {
        let position = next.entry((row.category.clone(), row.stream.clone())).or_default();
        *position += 1;
        Row { number, position: *position - 1, ..row.clone() }
    });
    numbered.collect()
}

/// Damages a store, salvages it, and checks that exactly the events of `lost` are gone and reported.
fn loses(damage: impl FnOnce(&mut Files), lost: &[Range<u64>]) -> SalvageReport {
    let (mut files, expected) = store();
    damage(&mut files);
    let found = salvaged(&files, Keep::Provable);
    same(&found.rows, &without(&expected, lost));
    let missing = found.report.missing.iter().map(|missing| missing.first..missing.last + 1);
    let end = expected.len() as u64;
    // What stood behind the last one copied, nothing tells: no frame behind it says a number.
    let reported: Vec<Range<u64>> = lost.iter().filter(|lost| lost.end < end && !lost.is_empty()).cloned().collect();
    assert_eq!(missing.collect::<Vec<_>>(), reported, "{:?}", found.report);
    assert!(!found.report.is_complete());
    found.report
}

#[test]
fn an_undamaged_store_is_copied_whole() {
    let (files, expected) = store();
    for keep in [Keep::Provable, Keep::Prefix] {
        let found = salvaged(&files, keep);
        same(&found.rows, &expected);
        assert_eq!(found.record.as_deref(), Some(b"1".as_slice()));
        assert!(
            found.report.is_complete() && found.report.closed && found.report.kept.len() == 1,
            "{:?}",
            found.report
        );
    }
}

/// Of every frame some bytes, and of each header.
#[test]
fn a_flipped_byte_costs_its_own_frame_alone() {
    let (files, _) = store();
    let mut random = Random(3);
    for (index, frame) in all_frames(&files).into_iter().enumerate() {
        // All of them, on a disk that syncs, take longer than a test should. The sweep in memory tries more.
        if index % 4 != 0 && !frame.numbers.is_empty() {
            continue;
        }
        // Not in the padding, of which no byte belongs to the frame.
        let length = frame.bytes.len() - 8;
        let at = frame.bytes.start + random.below(length);
        let flip = |files: &mut Files| files.get_mut(&segment(frame.segment)).unwrap()[at] ^= 1 << random.below(8);
        let report = loses(flip, std::slice::from_ref(&frame.numbers));
        let [dropped] = &report.dropped[..] else { panic!("{frame:?}: {report:?}") };
        let bytes = usize::try_from(dropped.from).unwrap()..usize::try_from(dropped.to).unwrap();
        assert_eq!((dropped.segment, bytes.start), (frame.segment, frame.bytes.start), "{report:?}");
        assert!(bytes.end.next_multiple_of(8) == frame.bytes.end, "{frame:?}: {report:?}");
    }
}

/// The numbers of all events in these segments.
fn numbers_in(files: &Files, segments: &[u64]) -> Range<u64> {
    let frames: Vec<FrameAt> =
        all_frames(files).into_iter().filter(|frame| segments.contains(&frame.segment)).collect();
    frames.first().unwrap().numbers.start..frames.last().unwrap().numbers.end
}

#[test]
fn a_segment_that_is_gone_costs_its_own_events() {
    let (files, _) = store();
    for number in 1..=3 {
        let lost = numbers_in(&files, &[number]);
        if number < 3 {
            let removed = loses(|files| drop(files.remove(&segment(number))), std::slice::from_ref(&lost));
            assert!(removed.closed && removed.dropped[0].what == "the segment is missing", "{removed:?}");
        } else {
            // The newest file leaves no trace but that the last frame does not close the store.
            let (mut files, expected) = store();
            files.remove(&segment(number));
            let found = salvaged(&files, Keep::Provable);
            same(&found.rows, &expected[..usize::try_from(lost.start).unwrap()]);
            assert!(!found.report.closed && found.report.is_complete(), "{:?}", found.report);
        }
        let header = |files: &mut Files| files.get_mut(&segment(number)).unwrap()[60] ^= 1;
        let report = loses(header, std::slice::from_ref(&lost));
        let [dropped] = &report.dropped[..] else { panic!("{report:?}") };
        assert_eq!((dropped.segment, dropped.from, dropped.to), (number, 0, SMALL));
        assert!(dropped.what.contains("no frame proves itself without it"), "{dropped:?}");
        assert_eq!(report.settings_lost, number == 1);
        let (other, _) = make(true);
        let foreign = |files: &mut Files| drop(files.insert(segment(number), other[&segment(number)].clone()));
        let report = loses(foreign, &[lost]);
        assert!(report.dropped.iter().any(|dropped| dropped.what.contains("another store")), "{report:?}");
    }
    let lost = numbers_in(&files, &[1, 2]);
    let report = loses(|files| files.retain(|name, _| *name == segment(3)), &[lost]);
    assert_eq!(report.dropped[0].what, "the segments 1 to 2 are missing");
}

#[test]
fn files_under_wrong_names_are_read_as_what_they_are() {
    let (files, expected) = store();
    let mut swapped = files.clone();
    swapped.insert(segment(1), files[&segment(2)].clone());
    swapped.insert(segment(2), files[&segment(1)].clone());
    let found = salvaged(&swapped, Keep::Provable);
    same(&found.rows, &expected);
    assert!(found.report.is_complete());
    // Of two files of one segment, the one under the right name counts.
    let twice = loses(|files| drop(files.insert(segment(4), files[&segment(2)].clone())), &[]);
    assert_eq!((twice.dropped[0].segment, twice.dropped[0].to), (4, SMALL));
}

#[test]
fn a_file_that_was_cut_keeps_what_is_left() {
    let (files, _) = store();
    for number in 1..=3 {
        let frames: Vec<FrameAt> = all_frames(&files).into_iter().filter(|frame| frame.segment == number).collect();
        let cut = &frames[frames.len() / 2];
        let lost = cut.numbers.start..frames.last().unwrap().numbers.end;
        let truncate = |files: &mut Files| files.get_mut(&segment(number)).unwrap().truncate(cut.bytes.start + 20);
        let report = loses(truncate, &[lost]);
        assert!(report.dropped.iter().any(|dropped| dropped.to == SMALL && dropped.what.contains("made with more")));
    }
    let longer = loses(|files| files.get_mut(&segment(2)).unwrap().resize(SMALL_LENGTH + 9, 1), &[]);
    assert_eq!((longer.dropped[0].from, longer.dropped[0].to), (SMALL, SMALL + 9));
}

/// Several frames zeroed, in the middle of a segment, at its end, and across two: what is left on both sides is kept.
#[test]
fn zeros_and_copies_over_frames_cost_those_frames() {
    let (files, _) = store();
    let frames = all_frames(&files);
    let second: Vec<&FrameAt> = frames.iter().filter(|frame| frame.segment == 2).collect();
    let end = second.len();
    for range in [3..6, end - 3..end] {
        let lost = second[range.start].numbers.start..second[range.end - 1].numbers.end;
        let bytes = second[range.start].bytes.start..second[range.end - 1].bytes.end;
        let zero = |files: &mut Files| files.get_mut(&segment(2)).unwrap()[bytes.clone()].fill(0);
        let report = loses(zero, std::slice::from_ref(&lost));
        let [dropped] = &report.dropped[..] else { panic!("{report:?}") };
        assert_eq!((dropped.from, dropped.to), (bytes.start as u64, bytes.end as u64));
        let misdirected = |files: &mut Files| {
            let copy = files[&segment(1)][bytes.clone()].to_vec();
            files.get_mut(&segment(2)).unwrap()[bytes.clone()].copy_from_slice(&copy);
        };
        loses(misdirected, &[lost]);
    }
    let (a, b) = (&frames[8], &second[4]);
    let both = |files: &mut Files| {
        for frame in [a, b] {
            files.get_mut(&segment(frame.segment)).unwrap()[frame.bytes.start + 50] ^= 0xff;
        }
    };
    let report = loses(both, &[a.numbers.clone(), b.numbers.clone()]);
    assert_eq!((report.dropped.len(), report.kept.len()), (2, 3));
    assert_eq!((report.kept[1].first_before, report.kept[1].first_now), (a.numbers.end, a.numbers.start));
}

#[test]
fn a_prefix_ends_before_the_first_damage_and_keeps_its_numbers() {
    let (mut files, expected) = store();
    let frame = all_frames(&files).into_iter().find(|frame| frame.segment == 2 && !frame.numbers.is_empty()).unwrap();
    files.get_mut(&segment(2)).unwrap()[frame.bytes.start + 9] ^= 4;
    let found = salvaged(&files, Keep::Prefix);
    same(&found.rows, &expected[..usize::try_from(frame.numbers.start).unwrap()]);
    assert!(found.report.dropped.iter().all(|dropped| dropped.why == Why::BehindDamage), "{:?}", found.report);
    let [missing] = &found.report.missing[..] else { panic!("{:?}", found.report) };
    assert_eq!((missing.first, missing.last + 1), (frame.numbers.start, expected.len() as u64));
}

/// What opening for writing would keep is kept, and what it would remove is listed as unfinished.
#[test]
fn a_torn_tail_is_cut_as_opening_cuts_it() {
    let (mut files, expected) = make(false);
    let frames = all_frames(&files);
    // Not synced since the last segment was begun: whole frames behind it prove nothing.
    let torn = frames.iter().filter(|frame| !frame.numbers.is_empty()).nth_back(3).unwrap();
    assert_eq!(torn.segment, 3);
    files.get_mut(&segment(3)).unwrap()[torn.bytes.start + 50] ^= 1;
    let found = salvaged(&files, Keep::Provable);
    same(&found.rows, &expected[..usize::try_from(torn.numbers.start).unwrap()]);
    let [dropped] = &found.report.dropped[..] else { panic!("{:?}", found.report) };
    assert_eq!((dropped.why, dropped.from), (Why::Unfinished, torn.bytes.start as u64));
    assert!(found.report.missing.is_empty());
    let (_dir, path) = place();
    put_files(&path, &files);
    same(&found.rows, &rows(&EventStore::open_with(&path, small()).unwrap()));
}

fn refusal(from: &Path, to: &Path) -> OpenError {
    match salvage(from, to, Keep::Provable, &mut |_| ()) {
        Err(Error::Open(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_salvage_never_overwrites_and_needs_the_store_for_itself() {
    let (dir, path) = place();
    let new = dir.path().join("new");
    assert!(matches!(refusal(&path, &new), OpenError::NotFound { .. }));
    fs::create_dir(&path).unwrap();
    assert!(matches!(refusal(&path, &new), OpenError::NotFound { .. }));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "what is no store stays as it is");
    let store = open(&path, small());
    assert!(matches!(refusal(&path, &new), OpenError::AlreadyOpen { process: Some(_), .. }));
    store.close().unwrap();
    assert!(refusal(&path, &path.join("inside")).to_string().contains("would lie in the store"));
    assert!(refusal(&path, &path).to_string().contains("would lie in the store"));
    fs::create_dir(dir.path().join("new.incomplete")).unwrap();
    assert!(refusal(&path, &new).to_string().contains("did not come to its end"));
    fs::remove_dir(dir.path().join("new.incomplete")).unwrap();
    fs::write(&new, "a file").unwrap();
    assert!(refusal(&path, &new).to_string().contains("exists already"));
    fs::remove_file(&new).unwrap();
    salvage(&path, &new, Keep::Provable, &mut |_| ()).unwrap();
    assert!(refusal(&path, &new).to_string().contains("exists already"));
}

#[test]
fn verifying_writes_nothing_into_the_lock_file() {
    let (files, _) = store();
    let (_dir, path) = place();
    put_files(&path, &files);
    for content in ["", "7\n"] {
        fs::write(path.join("LOCK"), content).unwrap();
        assert_eq!(verdict(&path), Verdict::Clean);
        assert_eq!(fs::read_to_string(path.join("LOCK")).unwrap(), content);
    }
    let open = open(&path, small());
    let refused = stratalog::verify(&path, &mut |_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::AlreadyOpen { process: Some(_), .. }), "{refused}");
    drop(open);
}

#[test]
fn strict_names_stay_strict() {
    for strict in [true, false] {
        let (dir, path) = place();
        open(&path, small().strict_names(strict)).close().unwrap();
        let new = dir.path().join("new");
        assert!(salvage(&path, &new, Keep::Provable, &mut |_| ()).unwrap().is_complete());
        let conflict = refused(&new, Options::new().strict_names(!strict));
        assert!(matches!(conflict, OpenError::SettingConflict { .. }), "{conflict}");
    }
}
