//! Group commit, rotation, poison and close under the model checker, three threads at most.

use super::*;
use crate::vocabulary::sync::proof::Proof;
use loom::thread::{JoinHandle, spawn};

fn start<T: 'static>(small: &Arc<Small>, task: fn(&Small) -> T) -> JoinHandle<T> {
    let small = Arc::clone(small);
    spawn(move || task(&small))
}

/// Two append: one leads for both, or each leads in turn. All are told that their event is visible, and nobody sleeps on.
fn group_commit(flaw: Flaw) {
    let small = Small::new(flaw);
    let other = start(&small, Small::append);
    for fate in [small.append(), other.join().unwrap()] {
        assert_eq!(fate.0, Fate::Visible);
        small.check(fate);
    }
    small.check_disk();
}

#[test]
fn loom_group_commit() {
    Proof {
        name: "group commit: hand-off and wake-up",
        model: group_commit,
        flaws: &[WOKEN_BEFORE_PUBLISHED, NEVER_ENDED],
        files: &[],
        spared: &[],
    }
    .run();
}

/// The disk breaks while two append: each is told the truth, and both are told.
fn poison(flaw: Flaw) {
    let small = Small::new(flaw);
    let other = start(&small, Small::append);
    let breaker = start(&small, |small| small.broken.store(true, Ordering::Release));
    let fates = [small.append(), other.join().unwrap()];
    breaker.join().unwrap();
    for fate in fates {
        small.check(fate);
    }
}

/// A chore finds that the disk is broken while a leader hangs in a sync: who waits for that leader is told all the same.
fn poison_from_elsewhere(flaw: Flaw) {
    let small = Small::new(flaw);
    let mut leader = Visit::new(place(1, 1), Once(true));
    assert_eq!(small.gathering.next(&mut leader, || false), Role::Lead);
    let waiter = start(&small, Small::append);
    small.poison();
    let fate = waiter.join().unwrap();
    assert_ne!(fate.0, Fate::Visible);
    small.gathering.end(leader.place, small.horizon.end());
}

/// The disk is broken, and a leader and `sync()` find out at once: what is lost is never acknowledged, whichever is told.
fn two_sync(flaw: Flaw) {
    let small = Small::new(flaw);
    small.broken.store(true, Ordering::Release);
    let other = start(&small, Small::sync_visible);
    let fate = small.append();
    other.join().unwrap();
    assert_ne!(fate.0, Fate::Visible, "acknowledged, and lost");
}

#[test]
fn loom_sync_beside_a_leader() {
    Proof {
        name: "sync beside a leader",
        model: two_sync,
        flaws: &[TWO_SYNCS_AT_ONCE, WRITTEN_AFTER_POISON],
        files: &[],
        spared: &[],
    }
    .run();
}

#[test]
fn loom_poison_by_the_leader() {
    Proof {
        name: "poison by the leader against waiters",
        model: poison,
        flaws: &[PUBLISHED_BEFORE_SYNCED, TRIED_AGAIN],
        files: &[],
        spared: &[],
    }
    .run();
}

#[test]
fn loom_poison_from_elsewhere() {
    Proof {
        name: "poison from elsewhere against waiters",
        model: poison_from_elsewhere,
        flaws: &[WOKEN_BEFORE_POISONED, CHECKED_BEFORE_LISTED],
        files: &[],
        spared: &[],
    }
    .run();
}

/// A store is closed while another thread appends: what is acknowledged lies before the last frame, and nothing behind it.
fn close(flaw: Flaw) {
    let small = Small::new(flaw);
    let others = [start(&small, Small::append), start(&small, Small::append)];
    small.close();
    for other in others {
        let fate = other.join().unwrap();
        assert_ne!(fate.0, Fate::Poisoned);
        small.check(fate);
    }
    small.check_disk();
}

#[test]
fn loom_close_against_append() {
    Proof {
        name: "close against append",
        model: close,
        flaws: &[CLOSED_AFTER_THE_SEAT, CLOSED_OVER_A_BATCH, ENDED_WITHOUT_WAKING],
        files: &[],
        spared: &[],
    }
    .run();
}

/// The third event goes to a second segment while another thread reads all that it may see.
fn rotation(flaw: Flaw) {
    let small = Small::new(flaw);
    let reader = start(&small, |small| {
        let first = small.read();
        assert!(first <= small.read());
    });
    for _ in 0..3 {
        assert_eq!(small.append().0, Fate::Visible);
    }
    reader.join().unwrap();
}

#[test]
fn loom_rotation_against_readers() {
    Proof {
        name: "rotation against readers",
        model: rotation,
        flaws: &[PUBLISHED_BEFORE_LISTED, LISTED_BEFORE_REVISION],
        files: &["src/vocabulary/mark.rs"],
        spared: &[],
    }
    .run();
}

/// Three append: a leader's batch holds some of the others, or none.
fn cohort(flaw: Flaw) {
    let small = Small::new(flaw);
    let others = [start(&small, Small::append), start(&small, Small::append)];
    let mut numbers = vec![small.append()];
    numbers.extend(others.map(|other| other.join().unwrap()));
    assert!(numbers.iter().all(|(fate, _)| *fate == Fate::Visible));
    numbers.sort_by_key(|(_, number)| *number);
    assert!(numbers.iter().map(|(_, number)| *number).eq(0..3), "each has a number of its own: {numbers:?}");
    small.check_disk();
}

#[test]
fn loom_cohort_of_three() {
    Proof { name: "cohort of three", model: cohort, flaws: &[LISTED_TOO_LATE], files: &[], spared: &[] }.run();
}
