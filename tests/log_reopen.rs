//! Reopening a store on disk: everything is there again, and goes on where it was.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

mod log_common;

use log_common::*;
use std::path::Path;
use std::time::Duration;
use stratalog::{
    AppendError, Durability, EventStore, FixedClock, NewEvent, OpenMode, Options, SystemRecord, Timestamp, Transaction,
    Verdict, position_is, stream_is_empty, transaction,
};

const DURABILITIES: [Durability; 3] =
    [Durability::Sync, Durability::Os, Durability::Interval(Duration::from_millis(20))];

fn transfer(cents: u64) -> Transaction {
    transaction()
        .id("transfer-7")
        .attribute("message", "rent")
        .stream("accounts", "acc-42", [event("withdrawn", cents)])
        .stream("ledger", "2024", [event("moved", cents), event("noted", cents)])
        .record(SystemRecord::set("test", "cursor", "7"))
}

/// Closes and opens a store, and checks that nothing has changed on the way.
fn reopen(store: EventStore, path: &Path, options: Options) -> EventStore {
    let before = rows(&store);
    store.close().unwrap();
    drop(store);
    assert_eq!(verdict(path), Verdict::Clean);
    let store = open(path, options);
    same(&rows(&store), &before);
    assert_eq!(store.durable_revision(), store.revision().unwrap());
    store
}

#[test]
fn numbers_positions_conditions_ids_and_records_go_on() {
    for durability in DURABILITIES {
        let (_dir, path) = place();
        let options = || small().durability(durability);
        let store = open(&path, options());
        store.stream("accounts", "acc-42").publish([event("opened", 0)]).unwrap();
        let first = store.append(transfer(500)).unwrap();
        let store = reopen(store, &path, options());
        let account = store.stream("accounts", "acc-42");
        assert!(account.publish_if([event("x", 0)], stream_is_empty()).unwrap_err().is_conflict());
        assert!(account.publish_if([event("x", 0)], position_is(0)).unwrap_err().is_conflict());
        let receipt = account.publish_if([event("deposited", 1)], position_is(1)).unwrap();
        assert_eq!((receipt.first_sequence_number().unwrap().get(), receipt.last_position().unwrap().get()), (4, 2));
        assert_eq!(store.record("test", "cursor").unwrap().as_deref(), Some(&b"7"[..]));
        let again = store.append(transfer(500)).unwrap();
        assert!(again.is_repeat() && !first.is_repeat());
        assert_eq!(
            (again.basis(), again.revision(), again.count(), again.last_position(), again.recorded_at()),
            (first.basis(), first.revision(), first.count(), first.last_position(), first.recorded_at())
        );
        let other = store.append(transfer(501)).unwrap_err();
        let AppendError::DuplicateTransaction { id, first: known } = other else { panic!("{other}") };
        assert_eq!((&*id, known.revision()), ("transfer-7", first.revision()));
        let stored = store.transaction("transfer-7").unwrap().unwrap();
        assert_eq!((stored.revision(), stored.records().len()), (first.revision(), 1));
        assert_eq!(rows(&store).len(), 5);
    }
}

