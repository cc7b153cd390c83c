//! Opening and reopening a store on disk: modes, locks, formats, settings, and that everything is there again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use stratalog::{
    AppendError, Durability, EventStore, OpenError, OpenMode, Options, ReadError, Verdict, stream_is_empty,
};

fn mode(mode: OpenMode) -> Options {
    small().mode(mode)
}

/// A store with one event.
fn store_with_one(path: &Path) {
    let store = open(path, small());
    store.stream("c", "s").publish([event("n", 1)]).unwrap();
    store.close().unwrap();
}

#[test]
fn a_missing_or_empty_directory_becomes_a_store_only_in_the_modes_that_create() {
    for make_directory in [false, true] {
        for (tried, creates) in [
            (OpenMode::CreateIfMissing, true),
            (OpenMode::CreateNew, true),
            (OpenMode::Existing, false),
            (OpenMode::ReadOnly, false),
        ] {
            let (_dir, path) = place();
            if make_directory {
                fs::create_dir(&path).unwrap();
            }
            if creates {
                let store = open(&path, mode(tried));
                assert_eq!(store.revision().unwrap().get(), 0);
                drop(store);
                assert_eq!(verdict(&path), Verdict::Clean);
            } else {
                let error = refused(&path, mode(tried));
                assert!(matches!(&error, OpenError::NotFound { path: named } if *named == path), "{error}");
                assert_eq!(path.exists(), make_directory, "{tried:?} creates nothing");
                assert!(!make_directory || fs::read_dir(&path).unwrap().next().is_none(), "{tried:?} creates nothing");
            }
        }
    }
}

#[test]
fn missing_parents_are_made_too() {
    let (_dir, path) = place();
    store_with_one(&path.join("a/b"));
    assert_eq!(verdict(&path.join("a/b")), Verdict::Clean);
}

#[test]
fn a_store_opens_in_every_mode_but_the_one_that_wants_a_new_one() {
    let (_dir, path) = place();
    store_with_one(&path);
    let before = files(&path);
    let error = refused(&path, mode(OpenMode::CreateNew));
    assert!(matches!(&error, OpenError::AlreadyExists { path: named } if *named == path), "{error}");
    assert_eq!(files(&path), before);
    for opens in [OpenMode::CreateIfMissing, OpenMode::Existing, OpenMode::ReadOnly] {
        assert_eq!(rows(&open(&path, mode(opens))).len(), 1);
        assert_eq!(files(&path), before, "{opens:?}: a store that is opened and closed stays as it was");
    }
}

#[test]
fn a_directory_with_other_files_is_refused_and_left_alone() {
    for tried in [OpenMode::CreateIfMissing, OpenMode::CreateNew, OpenMode::Existing, OpenMode::ReadOnly] {
        let (_dir, path) = place();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("letter.txt"), "dear all").unwrap();
        let error = refused(&path, mode(tried));
        let named = match &error {
            OpenError::NotAStore { path, found } => {
                assert_eq!(found, "letter.txt");
                path
            }
            OpenError::NotFound { path } => path,
            other => panic!("{other}"),
        };
        assert_eq!(*named, path);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        let names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["letter.txt"], "{tried:?} leaves nothing behind");
    }
}

#[test]
fn a_file_in_place_of_the_directory_is_an_error_that_names_it() {
    let (_dir, path) = place();
    fs::write(&path, "not a directory").unwrap();
    let error = refused(&path, small());
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"not a directory");
}

