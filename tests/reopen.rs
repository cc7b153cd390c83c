//! A store that is opened again: the same events, numbers that go on, conditions that hold, retries that stay harmless.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::fs;
use std::path::Path;
use std::time::Duration;
use stratalog::{
    AppendError, Durability, EventStore, NewEvent, Options, Payload, Position, Revision, StoredEvent,
    StoredTransaction, position_is, stream_exists, stream_is_empty, transaction,
};

/// What a store is given up by.
#[derive(Debug, Clone, Copy)]
enum End {
    Close,
    Drop,
}

fn options(durability: Durability) -> Options {
    // Small segments, so that there are several to open.
    Options::new().durability(durability).segment_bytes(64 << 10, 128 << 10)
}

/// Runs `before` on a new store, gives that up, and runs `after` on the same store opened again; for each durability and end.
fn reopened<T>(before: impl Fn(&EventStore) -> T, after: impl Fn(&EventStore, T)) {
    for durability in [Durability::Sync, Durability::Interval(Duration::from_millis(5)), Durability::Os] {
        for end in [End::Close, End::Drop] {
            let directory = tempfile::tempdir().unwrap();
            let open = || EventStore::open_with(directory.path(), options(durability)).unwrap();
            let store = open();
            let kept = before(&store);
            if matches!(end, End::Close) {
                store.close().unwrap();
            }
            drop(store);
            after(&open(), kept);
        }
    }
}

/// An event with everything that an event can have, told apart by `number`.
fn whole_event(number: u64) -> NewEvent {
    let text = format!("{number} \u{1f980} ").repeat(200);
    NewEvent::from_payload(format!("name-{}", number % 3), Payload::text(text).with_content_type("text/plain"))
        .with_id(format!("id-{number}"))
        .with_occurred_at(format!("2020-01-01T00:00:00.{number:09}Z").parse().unwrap())
        .with_attribute("number", i64::try_from(number).unwrap())
        .with_metadata(vec![0, u8::try_from(number % 256).unwrap()])
}

