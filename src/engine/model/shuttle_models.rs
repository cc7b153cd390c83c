//! The engine in small under random schedules, with more threads than can be gone through in every order.

use super::*;
use shuttle::thread::{JoinHandle, spawn};

const APPENDERS: u64 = 4;
const APPENDS: u64 = 3;
/// Enough for a reader to be still there when the log rotates.
const READS: u64 = 24;
/// How many orders of threads are tried, unless `STRATALOG_SCHEDULES` says otherwise.
const SCHEDULES: usize = 10_000;

/// How many orders a twin has in which to fail. The rarest, a list that is loaded before the revision, once took 122,862.
const TWIN_SCHEDULES: usize = 2_000_000;
/// How many schedules of a twin may take too long.
const TRIES: usize = 20;

fn schedules() -> usize {
    std::env::var("STRATALOG_SCHEDULES").ok().and_then(|number| number.parse().ok()).unwrap_or(SCHEDULES)
}

fn start<T: Send + 'static>(small: &Arc<Small>, task: fn(&Small) -> T) -> JoinHandle<T> {
    let small = Arc::clone(small);
    spawn(move || task(&small))
}

/// How the run ends that appenders and readers are in.
#[derive(Debug, Clone, Copy)]
enum End {
    Well,
    Poisoned,
    Closed,
}

/// Four append through rotations while two read, and the disk breaks or the store is closed meanwhile.
fn run(end: End, flaw: Flaw) {
    let small = Small::new(flaw);
    let append = |small: &Small| -> Vec<(Fate, u64)> { (0..APPENDS).map(|_| small.append()).collect() };
    let read = |small: &Small| {
        let revisions: Vec<u64> = (0..READS).map(|_| small.read()).collect();
        assert!(revisions.is_sorted(), "a later snapshot is not older: {revisions:?}");
    };
    let appenders: Vec<_> = (0..APPENDERS).map(|_| start(&small, append)).collect();
    let readers: Vec<_> = (0..2).map(|_| start(&small, read)).collect();
    match end {
        End::Well => {}
        End::Poisoned => small.broken.store(true, Ordering::SeqCst),
        End::Closed => small.close(),
    }
    let mut acknowledged: Vec<u64> = Vec::new();
    for appender in appenders {
        for fate in appender.join().unwrap() {
            small.check(fate);
            acknowledged.extend((fate.0 == Fate::Visible).then_some(fate.1));
            let may_fail = matches!((end, fate.0), (End::Poisoned, _) | (End::Closed, Fate::Refused));
            assert!(fate.0 == Fate::Visible || may_fail, "{fate:?} in a store that ended as {end:?}");
        }
    }
    for reader in readers {
        reader.join().unwrap();
    }
    acknowledged.sort_unstable();
    let count = acknowledged.len() as u64;
    assert!(acknowledged.into_iter().eq(0..count), "what is acknowledged is a prefix of the log, each event once");
    assert_eq!(small.read(), count, "what is acknowledged is what is visible");
    small.check_disk();
}

fn check(end: End) {
    let count = schedules();
    shuttle::check_random(move || run(end, None), count);
    shuttle::check_pct(move || run(end, None), count, 3);
    say(&format!("model {end:?}: {} schedules", 2 * count));
}

/// Runs a twin until it fails, and says after how many schedules. That a schedule takes too long is no failure that counts: an
/// unfair one may. Then others are tried.
fn check_twin(end: End, flaw: &'static str) {
    let begun = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = Arc::clone(&begun);
    let twin = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        run(end, Some(flaw));
    };
    let is_caught = || {
        let twin = twin.clone();
        let checked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shuttle::check_random(twin, TWIN_SCHEDULES)));
        let panic = checked.expect_err(&format!("twin {flaw} was not caught"));
        let reason = panic.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        !reason.contains("exceeded")
    };
    assert!((0..TRIES).any(|_| is_caught()), "twin {flaw} was not caught: it only takes too long");
    say(&format!("  twin {end:?}: {flaw}: caught after {} schedules", begun.load(Ordering::Relaxed)));
}

fn say(line: &str) {
    use std::io::Write;
    // A closed output is no reason to fail a proof.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn shuttle_appenders_readers_and_rotation() {
    check(End::Well);
    for flaw in [LISTED_TOO_LATE, WOKEN_BEFORE_PUBLISHED, NEVER_ENDED, PUBLISHED_BEFORE_LISTED, LISTED_BEFORE_REVISION]
    {
        check_twin(End::Well, flaw);
    }
}

#[test]
fn shuttle_a_disk_that_breaks() {
    check(End::Poisoned);
    for flaw in [PUBLISHED_BEFORE_SYNCED, TRIED_AGAIN] {
        check_twin(End::Poisoned, flaw);
    }
}

#[test]
fn shuttle_a_store_that_is_closed() {
    check(End::Closed);
    for flaw in [CLOSED_AFTER_THE_SEAT, CLOSED_OVER_A_BATCH] {
        check_twin(End::Closed, flaw);
    }
}