#[test]
fn options_that_cannot_be_are_refused_before_anything_is_made() {
    let (_dir, path) = place();
    let cases = [
        (Options::new().durability(Durability::Memory), "durability"),
        (Options::new().segment_bytes(SMALL - 4_096, SMALL), "segment_bytes_first"),
        (Options::new().segment_bytes(SMALL + 1, SMALL * 2), "segment_bytes_first"),
        (Options::new().segment_bytes(SMALL, 2 << 30), "segment_bytes_max"),
        (Options::new().segment_bytes(SMALL * 2, SMALL), "segment_bytes_first"),
    ];
    for (options, named) in cases {
        let error = refused(&path, options);
        assert!(matches!(&error, OpenError::InvalidOption { option, .. } if *option == named), "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn a_second_opening_in_the_same_process_says_who_has_it() {
    let (_dir, path) = place();
    let store = open(&path, small());
    for tried in [OpenMode::CreateIfMissing, OpenMode::Existing, OpenMode::ReadOnly] {
        let error = refused(&path, mode(tried));
        let OpenError::AlreadyOpen { path: named, process } = &error else { panic!("{error}") };
        assert_eq!((named, *process), (&path, Some(std::process::id())));
    }
    let verified = stratalog::verify(&path, &mut |_| ()).unwrap_err();
    assert!(matches!(verified, OpenError::AlreadyOpen { .. }), "{verified}");
    store.stream("c", "s").publish([event("n", 1)]).unwrap();
    drop(store);
    assert_eq!(rows(&open(&path, small())).len(), 1);
}

/// Not a test of its own: holds a store open for the test below, in another process.
#[test]
fn second_process_holds_the_store() {
    let Some(path) = second_process_store() else { return };
    let store = open(&path, small());
    store.stream("c", "s").publish([event("n", 1)]).unwrap();
    println!("\nholding");
    let _ = std::io::stdin().lines().next();
    drop(store);
}

#[test]
fn a_second_opening_from_another_process_says_who_has_it() {
    let (_dir, path) = place();
    let mut holder = second_process("second_process_holds_the_store", &path);
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"), "the other process opens the store");
    let error = refused(&path, small());
    let OpenError::AlreadyOpen { path: named, process } = &error else { panic!("{error}") };
    assert_eq!((named, *process), (&path, Some(holder.id())));
    assert!(error.to_string().contains(&holder.id().to_string()), "{error}");
    holder.stdin.take().unwrap().write_all(b"go\n").unwrap();
    for line in lines {
        drop(line);
    }
    assert!(holder.wait().unwrap().success());
    assert_eq!(rows(&open(&path, small())).len(), 1);
}

/// A killed process leaves no lock behind, however it ends.
#[test]
fn a_killed_process_leaves_a_store_that_opens() {
    let (_dir, path) = place();
    let mut holder = second_process("second_process_holds_the_store", &path);
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(rows(&open(&path, small())).len(), 1);
    assert_eq!(verdict(&path), Verdict::Clean);
}

fn patch_header(path: &Path, at: usize, bytes: &[u8]) {
    let file = path.join(segment(1));
    let mut content = fs::read(&file).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = crc32fast::hash(&content[..124]);
    content[124..128].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, content).unwrap();
}

#[test]
fn a_newer_format_or_unknown_features_are_refused_and_named() {
    // Offset, bytes, the format that the error names: format number, then features needed for reading, and for anything.
    for (at, bytes, format) in
        [(8, &7_u16.to_le_bytes()[..], 7), (16, &[1, 0, 0, 0][..], 0), (20, &[0, 0, 0, 0x80][..], 0)]
    {
        let (_dir, path) = place();
        store_with_one(&path);
        patch_header(&path, at, bytes);
        let before = files(&path);
        for tried in [OpenMode::CreateIfMissing, OpenMode::ReadOnly] {
            let error = refused(&path, mode(tried));
            let OpenError::NewerFormat { path: named, found, .. } = &error else { panic!("{error}") };
            assert_eq!((named, *found), (&path.join(segment(1)), format));
        }
        let verified = stratalog::verify(&path, &mut |_| ()).unwrap_err();
        assert!(matches!(verified, OpenError::NewerFormat { .. }), "{verified}");
        assert_eq!(files(&path), before);
    }
}

/// Features that do not hinder are ignored: an older version may use the store.
#[test]
fn unknown_compatible_features_do_not_hinder() {
    let (_dir, path) = place();
    store_with_one(&path);
    patch_header(&path, 12, &[1, 0, 0, 0]);
    assert_eq!(rows(&open(&path, small())).len(), 1);
}

#[test]
fn strict_names_stay_with_the_store_and_conflict_with_another_wish() {
    for kept in [true, false] {
        let (_dir, path) = place();
        drop(open(&path, small().strict_names(kept)));
        let before = files(&path);
        let error = refused(&path, small().strict_names(!kept));
        let OpenError::SettingConflict { setting, stored, requested } = &error else { panic!("{error}") };
        assert_eq!((*setting, stored, requested), ("strict_names", &kept.to_string(), &(!kept).to_string()));
        assert_eq!(files(&path), before);
        for options in [small(), small().strict_names(kept)] {
            let store = open(&path, options);
            let outcome = store.stream("c", " ").publish([event("n", 1)]);
            assert_eq!(matches!(outcome, Err(AppendError::InvalidName { .. })), kept, "{outcome:?}");
        }
    }
}

#[test]
fn a_store_may_be_moved_and_copied() {
    let (dir, path) = place();
    store_with_one(&path);
    let copied = dir.path().join("copied");
    put_files(&copied, &files(&path));
    let moved = dir.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    for path in [copied, moved] {
        let store = open(&path, mode(OpenMode::Existing));
        let before = rows(&store);
        assert_eq!(before.len(), 1);
        store.stream("c", "s").publish([event("n", 2)]).unwrap();
        assert_eq!(rows(&store)[..1], before);
    }
}

/// What stands when a process was stopped while it prepared a segment.
#[test]
fn a_file_that_was_being_made_is_removed_and_a_reader_leaves_it() {
    let (_dir, path) = place();
    store_with_one(&path);
    let left = path.join(format!("{}.tmp", segment(2)));
    fs::write(&left, "unfinished").unwrap();
    assert_eq!(rows(&open(&path, mode(OpenMode::ReadOnly))).len(), 1);
    assert!(left.exists());
    assert_eq!(rows(&open(&path, small())).len(), 1);
    assert!(!left.exists());
}

/// The very first opening, stopped before it was done: there is no store yet, and the next opening makes one.
#[test]
fn a_creation_that_was_cut_short_is_begun_again() {
    let (_dir, path) = place();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("LOCK"), "").unwrap();
    fs::write(path.join(format!("{}.tmp", segment(1))), [0; 20_000]).unwrap();
    let error = refused(&path, mode(OpenMode::Existing));
    assert!(matches!(error, OpenError::NotFound { .. }), "{error}");
    store_with_one(&path);
    assert_eq!(files(&path).len(), 1);
}

