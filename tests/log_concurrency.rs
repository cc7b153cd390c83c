//! Threads at work on one store on disk: readers never wait, appenders never mix, and closing comes in between.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use stratalog::{
    AppendError, Condition, Durability, EventStore, OpenError, Options, ReadError, Receipt, Retry, Revision,
    position_is, transaction,
};

const DURABILITIES: [Durability; 2] = [Durability::Sync, Durability::Os];

/// A condition that says that it is being judged, and then blocks until it is told to go on.
fn blocking() -> (Condition, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (entered, is_in) = mpsc::channel();
    let (release, wait) = mpsc::channel();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let condition = Condition::custom("blocks", move |_| {
        entered.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        true
    });
    (condition, is_in, release)
}

/// Runs `work` while a writer sits frozen in its seat; then lets it go on, and returns what it got.
fn beside_a_frozen_writer(store: &EventStore, work: impl FnOnce()) -> Result<Receipt, AppendError> {
    let (condition, is_in, release) = blocking();
    thread::scope(|scope| {
        let writer = scope.spawn(|| store.stream("frozen", "s").publish_if([event("n", 1)], condition));
        is_in.recv().unwrap();
        // Dropped on every way out, so that a failed check leaves nobody frozen.
        let release = release;
        work();
        drop(release);
        writer.join().unwrap()
    })
}

/// Reads of every kind: 8 of them.
fn read_everything(store: &EventStore, number: u64) {
    let name = format!("s-{}", number % 10);
    let stream = store.stream("c", name.as_str());
    assert_eq!(stream.latest().unwrap().unwrap().stream(), name);
    assert_eq!(stream.scan().from_position(stratalog::Position::new(3)).limit(2).read().unwrap().len(), 2);
    assert_eq!(store.log().scan().reverse().limit(2).read().unwrap().len(), 2);
    assert_eq!(store.category("c").scan().limit(3).read().unwrap().len(), 3);
    assert_eq!(store.category("c").streams().unwrap().len(), 10);
    assert_eq!(store.categories().unwrap(), ["c"]);
    assert_eq!(store.revision().unwrap().get(), 200);
    let mut seen = 0;
    store.log().scan().limit(5).visit(|event| seen += event.name().len()).unwrap();
    assert_eq!(seen, 5);
}

#[test]
fn readers_go_on_beside_a_frozen_writer_and_appenders_time_out() {
    for durability in DURABILITIES {
        let (_dir, path) = place();
        let store = open(&path, small().durability(durability).append_deadline(Duration::from_millis(60)));
        for number in 0..20 {
            store
                .append((0..10).fold(transaction(), |t, s| t.stream("c", format!("s-{s}"), [event("n", number)])))
                .unwrap();
        }
        let outcome = beside_a_frozen_writer(&store, || {
            thread::scope(|scope| {
                for first in 0..2_u64 {
                    let store = &store;
                    scope.spawn(move || (0..3_200).for_each(|number| read_everything(store, first + number)));
                }
                for _ in 0..2 {
                    let begun = Instant::now();
                    let error = store.stream("c", "other").publish([event("n", 1)]).unwrap_err();
                    assert!(matches!(error, AppendError::TimedOut { .. }) && error.retry() == Retry::Safe, "{error}");
                    assert!(begun.elapsed() >= Duration::from_millis(60));
                }
            });
            assert_eq!(store.revision().unwrap().get(), 200, "nothing of theirs is written");
        });
        assert_eq!(outcome.unwrap().revision().get(), 201);
        store.stream("c", "other").publish_if([event("n", 1)], stratalog::stream_is_empty()).unwrap();
        let before = rows(&store);
        drop(store);
        same(&rows(&open(&path, small())), &before);
    }
}

/// Closing cannot take the seat either: it says so, and the store stays open and locked, since its writer may yet write.
#[test]
fn a_store_does_not_close_under_a_frozen_writer() {
    for durability in DURABILITIES {
        let (_dir, path) = place();
        let store = open(&path, small().durability(durability).append_deadline(Duration::from_millis(30)));
        let outcome = beside_a_frozen_writer(&store, || {
            let error = store.close().unwrap_err();
            assert!(matches!(error, AppendError::TimedOut { .. }), "{error}");
            assert!(matches!(refused(&path, small()), OpenError::AlreadyOpen { .. }), "two writers on one store");
            assert_eq!(store.log().read().unwrap().len(), 0);
        });
        assert_eq!(outcome.unwrap().revision().get(), 1);
        store.close().unwrap();
        assert_eq!(rows(&open(&path, small())).len(), 1);
    }
}

