//! Cases about reading while others write: whole transactions, in order, each exactly once, and nobody waits.

use super::support::{append, builder, event, events, numbers, read, save, stream};
use super::{Bench, case_list, support};
use crate::store::{EventStore, Scan};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::identifier::{Category, Identifier, Log, Stream};
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::transaction::transaction;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

case_list!(tailing:
    a_tailing_reader_of_the_log_sees_every_stream_save_once_in_order,
    a_tailing_reader_of_a_category_sees_every_stream_save_once_in_order,
    a_tailing_reader_of_a_stream_sees_every_stream_save_once_in_order,
    a_tailing_reader_of_the_log_sees_every_category_save_once_in_order,
    a_tailing_reader_of_a_category_sees_every_category_save_once_in_order,
    a_tailing_reader_of_a_stream_sees_every_category_save_once_in_order,
    a_scan_never_shows_part_of_a_transaction,
    the_newest_event_is_always_the_last_of_its_transaction,
    a_scan_shows_the_log_as_it_was_when_it_began,
    an_open_scan_blocks_no_writer,
    every_read_after_an_append_sees_it,
);

const WRITERS: usize = 4;
const CATEGORY: &str = "tailed";
const STREAM: &str = "tailed";

fn scan(store: &EventStore, target: &Identifier) -> Scan {
    match target {
        Identifier::Log(_) => store.log().scan(),
        Identifier::Category(category) => store.category(category.category()).scan(),
        Identifier::Stream(stream) => store.stream(stream.category(), stream.stream()).scan(),
    }
}

/// Ten saves to one stream, which is shared with the other writers every second time.
fn stream_saves(store: &EventStore, writer: usize) {
    for batch in 0..10 {
        let stream = if batch % 2 == 0 { STREAM.to_owned() } else { format!("of-writer-{writer}") };
        append(store, &Stream::new(CATEGORY, stream), &events(fastrand::usize(1..=10)), None).unwrap();
        append(store, &Stream::new(format!("other-{writer}"), STREAM), &[event()], None).unwrap();
    }
}

/// Ten saves to the shared stream and one of the writer's own, all or none.
fn category_saves(store: &EventStore, writer: usize) {
    for _ in 0..10 {
        let own = format!("of-writer-{writer}");
        let batch = || events(fastrand::usize(1..=5));
        store.category(CATEGORY).publish([(STREAM, batch()), (own.as_str(), batch())]).unwrap();
    }
}

/// Reads after the last event seen, over and over, while writers write; returns every event in the order it was seen.
fn tail(store: &EventStore, target: &Identifier, writer: fn(&EventStore, usize)) -> Vec<StoredEvent> {
    let writing = AtomicUsize::new(WRITERS);
    thread::scope(|scope| {
        for index in 0..WRITERS {
            let writing = &writing;
            scope.spawn(move || {
                writer(store, index);
                writing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut seen: Vec<StoredEvent> = Vec::new();
        loop {
            let done = writing.load(Ordering::SeqCst) == 0;
            let next = match seen.last() {
                Some(last) => scan(store, target).after(last.sequence_number()),
                None => scan(store, target),
            };
            seen.extend(next.read().unwrap());
            if done {
                return seen;
            }
            thread::yield_now();
        }
    })
}

fn sees_all(bench: &Bench<'_>, target: impl Into<Identifier>, writer: fn(&EventStore, usize)) {
    let target = target.into();
    for _ in 0..(bench.options.repeats / 10).max(1) {
        let store = bench.store();
        let seen = tail(&store, &target, writer);
        assert_eq!(numbers(&seen), numbers(&scan(&store, &target).read().unwrap()));
        assert!(numbers(&seen).is_sorted_by(|one, two| one < two));
        if matches!(target, Identifier::Log(_)) {
            assert_eq!(seen.len() as u64, store.revision().unwrap().get());
        }
        assert!(seen.len() >= 5 * WRITERS);
    }
}

fn a_tailing_reader_of_the_log_sees_every_stream_save_once_in_order(bench: &Bench<'_>) {
    sees_all(bench, Log::new(), stream_saves);
}

fn a_tailing_reader_of_a_category_sees_every_stream_save_once_in_order(bench: &Bench<'_>) {
    sees_all(bench, Category::new(CATEGORY), stream_saves);
}

fn a_tailing_reader_of_a_stream_sees_every_stream_save_once_in_order(bench: &Bench<'_>) {
    sees_all(bench, Stream::new(CATEGORY, STREAM), stream_saves);
}

fn a_tailing_reader_of_the_log_sees_every_category_save_once_in_order(bench: &Bench<'_>) {
    sees_all(bench, Log::new(), category_saves);
}

fn a_tailing_reader_of_a_category_sees_every_category_save_once_in_order(bench: &Bench<'_>) {
    sees_all(bench, Category::new(CATEGORY), category_saves);
}

fn a_tailing_reader_of_a_stream_sees_every_category_save_once_in_order(bench: &Bench<'_>) {
    sees_all(bench, Stream::new(CATEGORY, STREAM), category_saves);
}

/// Writes transactions of `n` events in each of two streams, alternating between the two; each event's name says how many
/// there are of it in one stream, and whether it is the stream's last.
fn write_marked(store: &EventStore, transactions: usize) {
    for _ in 0..transactions {
        let count = fastrand::usize(1..=6);
        let mut whole = transaction();
        for index in 0..count {
            for stream in [STREAM, "sibling"] {
                let last = if index + 1 == count { "last" } else { "more" };
                let event = builder().with_name(format!("{count} {last} {stream}")).build();
                whole = whole.stream(CATEGORY, stream, [event]);
            }
        }
        store.append(whole).unwrap();
    }
}

/// Runs `look` in this thread over and over while others write marked transactions.
fn while_writing(bench: &Bench<'_>, mut look: impl FnMut(&EventStore)) {
    let store = bench.store();
    let transactions = bench.options.repeats.clamp(20, 60);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2).map(|_| scope.spawn(|| write_marked(&store, transactions))).collect();
        loop {
            let done = writers.iter().all(thread::ScopedJoinHandle::is_finished);
            look(&store);
            if done {
                return;
            }
        }
    });
}

