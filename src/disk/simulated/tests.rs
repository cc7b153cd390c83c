//! Tests: the simulated disk keeps what was synced, and loses the rest in every way that it says.

use super::*;
use std::collections::BTreeSet;

fn disk_with(name: &str, bytes: &[u8]) -> SimulatedDisk {
    SimulatedDisk::new(MemoryFiles::from([(name.to_owned(), bytes.to_vec())]), 1)
}

fn images(disk: &SimulatedDisk) -> Vec<MemoryFiles> {
    let mut random = Rng::with_seed(7);
    let crash = disk.crash(512);
    (0..2_000).map(|_| crash.random(&mut random).files).collect()
}

#[test]
fn what_was_synced_is_in_every_image() {
    let disk = disk_with("a", &[0; 2_048]);
    let file = disk.open("a", true).unwrap();
    file.write_at(100, &[1; 1_000]).unwrap();
    file.sync().unwrap();
    file.write_at(1_500, &[2; 100]).unwrap();
    let images = images(&disk);
    assert!(images.iter().all(|files| files["a"][100..1_100] == [1; 1_000]));
    let tails: BTreeSet<&[u8]> = images.iter().map(|files| &files["a"][1_500..1_600]).collect();
    assert!(tails.contains(&[0; 100][..]) && tails.contains(&[2; 100][..]), "old and new");
    assert!(tails.len() > 50, "and torn in many ways");
}

#[test]
fn a_line_may_have_any_value_that_it_had() {
    let disk = disk_with("a", &[0; 512]);
    let file = disk.open("a", true).unwrap();
    for value in 1..=3 {
        file.store(0, &[value; 512]).unwrap();
    }
    let crash = disk.crash(512);
    assert_eq!((crash.outcomes(4), crash.outcomes(3)), (Some(4), None));
    let found: Vec<u8> = (0..4).map(|index| crash.outcome(index).files["a"][0]).collect();
    assert_eq!(found, [0, 1, 2, 3]);
}

#[test]
fn names_need_their_directory_and_files_their_sync() {
    let disk = disk_with("a", &[5; 512]);
    let file = disk.create("b.tmp", 1_024, Writing::Synced).unwrap();
    file.write_at(0, b"hello").unwrap();
    let unborn: BTreeSet<Option<Vec<u8>>> = images(&disk).into_iter().map(|mut files| files.remove("b.tmp")).collect();
    assert!(unborn.contains(&None) && unborn.contains(&Some(Vec::new())), "no file, and an empty one");
    file.sync().unwrap();
    disk.rename("b.tmp", "b").unwrap();
    for files in images(&disk) {
        let found = files.get("b").or(files.get("b.tmp"));
        assert!(found.is_none_or(|bytes| bytes.starts_with(b"hello") && bytes.len() == 1_024));
        assert!(!(files.contains_key("b") && files.contains_key("b.tmp")), "never both");
    }
    assert!(images(&disk).iter().any(|files| files.len() == 1), "the name is not durable, though the file is");
    disk.sync_directory().unwrap();
    assert!(images(&disk).iter().all(|files| files.contains_key("b")));
    disk.remove("a").unwrap();
    let kept = images(&disk).iter().filter(|files| files.contains_key("a")).count();
    assert!((1..2_000).contains(&kept));
}

#[test]
fn a_failed_sync_may_forget_what_the_system_goes_on_showing() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimulatedDisk::new(MemoryFiles::from([("a".to_owned(), vec![0; 512])]), seed);
        let file = disk.open("a", true).unwrap();
        file.write_at(0, &[1; 512]).unwrap();
        disk.arm(Fault { duty: Duty::Sync, call: 1, for_good: false, error: Errno::IO });
        file.sync().unwrap_err();
        assert_eq!(disk.failures(), 1);
        file.sync().unwrap();
        let mut shown = [0];
        file.read_at(0, &mut shown).unwrap();
        let next = disk.kill(true);
        let mut evicted = [0];
        next.open("a", true).unwrap().read_at(0, &mut evicted).unwrap();
        seen.insert((shown[0], evicted[0]));
    }
    assert_eq!(seen, BTreeSet::from([(1, 0), (1, 1)]), "a second sync that succeeds proves nothing");
}

#[test]
fn power_ends_before_or_after_a_change_and_nobody_learns_which() {
    for after in [false, true] {
        let disk = disk_with("a", &[0; 512]);
        disk.end_power_at(2, after);
        let file = disk.open("a", true).unwrap();
        file.write_at(0, &[1]).unwrap();
        file.write_at(1, &[2]).unwrap_err();
        assert!(disk.is_off());
        file.sync().unwrap_err();
        disk.list().unwrap_err();
        let all = (0..4).filter_map(|index| Some(disk.crash(512).outcomes(4)? > index).filter(|there| *there)).count();
        assert_eq!(all, if after { 3 } else { 2 });
    }
}

#[test]
fn the_same_seed_does_the_same() {
    let run = || {
        let disk = disk_with("a", &[0; 4_096]);
        let file = disk.open("a", true).unwrap();
        file.write_at(5, &disk.random().repeat(100)).unwrap();
        images(&disk)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_dead_process_has_no_disk_and_the_next_sees_what_it_wrote() {
    let disk = disk_with("a", &[0; 512]);
    let lock = disk.lock().unwrap().unwrap();
    assert!(disk.lock().unwrap().is_none());
    let file = disk.open("a", true).unwrap();
    file.write_at(0, &[9]).unwrap();
    let next = disk.kill(false);
    file.write_at(0, &[8]).unwrap_err();
    assert!(next.lock().unwrap().is_some());
    drop(lock);
    let mut byte = [0];
    next.open("a", false).unwrap().read_at(0, &mut byte).unwrap();
    assert_eq!(byte, [9]);
    assert!(images(&next).iter().any(|files| files["a"][0] == 0), "not durable still");
}
