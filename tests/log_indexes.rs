//! Index files: opening goes by them, they may go or be damaged at any time, and damage in the log under them is told by reading.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use stratalog::{Durability, EventStore, NewEvent, OpenMode, Options, ReadError, Verdict, position_is};

type Files = BTreeMap<String, Vec<u8>>;

/// All files but the lock.
fn all_files(path: &Path) -> Files {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let files = entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    files.filter(|(name, _)| name != "LOCK").collect()
}

fn indexes(files: &Files) -> Vec<String> {
    files.keys().filter(|name| name.ends_with(".index")).cloned().collect()
}

/// A closed store of several segments, the last of which has several parts; what it holds, and its files.
fn closed_store(durability: Durability) -> (Files, Vec<Row>) {
    let (_dir, path) = place();
    let store = open(&path, options().durability(durability));
    fill(&store, 350);
    let rows = rows(&store);
    store.close().unwrap();
    (all_files(&path), rows)
}

fn options() -> Options {
    Options::new().segment_bytes(SMALL, 4 * SMALL)
}

fn frames_in_memory(store: &EventStore) -> u64 {
    store.stats().unwrap().index_bytes
}

#[test]
fn a_closed_store_opens_without_reading_its_frames() {
    for durability in [Durability::Sync, Durability::Os, Durability::Interval(Duration::from_secs(5))] {
        let (mut files, expected) = closed_store(durability);
        let (_dir, path) = place();
        put_files(&path, &files);
        let store = open(&path, options());
        let quick = frames_in_memory(&store);
        assert_eq!(store.stats().unwrap().unindexed_segments, 0);
        same(&rows(&store), &expected);
        store.close().unwrap();
        files.retain(|name, _| name.ends_with(".segment"));
        put_files(&path, &files);
        let slow = frames_in_memory(&open(&path, options().mode(OpenMode::ReadOnly)));
        assert!(quick * 5 < slow, "{quick} bytes of index in memory with index files, {slow} without");
    }
}

/// What has no index file is read when the store is opened, and keeps no more in memory than the file would hold.
#[test]
fn opening_without_index_files_keeps_few_indexes_that_were_filled() {
    let (_dir, path) = place();
    let store = open(&path, small());
    fill(&store, 4_000);
    store.close().unwrap();
    let files = all_files(&path);
    let in_files: usize = indexes(&files).iter().map(|name| files[name].len()).sum();
    let (first, segments): (Files, Files) =
        (files.into_iter().filter(|(name, _)| name.ends_with(".segment"))).partition(|(name, _)| *name == segment(1));
    let look = |files: &Files| {
        let (_dir, path) = place();
        put_files(&path, files);
        let store = open(&path, options().mode(OpenMode::ReadOnly));
        (store.stats().unwrap().index_bytes, rows(&store).len())
    };
    let (filled, _) = look(&first);
    let all: Files = first.into_iter().chain(segments).collect();
    let (found, events) = look(&all);
    assert!(all.len() > 30 && events > 4_000, "{} segments, {events} events", all.len());
    // That of the segment in use, and four of complete ones.
    let most = 5 * filled + 2 * in_files as u64;
    assert!(
        found < most,
        "{found} bytes for {} segments, {filled} for one that is filled, {in_files} in files",
        all.len()
    );
    assert!(most * 2 < filled * all.len() as u64, "{filled} bytes for one, and so many for all: {most}");
}

#[test]
fn the_parts_of_a_segment_in_use_keep_their_files_until_one_takes_their_place() {
    let (files, _) = closed_store(Durability::Os);
    let last = files.keys().rfind(|name| name.ends_with(".segment")).unwrap().replace(".segment", "");
    let parts: Vec<String> = indexes(&files).into_iter().filter(|name| name.starts_with(&last)).collect();
    assert!(parts.len() > 1, "{parts:?}");
    let others: Vec<String> = indexes(&files).into_iter().filter(|name| !name.starts_with(&last)).collect();
    assert!(others.iter().all(|name| !name.contains('-')) && others.len() > 2, "{others:?}");
    let (_dir, path) = place();
    put_files(&path, &files);
    let store = open(&path, options().durability(Durability::Os));
    fill(&store, 300);
    store.close().unwrap();
    let left: Vec<String> = indexes(&all_files(&path)).into_iter().filter(|name| name.starts_with(&last)).collect();
    assert_eq!(left, [format!("{last}.index")]);
}

#[test]
fn index_files_that_are_gone_are_made_again() {
    let (files, expected) = closed_store(Durability::Sync);
    for gone in indexes(&files) {
        let mut files = files.clone();
        files.remove(&gone);
        let (_dir, path) = place();
        put_files(&path, &files);
        let reader = open(&path, options().mode(OpenMode::ReadOnly));
        same(&rows(&reader), &expected);
        drop(reader);
        assert_eq!(all_files(&path), files, "who only reads writes nothing");
        let store = open(&path, options());
        same(&rows(&store), &expected);
        store.close().unwrap();
        same(&rows(&open(&path, options())), &expected);
    }
    let (_dir, path) = place();
    let without: Files =
        files.iter().filter(|(name, _)| name.ends_with(".segment")).map(|(n, b)| (n.clone(), b.clone())).collect();
    put_files(&path, &without);
    let store = open(&path, options());
    let begun = Instant::now();
    while store.stats().unwrap().unindexed_segments > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", store.stats());
        std::thread::sleep(Duration::from_millis(2));
    }
    same(&rows(&store), &expected);
}