#[test]
fn everything_that_eight_appenders_were_told_is_there_after_reopening() {
    let (_dir, path) = place();
    let store = open(&path, small().durability(Durability::Sync));
    let told = Mutex::new(BTreeSet::new());
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for writer in 0..8_u64 {
            let (store, told, start) = (&store, &told, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..60 {
                    let stream = store.stream("c", format!("s-{}", (writer + number) % 4));
                    let receipt = stream.publish([event(&format!("w-{writer}"), number)]).unwrap();
                    assert!(store.durable_revision() >= receipt.revision(), "an acknowledged event is durable");
                    assert!(store.revision().unwrap() >= receipt.revision(), "and visible");
                    let (first, last) = (receipt.first_sequence_number().unwrap(), receipt.last_position().unwrap());
                    let name = format!("w-{writer}");
                    assert!(told.lock().unwrap().insert((
                        first.get(),
                        stream.identifier().stream().to_owned(),
                        last.get(),
                        name
                    )));
                }
            });
        }
    });
    drop(store);
    let found = rows(&open(&path, small()));
    let found: BTreeSet<_> = found.into_iter().map(|row| (row.number, row.stream, row.position, row.name)).collect();
    assert_eq!(found, told.into_inner().unwrap());
}

/// Each position of each stream has one winner; who loses is told the condition's error and nothing else.
#[test]
fn positions_are_won_once_each_and_without_gaps() {
    for durability in DURABILITIES {
        let (_dir, path) = place();
        let store = open(&path, small().durability(durability));
        let won = Mutex::new(BTreeSet::new());
        thread::scope(|scope| {
            for writer in 0..8_u64 {
                let (store, won) = (&store, &won);
                scope.spawn(move || {
                    for number in 0..50 {
                        let stream = format!("s-{}", (writer + number) % 4);
                        let handle = store.stream("c", stream.as_str());
                        let last = handle.latest().unwrap().map(|event| event.position());
                        match handle.publish_if([event("n", writer)], position_is(last)) {
                            Ok(receipt) => {
                                let position = receipt.last_position().unwrap().get();
                                assert_eq!(position, last.map_or(0, |last| last.get() + 1));
                                assert!(won.lock().unwrap().insert((stream, position)), "won twice");
                            }
                            Err(error) => assert!(error.is_conflict(), "{error}"),
                        }
                    }
                });
            }
        });
        let found: BTreeSet<_> = rows(&store).into_iter().map(|row| (row.stream, row.position)).collect();
        assert_eq!(found, won.into_inner().unwrap());
    }
}

/// Every transaction puts two events into each of two categories.
#[test]
fn no_view_ever_shows_part_of_a_transaction() {
    for durability in [Durability::Sync, Durability::Os, Durability::Interval(Duration::from_millis(2))] {
        let (_dir, path) = place();
        let store = open(&path, small().durability(durability));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    while !done.load(Ordering::Relaxed) {
                        let a = store.category("a").read().unwrap();
                        let stream = store.stream("b", "s").read().unwrap();
                        let b = store.category("b").scan().reverse().read().unwrap();
                        let log = store.log().read().unwrap();
                        assert!(a.len() >= last && stream.len() >= a.len() && b.len() >= stream.len());
                        assert!(log.len() >= 2 * b.len());
                        last = a.len();
                        assert_eq!((a.len() % 2, stream.len() % 2, b.len() % 2, log.len() % 4), (0, 0, 0, 0));
                        assert!(log.iter().enumerate().all(|(index, event)| {
                            let whole = (event.transaction_basis().get(), event.transaction_revision().get());
                            whole == (index as u64 / 4 * 4, index as u64 / 4 * 4 + 4)
                        }));
                    }
                });
            }
            let count = if durability == Durability::Sync { 100 } else { 400 };
            for number in 0..count {
                let pair = || [event("n", number), event("m", number)];
                store
                    .append(transaction().stream("a", format!("{}", number % 3), pair()).stream("b", "s", pair()))
                    .unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        assert!(store.stats().unwrap().segments > 1);
    }
}

#[test]
fn a_scan_goes_on_through_twenty_rotations_as_it_was_begun() {
    let (_dir, path) = place();
    let store = open(&path, small());
    fill(&store, 60);
    let (expected, segments) = (rows(&store), store.stats().unwrap().segments);
    let mut scans: Vec<_> = (0..20)
        .map(|begun| {
            let mut scan = if begun % 2 == 0 { store.log().scan() } else { store.log().scan().reverse() }.into_iter();
            let first: Vec<Row> = scan.by_ref().take(begun * 3).map(|event| row(&event.unwrap())).collect();
            (begun, scan, first)
        })
        .collect();
    while store.stats().unwrap().segments < segments + 20 {
        fill(&store, 10);
    }
    for (begun, scan, found) in &mut scans {
        found.extend(scan.map(|event| row(&event.unwrap())));
        if *begun % 2 == 1 {
            found.reverse();
        }
        // One that had not begun to read may have begun later.
        same(&found[..if *begun == 0 { expected.len() } else { found.len() }], &expected);
    }
}

#[test]
fn a_condition_that_panics_refuses_its_own_append_alone() {
    for durability in DURABILITIES {
        let (_dir, path) = place();
        let store = open(&path, small().durability(durability));
        let stream = store.stream("c", "s");
        for number in 0..3 {
            let panics = Condition::custom("panics", |_| panic!("on purpose"));
            let error = stream.publish_if([event("never", 1)], panics).unwrap_err();
            let AppendError::ConditionPanicked { condition, message } = &error else { panic!("{error}") };
            assert_eq!((&**condition, message.as_str()), ("panics", "on purpose"));
            stream.publish([event("n", number)]).unwrap();
        }
        drop((stream, store));
        assert!(rows(&open(&path, small())).iter().all(|row| row.name == "n"));
    }
}

