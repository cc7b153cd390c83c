//! Tests of scans as users build them.

use super::*;

fn filled(store: EventStore, count: usize) -> EventStore {
    store.stream("c", "s").publish(events(count)).unwrap();
    store
}

#[test]
fn can_be_left_early_by_a_visitor_that_breaks() {
    on_both(|store| {
        let store = filled(store, 600);
        let mut seen = 0;
        store
            .log()
            .scan()
            .visit(|event| {
                seen += 1;
                if event.sequence_number().get() == 300 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!(seen, 301);
    });
}

#[test]
fn are_visited_whole_by_a_visitor_that_returns_nothing() {
    on_both(|store| {
        let store = filled(store, 600);
        let mut numbers = Vec::new();
        store.stream("c", "s").scan().visit(|event| numbers.push(event.sequence_number().get())).unwrap();
        assert_eq!(numbers, (0..600).collect::<Vec<_>>());
    });
}

#[test]
fn read_nothing_until_they_are_iterated_over() {
    on_both(|store| {
        let store = filled(store, 2);
        let scan = store.log().scan();
        store.stream("c", "s").publish(events(1)).unwrap();
        assert_eq!(scan.clone().read().unwrap().len(), 3);
        let mut iterator = scan.into_iter();
        store.stream("c", "s").publish(events(1)).unwrap();
        assert_eq!(iterator.by_ref().count(), 3);
        assert!(iterator.next().is_none());
    });
}

#[test]
fn can_be_sent_to_another_thread() {
    on_both(|store| {
        let store = filled(store, 5);
        let (scan, iterator) = (store.log().scan(), store.log().into_iter());
        let counts = std::thread::spawn(move || (scan.read().unwrap().len(), iterator.count())).join().unwrap();
        assert_eq!(counts, (5, 5));
    });
}

#[test]
fn end_after_an_error() {
    on_both(|store| {
        let store = filled(store, 5);
        let mut scan = store.log().scan().from_position(Position::new(1)).into_iter();
        assert!(matches!(scan.next(), Some(Err(ReadError::PositionsNeedStream { .. }))));
        assert!(scan.next().is_none());
        assert!(store.log().scan().from_position(Position::new(1)).visit(|_| ()).is_err());
    });
}

#[test]
fn go_on_after_what_was_seen_newest_first_or_some_alone() {
    on_both(|store| {
        let store = filled(store, 10);
        let numbers = |scan: stratalog::Scan| -> Vec<u64> {
            scan.read().unwrap().iter().map(|event| event.sequence_number().get()).collect()
        };
        assert_eq!(numbers(store.log().scan().after(SequenceNumber::new(6))), [7, 8, 9]);
        assert_eq!(numbers(store.log().scan().after(SequenceNumber::new(6)).reverse()), [9, 8, 7]);
        assert_eq!(numbers(store.log().scan().reverse().limit(2)), [9, 8]);
        let between = store.stream("c", "s").scan().from_position(Position::new(2)).until_position(Position::new(4));
        assert_eq!(numbers(between), [2, 3, 4]);
    });
}