/// Whatever byte of an index file is changed, what is read is what was written.
#[test]
fn a_damaged_index_file_changes_no_answer() {
    let (files, expected) = closed_store(Durability::Sync);
    let mut random = Random(5);
    for name in indexes(&files) {
        for _ in 0..12 {
            let mut damaged = files.clone();
            let bytes = damaged.get_mut(&name).unwrap();
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            let (_dir, path) = place();
            put_files(&path, &damaged);
            let store = open(&path, options());
            same(&rows(&store), &expected);
            for number in [0, 99, 297] {
                assert!(store.transaction(&format!("t-{number}")).unwrap().is_some(), "byte {at} of {name}");
            }
            let all = store.stream("d", "all");
            let last = all.latest().unwrap().unwrap().position();
            all.publish_if([event("part", 7)], position_is(last)).unwrap();
            store.close().unwrap();
            assert_eq!(rows(&open(&path, options())).len(), expected.len() + 1, "byte {at} of {name}");
        }
    }
}

/// Damage in the log under an index: the store opens, reading tells of it, and never shows anything else than what was written.
#[test]
fn damage_under_an_index_is_told_by_who_reads_it() {
    let (files, expected) = closed_store(Durability::Sync);
    let mut random = Random(6);
    let (mut told, mut opened) = (0, 0);
    for _ in 0..60 {
        let mut damaged = files.clone();
        let name = segment(1 + random.below(2) as u64);
        let bytes = damaged.get_mut(&name).unwrap();
        let ends = frames(bytes);
        let at = FRAMES_FROM + 64 + random.below(ends[ends.len() - 2] - FRAMES_FROM - 64);
        bytes[at] ^= 1 << random.below(8);
        let (_dir, path) = place();
        put_files(&path, &damaged);
        let store = open(&path, options());
        opened += 1;
        match store.log().read() {
            Ok(events) => same(&events.iter().map(row).collect::<Vec<_>>(), &expected),
            Err(ReadError::Corrupt(corruption)) => {
                assert_eq!(segment(corruption.segment), name);
                told += 1;
            }
            Err(other) => panic!("{other}"),
        }
        drop(store);
        assert!(matches!(verdict(&path), Verdict::Corrupt { .. }), "byte {at} of {name}");
    }
    assert!(told * 10 > opened * 9, "{told} of {opened}");
}

#[test]
fn the_file_of_a_closed_store_is_there_while_it_is_closed() {
    let (files, expected) = closed_store(Durability::Sync);
    assert!(files.contains_key("CLOSED"));
    let (_dir, path) = place();
    put_files(&path, &files);
    drop(open(&path, options().mode(OpenMode::ReadOnly)));
    assert!(path.join("CLOSED").exists(), "who only reads leaves it");
    let store = open(&path, options());
    assert!(!path.join("CLOSED").exists());
    drop(store);
    assert!(path.join("CLOSED").exists(), "dropping the last handle closes");
    // What it says is of another end than the log has: it does not count.
    let store = open(&path, options());
    store.stream("d", "all").publish([event("part", 1), event("part", 2)]).unwrap();
    store.close().unwrap();
    fs::write(path.join("CLOSED"), &files["CLOSED"]).unwrap();
    assert_eq!(rows(&open(&path, options())).len(), expected.len() + 2);
}

/// Segments from a backup under the index files of a later time: those do not fit, and the log counts.
#[test]
fn index_files_of_another_time_do_not_count() {
    let (_dir, path) = place();
    let big = || Options::new().segment_bytes(1 << 20, 1 << 20).durability(Durability::Os);
    let put = |store: &EventStore, count: u64| {
        for number in 0..count {
            let event = NewEvent::new("e", &"x".repeat(1_000)).unwrap().with_metadata(number.to_string());
            store.stream("c", "s").publish([event]).unwrap();
        }
    };
    let store = open(&path, big());
    put(&store, 200);
    store.close().unwrap();
    let backup: Files = all_files(&path).into_iter().filter(|(name, _)| name.ends_with(".segment")).collect();
    let store = open(&path, big());
    put(&store, 1_300);
    store.close().unwrap();
    let mut mixed: Files = all_files(&path).into_iter().filter(|(name, _)| !name.ends_with(".segment")).collect();
    mixed.extend(backup);
    put_files(&path, &mixed);
    let store = open(&path, big());
    assert_eq!(store.revision().unwrap().get(), 200);
    assert_eq!(rows(&store).len(), 200);
    put(&store, 5);
    store.close().unwrap();
    assert_eq!(verdict(&path), Verdict::Clean);
    assert_eq!(rows(&open(&path, big())).len(), 205);
}