#[test]
fn a_call_from_inside_a_condition_is_a_typed_error() {
    let (_dir, path) = place();
    let store = open(&path, small());
    let inner = store.clone();
    let calls = Condition::custom("calls", move |_| {
        let stream = inner.stream("c", "s");
        assert!(matches!(stream.publish([event("inner", 1)]), Err(AppendError::CalledFromCondition)));
        assert!(matches!(stream.read(), Err(ReadError::CalledFromCondition)));
        assert!(matches!(stream.latest(), Err(ReadError::CalledFromCondition)));
        assert!(matches!(inner.sync(), Err(AppendError::CalledFromCondition)));
        assert!(matches!(inner.close(), Err(AppendError::CalledFromCondition)));
        true
    });
    store.stream("c", "s").publish_if([event("outer", 1)], calls).unwrap();
    assert_eq!(rows(&store).len(), 1);
}

#[test]
fn interval_catches_up_without_further_appends() {
    let (_dir, path) = place();
    let store = open(&path, small().durability(Durability::Interval(Duration::from_millis(30))));
    for round in 1..=3 {
        let receipt = store.stream("c", "s").publish([event("n", round)]).unwrap();
        assert_eq!((receipt.durability(), store.revision().unwrap()), (store.durability(), receipt.revision()));
        store.wait_durable(receipt.revision(), Duration::from_secs(20)).unwrap();
        assert_eq!(store.durable_revision(), receipt.revision());
    }
}

#[test]
fn waiting_for_durability_ends_by_sync_by_time_or_at_once() {
    let (_dir, path) = place();
    let store = open(&path, small());
    let revision = store.stream("c", "s").publish([event("n", 1)]).unwrap().revision();
    assert!(store.durable_revision() < revision);
    let short = Duration::from_millis(20);
    let error = store.wait_durable(revision, short).unwrap_err();
    assert!(
        matches!(error, ReadError::TimedOut { wanted, waited } if wanted == revision && waited >= short),
        "{error}"
    );
    let error = store.wait_durable(Revision::new(2), short).unwrap_err();
    assert!(matches!(error, ReadError::NotReached { at, .. } if at == revision), "{error}");
    thread::scope(|scope| {
        let waiter = scope.spawn(|| store.wait_durable(revision, Duration::from_secs(20)));
        assert_eq!(store.sync().unwrap(), revision);
        waiter.join().unwrap().unwrap();
    });
    store.wait_durable(revision, Duration::ZERO).unwrap();
}

/// Appends until the store is closed, and notes what was acknowledged.
fn append_until_closed(store: &EventStore, writer: u64, told: &Mutex<BTreeSet<u64>>, count: &AtomicU64) {
    for number in 0.. {
        match store.stream("c", format!("w-{writer}")).publish([event("n", number)]) {
            Ok(receipt) => assert!(told.lock().unwrap().insert(receipt.revision().get())),
            Err(AppendError::Closed) => return,
            Err(other) => panic!("{other}"),
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a frame that closes the store says of its kind.
const CLOSE: u8 = 4;

fn close_beside_appenders(path: &Path, options: Options, round: u64) {
    let store = open(path, options);
    let (told, count) = (Mutex::new(BTreeSet::new()), AtomicU64::new(0));
    let before = store.revision().unwrap().get();
    thread::scope(|scope| {
        for writer in 0..4 {
            let (store, told, count) = (&store, &told, &count);
            scope.spawn(move || append_until_closed(store, writer, told, count));
        }
        while count.load(Ordering::Relaxed) < 20 + round {
            thread::yield_now();
        }
        store.close().unwrap();
        let last = files(path).pop_last().unwrap().1;
        let frames = frames(&last);
        assert_eq!(
            last[frames[frames.len() - 2] + 8],
            CLOSE,
            "nothing is written behind the frame that closes the store"
        );
        // At once: whoever still holds the old store can do nothing to it any more.
        let again = open(path, small());
        let reached = again.revision().unwrap().get();
        assert_eq!(rows(&again).len() as u64, reached);
        again.stream("c", "again").publish([event("n", 1)]).unwrap();
        drop(again);
    });
    let told = told.into_inner().unwrap();
    assert_eq!(told.len() as u64, told.last().unwrap() - before, "every acknowledged revision is there once");
    let reopened = open(path, small());
    assert_eq!(reopened.revision().unwrap().get(), told.last().unwrap() + 1);
    drop(reopened);
    assert_eq!(verdict(path), stratalog::Verdict::Clean);
}

#[test]
fn closing_beside_appenders_keeps_all_that_was_acknowledged() {
    for durability in DURABILITIES {
        let (_dir, path) = place();
        for round in 0..12 {
            close_beside_appenders(&path, small().durability(durability), round);
        }
    }
}
