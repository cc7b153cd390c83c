//! Many stores in one process: one housekeeping thread for all, and nothing that grows with stores that come and go.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]
#![cfg(target_os = "linux")]

mod log_common;

use log_common::*;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;
use stratalog::{Durability, EventStore};

/// How many threads, open files and mappings the process has, and how many of the threads are the housekeeper's.
fn figures() -> [usize; 4] {
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    let maps = fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|line| line.contains(".segment")).count();
    let names = fs::read_dir("/proc/self/task").unwrap();
    let names = names.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    let housekeepers = names.filter(|name| name.trim() == "stratalog").count();
    [count("/proc/self/task"), count("/proc/self/fd"), maps, housekeepers]
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn use_store(path: &Path, durability: Durability) {
    let store = open(path, small().durability(durability));
    for number in 0..20 {
        store.stream("c", "s").publish([event(&"x".repeat(1_000), number)]).unwrap();
    }
    assert_eq!(store.log().scan().limit(3).read().unwrap().len(), 3);
}

/// Waits until chores that were under way have let go of what they held.
fn settled(expected: [usize; 4]) -> [usize; 4] {
    for _ in 0..200 {
        if figures() == expected {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    figures()
}

/// Not a test of its own: runs in a process without other tests, for the test below.
#[test]
fn second_process_opens_and_closes_stores() {
    let Some(path) = second_process_store() else { return };
    let durabilities = [Durability::Os, Durability::Sync, Durability::Interval(Duration::from_millis(1))];
    let mut after_some = ([0; 4], 0);
    for round in 0..200 {
        use_store(&path, durabilities[round % 3]);
        fs::remove_dir_all(&path).unwrap();
        if round == 49 {
            after_some = (figures(), resident_kib());
        }
    }
    let now = settled(after_some.0);
    assert_eq!(now, after_some.0, "threads, files, mappings, housekeepers");
    assert_eq!(now[2..], [0, 1]);
    let grown = resident_kib().saturating_sub(after_some.1);
    assert!(grown < 4 << 10, "{grown} KiB more after 150 more stores");
}

#[test]
fn stores_that_come_and_go_leave_nothing_behind() {
    let (_dir, path) = place();
    let child = second_process("second_process_opens_and_closes_stores", &path);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn four_stores_share_the_housekeeper_and_keep_apart() {
    let places: Vec<_> = (0..4).map(|_| place()).collect();
    let interval = Durability::Interval(Duration::from_millis(5));
    let stores: Vec<EventStore> = places.iter().map(|(_, path)| open(path, small().durability(interval))).collect();
    thread::scope(|scope| {
        for (index, store) in stores.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..200 {
                    store.stream("c", "s").publish([event(&format!("of-{index}"), number)]).unwrap();
                }
                store.wait_durable(store.revision().unwrap(), Duration::from_secs(30)).unwrap();
            });
        }
    });
    assert_eq!(figures()[3], 1);
    drop(stores);
    for (index, (_, path)) in places.iter().enumerate() {
        let found = rows(&open(path, small()));
        assert!(found.len() == 200 && found.iter().all(|row| row.name == format!("of-{index}")));
    }
}
