//! A full disk: refused appends, nothing lost, and on it goes when there is room again. Linux, and only where mounting is allowed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]
#![cfg(target_os = "linux")]

mod log_common;

use log_common::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use stratalog::{AppendError, Durability, EventStore, NewEvent, OpenError, Options, Retry, Verdict};
use tempfile::TempDir;

/// A small file system of its own, unmounted when dropped.
struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// `None`, and a reason printed, where it may not be mounted.
    fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(directory.path()).output();
        match mount {
            Ok(output) if output.status.success() => return Some(Self { directory }),
            Ok(output) => println!("skipped: cannot mount: {}", String::from_utf8_lossy(&output.stderr).trim()),
            Err(error) => println!("skipped: cannot mount: {error}"),
        }
        None
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes so many bytes away; removing the file gives them back.
    fn ballast(&self, bytes: usize) -> PathBuf {
        let path = self.path().join("ballast");
        fs::write(&path, vec![1; bytes]).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
    }
}

fn options(durability: Durability) -> Options {
    Options::new().segment_bytes(64 << 10, 64 << 10).durability(durability)
}

/// Appends until the disk is full; says how many went well.
fn fill_up(store: &EventStore) -> u64 {
    for number in 0.. {
        let event = NewEvent::new("n", &"x".repeat(3_000)).unwrap();
        match store.stream("c", "s").publish([event]) {
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(&error, AppendError::NoSpace(_)), "{error}");
                assert_eq!((error.retry(), error.is_poisoned()), (Retry::Safe, false));
                return number;
            }
        }
    }
    unreachable!("a disk of two MiB is full some time");
}

#[test]
fn a_full_disk_refuses_appends_and_goes_on_when_there_is_room() {
    for durability in [Durability::Sync, Durability::Os] {
        let Some(disk) = SmallDisk::mount("2m") else { return };
        let path = disk.path().join("store");
        let ballast = disk.ballast(600 << 10);
        let store = open(&path, options(durability));
        let mut expected = fill_up(&store);
        assert!(expected > 100, "{expected}");
        for _ in 0..3 {
            let again = store.stream("c", "s").publish([NewEvent::new("n", &"x".repeat(3_000)).unwrap()]).unwrap_err();
            assert!(matches!(again, AppendError::NoSpace(_)), "{again}");
            assert_eq!(rows(&store).len() as u64, expected, "reads go on, and nothing half done shows");
        }
        // What fits into the segment in use still goes in.
        if store.stream("c", "small").publish([event("n", 1)]).is_ok() {
            expected += 1;
        }
        let before = rows(&store);
        store.close().unwrap();
        assert_eq!(verdict(&path), Verdict::Clean);
        let store = open(&path, options(durability));
        same(&rows(&store), &before);
        assert_eq!(fill_up(&store), 0, "the disk is as full as it was: a refused append takes no room");
        fs::remove_file(&ballast).unwrap();
        let more = fill_up(&store);
        assert!(more > 100, "{more}: there is room again, and the store takes it without being reopened");
        let all = rows(&store);
        same(&all[..before.len()], &before);
        assert_eq!(all.len() as u64, expected + more);
        drop(store);
        same(&rows(&open(&path, options(durability))), &all);
        let temporary = files(&path).into_keys().filter(|name| name.ends_with(".tmp")).count();
        assert_eq!(temporary, 0);
    }
}

#[test]
fn a_store_that_does_not_fit_is_not_begun() {
    let Some(disk) = SmallDisk::mount("1m") else { return };
    let path = disk.path().join("store");
    let ballast = disk.ballast(900 << 10);
    let error = refused(&path, Options::new());
    assert!(matches!(&error, OpenError::Io(failure) if failure.is_no_space()), "{error}");
    assert_eq!(files(&path).len(), 0, "the file that did not fit is gone");
    fs::remove_file(ballast).unwrap();
    let store = open(&path, options(Durability::Sync));
    store.stream("c", "s").publish([event("n", 1)]).unwrap();
    assert_eq!(rows(&store).len(), 1);
}

/// A transaction that needs more than there is room for is refused; a smaller one goes in.
#[test]
fn a_big_transaction_that_does_not_fit_leaves_room_for_small_ones() {
    let Some(disk) = SmallDisk::mount("2m") else { return };
    let store = open(&disk.path().join("store"), options(Durability::Sync));
    for number in 0..5 {
        let error = store.stream("c", "s").publish([NewEvent::new("big", &"x".repeat(4 << 20)).unwrap()]).unwrap_err();
        assert!(matches!(&error, AppendError::NoSpace(_)), "{error}");
        store.stream("c", "s").publish([event("n", number)]).unwrap();
    }
    let before = rows(&store);
    assert_eq!(before.len(), 5);
    let path = disk.path().join("store");
    drop(store);
    same(&rows(&open(&path, options(Durability::Sync))), &before);
}