#[test]
fn who_opens_for_reading_writes_nothing_into_the_lock_file() {
    let (_dir, path) = place();
    store_with_one(&path);
    fs::write(path.join("LOCK"), "as it was").unwrap();
    let store = open(&path, mode(OpenMode::ReadOnly));
    assert_eq!(fs::read_to_string(path.join("LOCK")).unwrap(), "as it was");
    assert!(matches!(refused(&path, small()), OpenError::AlreadyOpen { .. }), "and locks it all the same");
    drop(store);
}

/// The lock file is never removed by a store. Someone who removes it while a store is open takes the protection away: a second
/// opening locks a new file and succeeds. This test states that as it is, so that a change is noticed.
#[test]
fn removing_the_lock_file_of_an_open_store_takes_its_protection_away_until_the_next_segment() {
    let (_dir, path) = place();
    let store = open(&path, small());
    fs::remove_file(path.join("LOCK")).unwrap();
    let second = EventStore::open_with(&path, mode(OpenMode::ReadOnly));
    assert!(second.is_ok(), "{second:?}");
    drop(second);
    fs::remove_file(path.join("LOCK")).unwrap();
    let refused = (0..10_000).find_map(|number| store.stream("c", "s").publish([event("n", number)]).err());
    let refused = refused.expect("the store looks after its lock when it begins a segment");
    assert!(refused.is_poisoned() && refused.to_string().contains("lock file"), "{refused}");
    drop(store);
    drop(open(&path, small()));
    assert!(path.join("LOCK").exists());
}

#[test]
fn after_close_every_call_says_closed_and_a_second_close_is_fine() {
    let (_dir, path) = place();
    let store = open(&path, small());
    let clone = store.clone();
    let stream = store.stream("c", "s");
    stream.publish([event("n", 1)]).unwrap();
    let kept = stream.read().unwrap();
    let mut iterator = store.log().scan().into_iter();
    store.close().unwrap();
    clone.close().unwrap();
    store.close().unwrap();
    let closed = |error: ReadError| assert!(matches!(error, ReadError::Closed), "{error}");
    for store in [&store, &clone] {
        closed(store.log().read().unwrap_err());
        closed(store.log().latest().unwrap_err());
        closed(store.stream("c", "s").read().unwrap_err());
        closed(store.revision().unwrap_err());
        closed(store.categories().unwrap_err());
        closed(store.category("c").streams().unwrap_err());
        closed(store.transaction("t").unwrap_err());
        closed(store.stats().unwrap_err());
        closed(store.record("n", "k").unwrap_err());
        for error in [store.stream("c", "s").publish([event("n", 2)]).unwrap_err(), store.sync().unwrap_err()] {
            assert!(matches!(error, AppendError::Closed), "{error}");
        }
        let refused = store.stream("c", "s").publish_if([], stream_is_empty()).unwrap_err();
        assert!(matches!(refused, AppendError::Closed), "{refused}");
    }
    // A scan that was begun goes on in what it holds, or says that the store is closed.
    match iterator.next().unwrap() {
        Ok(event) => assert_eq!(row(&event), row(&kept[0])),
        Err(error) => closed(error),
    }
    assert_eq!(kept[0].decode::<u64>().unwrap(), 1);
}

#[test]
fn events_stay_valid_after_close_and_after_the_store_is_gone() {
    let (dir, path) = place();
    let store = open(&path, small());
    let stream = store.stream("c", "s");
    for number in 0..2_000 {
        stream.publish([event("n", number)]).unwrap();
    }
    let events = stream.read().unwrap();
    let expected: Vec<Row> = events.iter().map(row).collect();
    store.close().unwrap();
    assert!(events.iter().map(row).eq(expected.iter().cloned()));
    drop((store, stream));
    drop(dir);
    assert!(events.iter().map(row).eq(expected.iter().cloned()), "the files are gone, and the map holds them");
    assert_eq!(events[1_999].decode::<u64>().unwrap(), 1_999);
}

#[test]
fn clones_are_one_store_and_the_last_one_closes_it() {
    let (_dir, path) = place();
    let store = open(&path, small());
    let clone = store.clone();
    let stream = store.stream("c", "s");
    clone.stream("c", "s").publish([event("n", 1)]).unwrap();
    assert_eq!(store.revision().unwrap().get(), 1);
    drop(store);
    drop(clone);
    assert!(matches!(refused(&path, small()), OpenError::AlreadyOpen { .. }), "a handle keeps the store open");
    stream.publish([event("n", 2)]).unwrap();
    drop(stream);
    for _ in 0..50 {
        let store = open(&path, mode(OpenMode::Existing));
        store.stream("c", "s").publish([event("n", 3)]).unwrap();
    }
    assert_eq!(rows(&open(&path, small())).len(), 52);
    assert_eq!(verdict(&path), Verdict::Clean);
}
