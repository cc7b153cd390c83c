//! How many files a store has open does not grow with its segments.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use stratalog::{Durability, EventStore, NewEvent, OpenMode, Verdict};

/// Segments of the store.
const SEGMENTS: u64 = 200;
/// Files that a process may have open where there are more segments.
const LIMIT: u64 = 90;

/// How many files in a directory this process has open.
fn open_in(path: &Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap();
    links.filter(|link| fs::read_link(link.as_ref().unwrap().path()).is_ok_and(|to| to.starts_with(path))).count()
}

/// Waits until complete segments have their index files, and are let go.
fn few_are_open(path: &Path, store: &EventStore) {
    let begun = Instant::now();
    // The lock, the last segment, the one prepared behind it, and one that is being indexed.
    while open_in(path) > 4 || store.stats().unwrap().unindexed_segments > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} files are open, {:?}", open_in(path), store.stats());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn fill_segments(path: &Path, durability: Durability) {
    let store = open(path, small().durability(durability));
    let large = "x".repeat(5_800);
    for number in 0..2 * SEGMENTS {
        store.stream("c", "s").publish([NewEvent::json("noted", &(number, &large)).unwrap()]).unwrap();
    }
    few_are_open(path, &store);
    assert_eq!(rows(&store).len() as u64, 2 * SEGMENTS);
    store.close().unwrap();
}

/// Not a test of its own: runs in a process that may open few files, for the test below.
#[test]
fn second_process_works_with_few_files() {
    let Some(path) = second_process_store() else { return };
    fill_segments(&path, Durability::Os);
    assert!(fs::read_dir(&path).unwrap().count() as u64 > 2 * SEGMENTS);
    for mode in [OpenMode::ReadOnly, OpenMode::Existing] {
        let store = open(&path, small().mode(mode));
        few_are_open(&path, &store);
        assert_eq!(rows(&store).len() as u64, 2 * SEGMENTS);
        store.close().unwrap();
    }
    assert_eq!(verdict(&path), Verdict::Clean);
    for entry in fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap().path();
        if entry.extension().is_some_and(|extension| extension == "index") {
            fs::remove_file(entry).unwrap();
        }
    }
    let store = open(&path, small());
    few_are_open(&path, &store);
    assert_eq!(rows(&store).len() as u64, 2 * SEGMENTS);
}

#[test]
fn a_store_of_many_segments_has_few_files_open() {
    let (_dir, path) = place();
    let mut command = Command::new("sh");
    let run = format!("ulimit -n {LIMIT}; exec \"$0\" \"$@\"");
    command.args(["-c", &run]).arg(std::env::current_exe().unwrap());
    command.args(["second_process_works_with_few_files", "--exact", "--test-threads=1"]);
    let output = command.env("STRATALOG_TEST_STORE", &path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn segments_are_let_go_in_every_durability() {
    for durability in [Durability::Sync, Durability::Interval(Duration::from_millis(1))] {
        let (_dir, path) = place();
        fill_segments(&path, durability);
    }
}

/// An index that is damaged is made again from the log, whose file is opened for that.
#[test]
fn a_segment_that_was_let_go_is_read_again() {
    let (_dir, path) = place();
    let store = open(&path, small());
    fill(&store, 900);
    let expected = rows(&store);
    store.close().unwrap();
    let index = path.join("0000000001.index");
    let mut bytes = fs::read(&index).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&index, &bytes).unwrap();
    let store = open(&path, small());
    same(&rows(&store), &expected);
}
