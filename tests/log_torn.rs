//! Tails that a crash has torn: opened at a whole transaction, the same each time, and the log goes on from there.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::collections::BTreeMap;
use std::path::Path;
use stratalog::{Durability, EventStore, OpenError, OpenMode, Options, Verdict};

type Files = BTreeMap<String, Vec<u8>>;

/// Big enough that no part of what is written is complete, which would get it synced.
fn wide() -> Options {
    small().segment_bytes(64 << 10, 1 << 20)
}

/// A store of one segment, nothing of which was synced since it was opened: its files and what it holds.
fn unsynced_store(count: u64) -> (Files, Vec<Row>) {
    let (_dir, path) = place();
    let store = open(&path, wide());
    fill(&store, count);
    assert_eq!(store.stats().unwrap().segments, 1);
    let mut files = files(&path);
    files.retain(|name, _| *name == segment(1));
    (files, rows(&store))
}

/// Opens a damaged store, which must hold whole transactions from the beginning and nothing else; opens it again and again, with
/// and without appending in between. Says how many events there were.
fn check_prefix(path: &Path, expected: &[Row], ends: &[u64]) -> usize {
    let reader = open(path, wide().mode(OpenMode::ReadOnly));
    let shown = rows(&reader);
    drop(reader);
    same(&shown, &expected[..shown.len().min(expected.len())]);
    assert!(ends.contains(&(shown.len() as u64)), "{} events: a part of a transaction", shown.len());
    let store = open(path, wide());
    same(&rows(&store), &shown);
    drop(store);
    assert_eq!(verdict(path), Verdict::Clean, "a repaired store is clean");
    let store = open(path, wide());
    same(&rows(&store), &shown);
    fill(&store, 5);
    let longer = rows(&store);
    same(&longer[..shown.len()], &shown);
    assert!(longer.len() > shown.len());
    drop(store);
    assert_eq!(verdict(path), Verdict::Clean);
    same(&rows(&open(path, wide())), &longer);
    shown.len()
}

/// The revisions at which transactions of a store with these files end, and where each frame begins that holds one.
fn transaction_ends(files: &Files) -> Vec<u64> {
    let (_dir, path) = place();
    put_files(&path, files);
    let store = open(&path, wide().mode(OpenMode::ReadOnly));
    let transactions = store.transactions(stratalog::Revision::new(0)).unwrap();
    std::iter::once(0).chain(transactions.map(|transaction| transaction.unwrap().revision().get())).collect()
}

/// Where the bytes begin that a power cut may take: behind the frames that making the store wrote and synced.
fn unsynced_from(bytes: &[u8]) -> usize {
    frames(bytes)[2]
}

#[test]
fn lines_that_a_power_cut_took_are_cut_off_and_nothing_before_them() {
    let (whole, expected) = unsynced_store(40);
    let ends = transaction_ends(&whole);
    let starts = frames(&whole[&segment(1)]);
    let (from, end) = (unsynced_from(&whole[&segment(1)]), *starts.last().unwrap());
    let (_dir, path) = place();
    let mut random = Random(3);
    for round in 0..60 {
        let mut files = whole.clone();
        let bytes = files.get_mut(&segment(1)).unwrap();
        // From some line on, each one may have been lost, the later ones out of order.
        let line = [8, 64, 512, 4_096][round % 4];
        let first = from + random.below(end - from);
        let mut first_lost = end;
        for start in (first / line * line..end).step_by(line) {
            let (start, stop) = (start.max(from), (start + line).min(end));
            if random.below(3) != 0 && bytes[start..stop].iter().any(|byte| *byte != 0) {
                bytes[start..stop].fill(0);
                first_lost = first_lost.min(start);
            }
        }
        put_files(&path, &files);
        let found = check_prefix(&path, &expected, &ends);
        // Frames 0 and 1 hold no events; each one that ends before the damage is there.
        let undamaged = starts[1..].iter().filter(|end| **end <= first_lost).count() - 2;
        assert!(found as u64 >= ends[undamaged], "round {round}: {found} events, {undamaged} whole transactions");
    }
}

#[test]
fn a_torn_frame_is_cut_off_whatever_stands_in_it() {
    let (whole, expected) = unsynced_store(20);
    let ends = transaction_ends(&whole);
    let (_dir, path) = place();
    let mut random = Random(5);
    for _ in 0..60 {
        let mut files = whole.clone();
        let bytes = files.get_mut(&segment(1)).unwrap();
        let (from, end) = (unsynced_from(bytes), *frames(bytes).last().unwrap());
        // By words of eight bytes: the padding behind a frame is part of its last word, and no write tears it alone.
        let at = (from + random.below(end - from)) & !7;
        let length = (1 + random.below(600)).min(end - at);
        for byte in &mut bytes[at..at + length] {
            *byte = random.byte();
        }
        put_files(&path, &files);
        check_prefix(&path, &expected, &ends);
    }
}