fn a_scan_never_shows_part_of_a_transaction(bench: &Bench<'_>) {
    let targets: [(Identifier, usize); 3] =
        [(Log::new().into(), 2), (Category::new(CATEGORY).into(), 2), (Stream::new(CATEGORY, STREAM).into(), 1)];
    let mut turn = 0;
    while_writing(bench, |store| {
        let (target, streams) = &targets[turn % 3];
        turn += 1;
        let reverse = turn % 2 == 0;
        let wanted = if reverse { scan(store, target).reverse() } else { scan(store, target) };
        let mut found: BTreeMap<Revision, (usize, usize)> = BTreeMap::new();
        for event in wanted.read().unwrap() {
            let count: usize = event.name().split(' ').next().unwrap().parse().unwrap();
            found.entry(event.transaction_basis()).or_insert((0, count * streams)).0 += 1;
        }
        for (basis, (shown, whole)) in found {
            assert_eq!(shown, whole, "part of the transaction at {basis} in the {target}");
        }
    });
}

fn the_newest_event_is_always_the_last_of_its_transaction(bench: &Bench<'_>) {
    while_writing(bench, |store| {
        let revision = store.revision().unwrap();
        let newest = [store.log().latest(), store.category(CATEGORY).latest()];
        for event in newest.into_iter().filter_map(Result::unwrap) {
            assert_eq!(event.revision(), event.transaction_revision());
            assert!(event.name().ends_with(" last sibling"));
            assert!(event.revision() >= revision, "the log went back");
        }
        if let Some(event) = store.stream(CATEGORY, STREAM).latest().unwrap() {
            assert!(event.name().ends_with(" last tailed"));
        }
        let shown = store.log().scan().at(revision).read().unwrap();
        assert_eq!(shown.len() as u64, revision.get());
        assert!(shown.last().is_none_or(|event| event.transaction_revision() == revision));
    });
}

fn a_scan_shows_the_log_as_it_was_when_it_began(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved = save(&store, &one, &events(600));
    let handle = store.stream(one.category(), one.stream());
    let scans = [store.log().scan(), store.category(one.category()).scan(), handle.scan()];
    for scan in scans {
        let expected = store.log().read().unwrap();
        let mut shown = Vec::new();
        for event in scan.clone() {
            if shown.len() % 100 == 0 {
                save(&store, &one, &events(3));
            }
            shown.push(event.unwrap());
        }
        assert_eq!(shown, expected);
        assert!(scan.read().unwrap().len() > shown.len(), "a scan that is run again begins anew");
    }
    assert_eq!(read(&store, &one)[..600], saved);
}

fn an_open_scan_blocks_no_writer(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    save(&store, &one, &events(600));
    let mut open: Vec<_> = (0..8).map(|_| store.log().scan().into_iter()).collect();
    let mut lent = 0;
    let (sender, receiver) = std::sync::mpsc::channel();
    store
        .log()
        .scan()
        .visit(|_| {
            if lent == 0 {
                let (store, one, sender) = (store.clone(), one.clone(), sender.clone());
                let writer = thread::spawn(move || {
                    for _ in 0..50 {
                        save(&store, &one, &events(2));
                    }
                    let _ = sender.send(());
                });
                receiver.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
                writer.join().unwrap();
            }
            lent += 1;
        })
        .unwrap();
    assert_eq!(lent, 600);
    for scan in &mut open {
        assert_eq!(scan.next().unwrap().unwrap().sequence_number(), SequenceNumber::new(0));
    }
    store.close().unwrap();
    for scan in &mut open {
        for event in scan {
            match event {
                Ok(event) => assert!(event.sequence_number().get() < 600),
                Err(error) => assert!(matches!(error, ReadError::Closed), "{error}"),
            }
        }
    }
}

fn every_read_after_an_append_sees_it(bench: &Bench<'_>) {
    let store = bench.store();
    support::at_once(WRITERS, |_| {
        let one = stream();
        let handle = store.stream(one.category(), one.stream());
        for count in 1..=25 {
            let receipt = handle.publish([event()]).unwrap();
            assert!(store.revision().unwrap() >= receipt.revision());
            assert_eq!(handle.read().unwrap().len(), count);
            assert_eq!(handle.latest().unwrap().unwrap().revision(), receipt.revision());
            assert_eq!(store.category(one.category()).read().unwrap().len(), count);
            assert!(store.log().latest().unwrap().unwrap().revision() >= receipt.revision());
            assert!(store.categories().unwrap().iter().any(|name| name == one.category()));
        }
    });
}