#[test]
fn system_records_are_kept_replaced_and_removed() {
    let (_dir, path) = place();
    let mut store = open(&path, small());
    for round in 0..50_u32 {
        let value = round.to_le_bytes().to_vec();
        let mut change = transaction().record(SystemRecord::set("n", "last", value.clone()));
        change = change.record(SystemRecord::set("n", format!("{round:02}"), vec![round as u8; 500]));
        if round >= 10 {
            change = change.record(SystemRecord::remove("n", format!("{:02}", round - 10)));
        }
        store.append(change).unwrap();
        if round % 7 == 0 {
            store = reopen(store, &path, small());
        }
        assert_eq!(store.record("n", "last").unwrap().unwrap(), value);
    }
    let store = reopen(store, &path, small());
    let kept: Vec<String> = store.records("n").unwrap().iter().map(|(key, _)| key.to_string()).collect();
    let expected: Vec<String> = (40..50).map(|key| key.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!((kept, store.revision().unwrap().get()), (expected, 0));
    assert!(store.stats().unwrap().segments > 1);
}

#[test]
fn recorded_times_never_go_backwards_and_a_late_clock_is_told() {
    let (_dir, path) = place();
    let at = |text: &str| small().clock(FixedClock(text.parse::<Timestamp>().unwrap()));
    let publish = |store: &EventStore| store.stream("c", "s").publish([event("n", 1)]).unwrap();
    let store = open(&path, at("2024-01-01T12:00:00Z"));
    assert!(!publish(&store).clock_is_behind());
    drop(store);
    for (now, behind) in [
        ("2024-01-01T11:00:00Z", false),
        ("2024-01-01T10:59:59.999Z", true),
        ("1970-01-01T00:00:00Z", true),
        ("2024-01-01T12:00:00Z", false),
    ] {
        let store = open(&path, at(now));
        let receipt = publish(&store);
        assert_eq!(receipt.recorded_at().to_string(), "2024-01-01T12:00:00Z");
        assert_eq!(receipt.clock_is_behind(), behind, "{now}");
    }
    let store = open(&path, at("2024-06-01T00:00:00Z"));
    assert_eq!(publish(&store).recorded_at().to_string(), "2024-06-01T00:00:00Z");
    let times: Vec<String> = rows(&store).into_iter().map(|row| row.recorded_at).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn many_segments_read_the_same_after_each_opening() {
    for durability in DURABILITIES {
        let (_dir, path) = place();
        let options = || small().durability(durability);
        let mut store = open(&path, options());
        for round in 0..4 {
            for number in 0..60 {
                let stream = store.stream("c", format!("s-{}", number % 7));
                stream
                    .publish([NewEvent::new("n", &"x".repeat(700)).unwrap(), event("m", round * 100 + number)])
                    .unwrap();
            }
            store = reopen(store, &path, options());
        }
        let stats = store.stats().unwrap();
        assert!(stats.segments >= 12, "{stats:?}");
        assert_eq!((stats.events, stats.transactions, stats.streams), (480, 240, 7));
    }
}

#[test]
fn transactions_bigger_than_a_segment_get_one_of_their_own() {
    let (_dir, path) = place();
    let mut store = open(&path, Options::new().segment_bytes(SMALL, SMALL * 2));
    for bytes in [1, SMALL as usize - 4_096 - 400, SMALL as usize, SMALL as usize * 3, 1 << 20, 1] {
        let whole = (0..3).map(|part| event("small", part)).chain([NewEvent::new("big", &"y".repeat(bytes)).unwrap()]);
        store.stream("c", "s").publish(whole).unwrap();
        let last = store.stream("c", "s").latest().unwrap().unwrap();
        assert_eq!(last.decode::<String>().unwrap().len(), bytes);
        store = reopen(store, &path, Options::new().segment_bytes(SMALL, SMALL * 2));
    }
    assert_eq!(store.revision().unwrap().get(), 24);
}

#[test]
fn a_transaction_over_the_limit_writes_nothing() {
    let (_dir, path) = place();
    let mut limits = stratalog::Limits::new();
    limits.transaction_bytes = 10_000;
    let store = open(&path, small().limits(limits));
    let error = store.stream("c", "s").publish([NewEvent::new("big", &"y".repeat(10_000)).unwrap()]).unwrap_err();
    assert!(matches!(error, AppendError::Limit(_)), "{error}");
    store.stream("c", "s").publish([NewEvent::new("fits", &"y".repeat(9_000)).unwrap()]).unwrap();
    assert_eq!(rows(&reopen(store, &path, small())).len(), 1);
}

#[test]
fn events_without_payload_and_with_an_empty_one_stay_apart() {
    let (_dir, path) = place();
    let store = open(&path, small());
    let stream = store.stream("", "");
    stream.publish([NewEvent::empty("none"), NewEvent::new("text", "").unwrap().with_metadata(vec![])]).unwrap();
    stream.publish([NewEvent::empty("")]).unwrap();
    let kinds = |store: &EventStore| {
        let events = store.stream("", "").read().unwrap();
        events
            .iter()
            .map(|event| (format!("{:?}", event.payload()), event.metadata().map(<[u8]>::len)))
            .collect::<Vec<_>>()
    };
    let before = kinds(&store);
    assert_eq!((before[0].1, before[1].1), (None, Some(0)), "absent metadata is not empty metadata");
    assert_ne!(before[0].0, before[1].0);
    let store = reopen(store, &path, small());
    assert_eq!(kinds(&store), before);
}

#[test]
fn ten_thousand_streams() {
    let (_dir, path) = place();
    let options = || small().segment_bytes(64 << 10, 256 << 10);
    let store = open(&path, options());
    for first in (0..10_000).step_by(500) {
        let mut whole = transaction();
        for number in first..first + 500 {
            whole = whole.stream(format!("c-{}", number % 10), format!("s-{number:05}"), [event("n", number)]);
        }
        store.append(whole).unwrap();
    }
    let store = reopen(store, &path, options());
    let stats = store.stats().unwrap();
    assert_eq!((stats.events, stats.streams, stats.categories, stats.transactions), (10_000, 10_000, 10, 20));
    for number in [0_u64, 4_999, 9_999] {
        let stream = store.stream(format!("c-{}", number % 10), format!("s-{number:05}"));
        assert_eq!(stream.latest().unwrap().unwrap().decode::<u64>().unwrap(), number);
        assert!(stream.publish_if([event("n", 0)], stream_is_empty()).unwrap_err().is_conflict());
        stream.publish_if([event("n", 0)], position_is(0)).unwrap();
    }
    assert_eq!(store.category("c-3").streams().unwrap().len(), 1_000);
}

/// What a copy taken while the store was in use holds: no close, and the next segment prepared perhaps.
#[test]
fn a_reader_of_a_store_that_was_not_closed_sees_all_of_it_and_writes_nothing() {
    for durability in DURABILITIES {
        let (dir, path) = place();
        let store = open(&path, small().durability(durability));
        for number in 0..300 {
            store
                .stream("c", "s")
                .publish([NewEvent::new("n", &"x".repeat(100)).unwrap(), event("m", number)])
                .unwrap();
        }
        let expected = rows(&store);
        let copied = dir.path().join("copied");
        put_files(&copied, &files(&path));
        let before = files(&copied);
        for _ in 0..2 {
            let reader = open(&copied, small().mode(OpenMode::ReadOnly));
            same(&rows(&reader), &expected);
            let refused = reader.stream("c", "s").publish([event("n", 1)]).unwrap_err();
            assert!(matches!(refused, AppendError::ReadOnly), "{refused}");
            reader.close().unwrap();
            assert_eq!(files(&copied), before, "a reader writes nothing");
        }
        let writer = open(&copied, small().durability(durability));
        same(&rows(&writer), &expected);
        writer.stream("c", "s").publish([event("n", 1)]).unwrap();
        assert_eq!(rows(&reopen(writer, &copied, small())).len(), expected.len() + 1);
    }
}

#[test]
fn a_reader_sees_the_valid_part_of_a_torn_store() {
    let (_dir, path) = place();
    let store = open(&path, small());
    for number in 0..20 {
        store.stream("c", "s").publish([event("n", number)]).unwrap();
    }
    let expected = rows(&store);
    let mut torn = files(&path);
    drop(store);
    let bytes = torn.get_mut(&segment(1)).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes[end - 9] ^= 1;
    put_files(&path, &torn);
    assert!(matches!(verdict(&path), Verdict::Torn { segment: 1, .. }));
    same(&rows(&open(&path, small().mode(OpenMode::ReadOnly))), &expected[..19]);
    assert_eq!(files(&path), torn, "a reader writes nothing");
    assert!(matches!(verdict(&path), Verdict::Torn { segment: 1, .. }));
}

/// The next segment is prepared by another thread while the writer makes one on the spot: never two under one name.
#[test]
fn rotations_that_race_with_preparation_lose_no_segment() {
    for round in 0..8 {
        let (_dir, path) = place();
        let durability = if round % 2 == 0 { Durability::Os } else { Durability::Sync };
        let store = open(&path, small().durability(durability));
        let mut expected = 0;
        for _ in 0..30 {
            // Three to a segment: half full and full come close together.
            store.stream("c", "s").publish([NewEvent::new("n", &"x".repeat(4_000 - round)).unwrap()]).unwrap();
            expected += 1;
        }
        let events = store.log().read().unwrap();
        assert_eq!(events.len(), expected);
        drop(reopen(store, &path, small()));
    }
}