#[test]
fn every_cut_within_the_last_transaction_leaves_all_before_it() {
    let (whole, expected) = unsynced_store(8);
    let ends = transaction_ends(&whole);
    let starts = frames(&whole[&segment(1)]);
    let (last, end) = (starts[starts.len() - 2], starts[starts.len() - 1]);
    let (_dir, path) = place();
    for cut in (last..end).step_by(7) {
        let mut files = whole.clone();
        let bytes = files.get_mut(&segment(1)).unwrap();
        if bytes[cut..end].iter().all(|byte| *byte == 0) {
            continue;
        }
        bytes[cut..end].fill(0);
        put_files(&path, &files);
        assert_eq!(check_prefix(&path, &expected, &ends) as u64, ends[ends.len() - 2]);
    }
}

#[test]
fn garbage_behind_the_end_is_removed_and_costs_nothing() {
    for closed in [false, true] {
        let (mut whole, expected) = unsynced_store(10);
        let ends = transaction_ends(&whole);
        let (_dir, path) = place();
        if closed {
            put_files(&path, &whole);
            drop(open(&path, wide()));
            whole = files(&path);
        }
        let mut random = Random(9);
        let end = *frames(&whole[&segment(1)]).last().unwrap();
        for round in 0..12 {
            let mut files = whole.clone();
            let bytes = files.get_mut(&segment(1)).unwrap();
            let from = if round % 2 == 0 { end } else { end + random.below(bytes.len() - end - 9) };
            let to = if round % 3 == 0 { bytes.len() } else { (from + 1 + random.below(5_000)).min(bytes.len()) };
            for byte in &mut bytes[from..to] {
                *byte = random.byte() | 1;
            }
            put_files(&path, &files);
            assert!(matches!(verdict(&path), Verdict::Torn { segment: 1, offset, .. } if offset == end as u64));
            assert_eq!(check_prefix(&path, &expected, &ends), expected.len());
        }
    }
}

/// Old frames must not come back to life behind new ones: what was cut off is gone for good.
#[test]
fn what_was_cut_off_never_comes_back() {
    let (whole, expected) = unsynced_store(12);
    let starts = frames(&whole[&segment(1)]);
    let mut files = whole.clone();
    // The frame of one transaction is damaged; those behind it are whole.
    files.get_mut(&segment(1)).unwrap()[starts[6] + 60] ^= 1;
    let (_dir, path) = place();
    put_files(&path, &files);
    let store = open(&path, wide());
    let kept = rows(&store).len();
    assert!(kept > 0 && kept < expected.len());
    // The same transactions again: frames of the same lengths at the same places as those that were cut off.
    for _ in 0..3 {
        fill(&store, 3);
    }
    let longer = rows(&store);
    drop(store);
    same(&rows(&open(&path, wide())), &longer);
    let dead: Vec<&str> = expected[kept..].iter().map(|row| row.id.as_str()).collect();
    assert!(longer.iter().all(|row| !dead.contains(&row.id.as_str())));
}

/// Several segments, of which the later ones depend on marks: a damaged store opens at a prefix, or says that it is corrupt. It
/// never hides what a sync had covered.
#[test]
fn damage_in_a_store_of_several_segments_hides_nothing_that_was_synced() {
    let (_dir, path) = place();
    let store = open(&path, small().durability(Durability::Os));
    fill(&store, 40);
    let synced = store.sync().unwrap().get();
    fill(&store, 60);
    assert!(store.stats().unwrap().segments >= 3);
    let expected = rows(&store);
    let mut whole = files(&path);
    whole.retain(|name, _| name.ends_with(".segment"));
    drop(store);
    let mut random = Random(13);
    let (mut prefixes, mut refusals) = (0, 0);
    for round in 0..60 {
        let mut damaged = whole.clone();
        let name = segment(1 + round % 3);
        let bytes = damaged.get_mut(&name).unwrap();
        let starts = frames(bytes);
        let at = FRAMES_FROM + random.below(starts.last().unwrap() - FRAMES_FROM);
        bytes[at] ^= 0xff;
        put_files(&path, &damaged);
        match EventStore::open_with(&path, small()) {
            Ok(store) => {
                prefixes += 1;
                let found = rows(&store);
                same(&found, &expected[..found.len()]);
                assert!(found.len() as u64 >= synced, "round {round}: a synced event is gone");
            }
            Err(OpenError::Corrupt(corruption)) => {
                refusals += 1;
                assert_eq!(segment(corruption.segment), name, "{corruption}");
                assert!(corruption.offset <= at as u64, "{corruption}");
                assert_eq!(files(&path), damaged);
            }
            Err(other) => panic!("{other}"),
        }
    }
    println!("{prefixes} opened at a prefix, {refusals} refused");
    assert!(refusals > 0);
}