fn transactions(store: &EventStore) -> Vec<StoredTransaction> {
    store.transactions(Revision::EMPTY).unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_same_events_are_there() {
    let fill = |store: &EventStore| {
        for number in 0..150 {
            let stream = format!("s-{}", number % 7);
            store.stream("c", stream).publish([whole_event(number), NewEvent::empty("empty")]).unwrap();
            store.stream(format!("d-{}", number % 2), "s").publish([NewEvent::new("typed", &number).unwrap()]).unwrap();
        }
        assert!(store.stats().unwrap().segments > 2);
        let events: Vec<Vec<StoredEvent>> = vec![
            store.log().read().unwrap(),
            store.category("c").read().unwrap(),
            store.stream("c", "s-3").read().unwrap(),
        ];
        let newest = (store.log().latest().unwrap(), store.category("d-0").latest().unwrap());
        (events, newest, store.categories().unwrap(), store.category("c").streams().unwrap(), transactions(store))
    };
    reopened(fill, |store, (events, newest, categories, streams, all)| {
        assert_eq!(store.revision().unwrap().get(), 450);
        assert_eq!(store.durable_revision().get(), 450);
        assert_eq!(store.log().read().unwrap(), events[0]);
        assert_eq!(store.category("c").read().unwrap(), events[1]);
        assert_eq!(store.stream("c", "s-3").read().unwrap(), events[2]);
        assert_eq!(store.stream("c", "s-3").scan().reverse().read().unwrap().last(), events[2].first());
        assert_eq!((store.log().latest().unwrap(), store.category("d-0").latest().unwrap()), newest);
        assert_eq!((store.categories().unwrap(), store.category("c").streams().unwrap()), (categories, streams));
        assert_eq!(transactions(store), all);
    });
}

#[test]
fn numbers_go_on() {
    let fill = |store: &EventStore| {
        store.stream("c", "s").publish([NewEvent::empty("one"), NewEvent::empty("two")]).unwrap();
        store.stream("c", "t").publish([NewEvent::empty("three")]).unwrap();
        store.log().latest().unwrap().unwrap()
    };
    reopened(fill, |store, last| {
        let receipt = store.category("c").publish([("s", [NewEvent::empty("four")]), ("u", [NewEvent::empty("five")])]);
        let found = store.events_of(&receipt.unwrap()).unwrap();
        let places = found.iter().map(|event| (event.sequence_number().get(), event.position().get()));
        assert_eq!(places.collect::<Vec<_>>(), [(3, 2), (4, 0)]);
        assert!(found[0].recorded_at() >= last.recorded_at());
        assert_eq!(store.stream("c", "s").read().unwrap().len(), 3);
    });
}

#[test]
fn conditions_hold() {
    let fill = |store: &EventStore| {
        store.stream("c", "s").publish([NewEvent::empty("one"), NewEvent::empty("two")]).unwrap();
    };
    reopened(fill, |store, ()| {
        let (known, unknown, next) = (store.stream("c", "s"), store.stream("c", "t"), || [NewEvent::empty("next")]);
        let AppendError::Unmet(unmet) = known.publish_if(next(), position_is(0)).unwrap_err() else { panic!() };
        assert_eq!((unmet.expected, unmet.actual), (position_is(0), Some(Position::new(1))));
        assert!(known.publish_if(next(), stream_is_empty()).unwrap_err().is_conflict());
        assert!(unknown.publish_if(next(), stream_exists()).unwrap_err().is_conflict());
        assert_eq!(store.revision().unwrap().get(), 2);
        known.publish_if(next(), position_is(1)).unwrap();
        unknown.publish_if(next(), stream_is_empty()).unwrap();
    });
}

#[test]
fn a_repeated_transaction_returns_the_first_receipt_and_other_content_is_refused() {
    let whole = || transaction().id("t").stream_if("c", "s", [NewEvent::empty("e")], stream_is_empty());
    let fill = |store: &EventStore| {
        let first = store.append(whole()).unwrap();
        store.stream("c", "s").publish([NewEvent::empty("later")]).unwrap();
        first
    };
    reopened(fill, |store, first| {
        let again = store.append(whole()).unwrap();
        assert_eq!(again, first);
        assert!(again.is_repeat() && !first.is_repeat());
        let other = store.append(transaction().id("t").stream("c", "s", [NewEvent::empty("f")])).unwrap_err();
        let AppendError::DuplicateTransaction { id, first: known } = other else { panic!("{other}") };
        assert_eq!((&*id, *known), ("t", first));
        assert_eq!(store.revision().unwrap().get(), 2);
        assert_eq!(store.transaction("t").unwrap().unwrap().events().len(), 1);
    });
}

fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn an_unfinished_write_at_the_end_is_cut_off_and_numbers_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = EventStore::open_with(directory.path(), options(Durability::Os)).unwrap();
    let end = || usize::try_from(store.stats().unwrap().log_bytes).unwrap();
    store.stream("c", "s").publish([whole_event(1), whole_event(2)]).unwrap();
    let begin = end();
    store.append(transaction().id("t").stream("c", "s", [whole_event(3)]).stream("d", "s", [whole_event(4)])).unwrap();
    let kept = store.log().scan().limit(2).read().unwrap();
    let end = end();
    for cut in (begin..end).step_by((end - begin) / 6) {
        let image = tempfile::tempdir().unwrap();
        // The store is not closed: the copy is what a crash leaves.
        copy(directory.path(), image.path());
        let segment = image.path().join("0000000001.segment");
        let mut bytes = fs::read(&segment).unwrap();
        bytes[cut..].fill(0);
        fs::write(&segment, bytes).unwrap();
        let store = EventStore::open_with(image.path(), options(Durability::Os)).unwrap();
        assert_eq!(store.log().read().unwrap(), kept, "cut at byte {} of {}", cut - begin, end - begin);
        assert!(store.transaction("t").unwrap().is_none());
        let receipt = store.stream("c", "s").publish_if([whole_event(5)], position_is(1)).unwrap();
        assert_eq!((receipt.basis().get(), receipt.last_position()), (2, Some(Position::new(2))));
        store.stream("d", "s").publish_if([whole_event(6)], stream_is_empty()).unwrap();
    }
}
