//! What users hold: the store, its three handles, conditions, scans and retries, and event values.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use stratalog::testing::{NewEventBuilder, StoredEventBuilder, data};
use stratalog::{
    AppendError, AttributeValue, Attributes, Codec, Condition, Error, EventStore, EventStream, FixedClock, NewEvent,
    Options, Payload, Position, ReadError, Retry, SequenceNumber, StoredEvent, Stream, Timestamp, position_is,
    retry_on_conflict, stream_exists, stream_is_empty, transaction,
};

fn event() -> NewEvent {
    NewEventBuilder::new().build()
}

fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event()).collect()
}

fn random_stream(store: &EventStore) -> EventStream {
    store.stream(data::random_event_category_name(), data::random_event_stream_name())
}

fn names<'a>(events: impl IntoIterator<Item = &'a StoredEvent>) -> Vec<String> {
    events.into_iter().map(|event| event.name().to_owned()).collect()
}

/// Publishes events of these names, one by one, to these streams of a category.
fn publish_in_turn(store: &EventStore, turns: &[(&str, &str, &str)]) {
    for (category, stream, name) in turns {
        store.stream(*category, *stream).publish([NewEvent::empty(*name)]).unwrap();
    }
}

mod streams {
    use super::*;

    #[test]
    fn have_no_events_initially() {
        let store = EventStore::in_memory();
        assert_eq!(random_stream(&store).read().unwrap(), []);
        assert_eq!(random_stream(&store).latest().unwrap(), None);
    }

    #[test]
    fn give_back_a_single_published_event() {
        let store = EventStore::in_memory();
        let (stream, new) = (random_stream(&store), event());
        let receipt = stream.publish([new.clone()]).unwrap();
        let found = stream.read().unwrap();
        let expected = StoredEventBuilder::from_new_event(&new)
            .with_id(found[0].id())
            .with_category(stream.identifier().category())
            .with_stream(stream.identifier().stream())
            .with_position(0)
            .with_sequence_number(0)
            .with_recorded_at(receipt.recorded_at())
            .build();
        assert_eq!(found, [expected]);
    }

    #[test]
    fn give_back_several_events_published_at_once() {
        let store = EventStore::in_memory();
        let (stream, new) = (random_stream(&store), events(3));
        let receipt = stream.publish(new.clone()).unwrap();
        let found = stream.read().unwrap();
        assert_eq!(names(&found), new.iter().map(|event| event.name().to_owned()).collect::<Vec<_>>());
        assert_eq!(store.events_of(&receipt).unwrap(), found);
        let places: Vec<_> = found.iter().map(|event| (event.position(), event.sequence_number())).collect();
        assert_eq!(places, [0, 1, 2].map(|place| (Position::new(place), SequenceNumber::new(place))));
    }

    #[test]
    fn give_back_events_published_one_after_another() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "s", "two"), ("c", "s", "three")]);
        assert_eq!(names(&store.stream("c", "s").read().unwrap()), ["one", "two", "three"]);
    }

    #[test]
    fn of_one_category_are_apart() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "t", "two"), ("c", "s", "three")]);
        assert_eq!(names(&store.stream("c", "s").read().unwrap()), ["one", "three"]);
        assert_eq!(names(&store.stream("c", "t").read().unwrap()), ["two"]);
    }

    #[test]
    fn of_the_same_name_in_two_categories_are_apart() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two"), ("c", "s", "three")]);
        assert_eq!(names(&store.stream("c", "s").read().unwrap()), ["one", "three"]);
        assert_eq!(names(&store.stream("d", "s").read().unwrap()), ["two"]);
    }

    #[test]
    fn iterate_over_what_they_read() {
        let store = EventStore::in_memory();
        let stream = random_stream(&store);
        stream.publish(events(5)).unwrap();
        let mut iterated = Vec::new();
        for event in &stream {
            iterated.push(event.unwrap());
        }
        assert_eq!(iterated, stream.read().unwrap());
        let again: Vec<StoredEvent> = stream.clone().into_iter().map(Result::unwrap).collect();
        assert_eq!(again, iterated);
        let collected: Vec<StoredEvent> = stream.scan().collect().unwrap();
        assert_eq!(collected, iterated);
    }

    #[test]
    fn each_iteration_begins_anew() {
        let store = EventStore::in_memory();
        let stream = random_stream(&store);
        stream.publish(events(1)).unwrap();
        assert_eq!((&stream).into_iter().count(), 1);
        stream.publish(events(1)).unwrap();
        assert_eq!((&stream).into_iter().count(), 2);
    }

    #[test]
    fn publish_nothing_when_there_is_nothing() {
        let store = EventStore::in_memory();
        let receipt = random_stream(&store).publish([]).unwrap();
        assert_eq!((receipt.count(), receipt.last_position()), (0, None));
        assert_eq!(store.revision().unwrap().get(), 0);
    }

    #[test]
    fn name_the_newest_event() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "s", "two"), ("c", "t", "three")]);
        assert_eq!(store.stream("c", "s").latest().unwrap().unwrap().name(), "two");
    }
}

mod categories {
    use super::*;

    #[test]
    fn have_no_events_initially() {
        let store = EventStore::in_memory();
        assert_eq!(store.category("c").read().unwrap(), []);
        assert_eq!(store.category("c").streams().unwrap(), [""; 0]);
    }

    #[test]
    fn give_back_the_events_of_a_stream() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "s", "two")]);
        assert_eq!(store.category("c").read().unwrap(), store.stream("c", "s").read().unwrap());
    }

    #[test]
    fn read_across_streams_in_the_order_of_publishing() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "t", "two"), ("c", "s", "three")]);
        assert_eq!(names(&store.category("c").read().unwrap()), ["one", "two", "three"]);
        assert_eq!(store.category("c").streams().unwrap(), ["s", "t"]);
    }

    #[test]
    fn ignore_other_categories() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two"), ("c", "t", "three")]);
        assert_eq!(names(&store.category("c").read().unwrap()), ["one", "three"]);
        assert_eq!(store.category("c").latest().unwrap().unwrap().name(), "three");
        assert_eq!(store.category("d").latest().unwrap().unwrap().name(), "two");
    }

    #[test]
    fn iterate_over_what_they_read() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "t", "two")]);
        let category = store.category("c");
        let iterated: Vec<StoredEvent> = (&category).into_iter().map(Result::unwrap).collect();
        assert_eq!(iterated, category.read().unwrap());
    }

    #[test]
    fn narrow_to_a_stream() {
        let store = EventStore::in_memory();
        store.category("c").stream("s").publish([NewEvent::empty("one")]).unwrap();
        assert_eq!(store.category("c").stream("s").identifier(), &Stream::new("c", "s"));
        assert_eq!(names(&store.stream("c", "s").read().unwrap()), ["one"]);
    }

    #[test]
    fn publish_to_several_streams_at_once() {
        let store = EventStore::in_memory();
        let category = store.category("c");
        let receipt = category.publish([("s", events(2)), ("t", events(3))]).unwrap();
        assert_eq!((receipt.count(), store.revision().unwrap().get()), (5, 5));
        assert_eq!(category.stream("s").read().unwrap().len(), 2);
        assert_eq!(category.stream("t").read().unwrap().len(), 3);
        assert_eq!(store.transactions(stratalog::Revision::EMPTY).unwrap().count(), 1);
    }

    #[test]
    fn publish_to_several_streams_on_conditions_of_their_own() {
        let store = EventStore::in_memory();
        let category = store.category("c");
        category.stream("s").publish(events(1)).unwrap();
        let unmet =
            category.publish_if([("s", events(1), position_is(0)), ("t", events(1), stream_exists())]).unwrap_err();
        assert!(unmet.is_conflict());
        assert_eq!(store.revision().unwrap().get(), 1);
        category.publish_if([("s", events(1), position_is(0)), ("t", events(1), stream_is_empty())]).unwrap();
        assert_eq!(store.revision().unwrap().get(), 3);
    }
}

mod logs {
    use super::*;

    #[test]
    fn read_everything_in_the_order_of_publishing() {
        let store = EventStore::in_memory();
        assert_eq!(store.log().read().unwrap(), []);
        publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two"), ("c", "t", "three")]);
        assert_eq!(names(&store.log().read().unwrap()), ["one", "two", "three"]);
        assert_eq!(store.log().latest().unwrap().unwrap().name(), "three");
        let iterated: Vec<StoredEvent> = store.log().into_iter().map(Result::unwrap).collect();
        assert_eq!(iterated, store.log().read().unwrap());
    }

    #[test]
    fn narrow_to_categories_and_streams() {
        let store = EventStore::in_memory();
        publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two")]);
        let log = store.log();
        assert_eq!(log.categories().unwrap(), ["c", "d"]);
        assert_eq!(names(&log.category("d").read().unwrap()), ["two"]);
        assert_eq!(names(&log.stream("c", "s").read().unwrap()), ["one"]);
    }

    #[test]
    fn are_shared_by_clones_of_a_store_and_by_threads() {
        let store = EventStore::in_memory();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let store = store.clone();
                scope.spawn(move || store.stream("c", thread.to_string()).publish(events(5)).unwrap());
            }
        });
        assert_eq!(store.log().read().unwrap().len(), 20);
    }
}

mod publish_conditions {
    use super::*;

    fn stream_of(count: usize) -> EventStream {
        let stream = random_stream(&EventStore::in_memory());
        stream.publish(events(count)).unwrap();
        stream
    }

    #[test]
    fn let_a_first_event_into_an_empty_stream() {
        let stream = stream_of(0);
        stream.publish_if(events(1), stream_is_empty()).unwrap();
        assert_eq!(stream.read().unwrap().len(), 1);
    }

    #[test]
    fn refuse_an_event_in_a_stream_that_is_not_empty() {
        let stream = stream_of(1);
        let error = stream.publish_if(events(1), stream_is_empty()).unwrap_err();
        assert!(error.is_conflict());
        assert_eq!(error.retry(), Retry::AfterReading);
        assert_eq!(stream.read().unwrap().len(), 1);
    }

    #[test]
    fn let_an_event_in_at_position_nine_after_ten_events() {
        let stream = stream_of(10);
        let receipt = stream.publish_if(events(1), position_is(9)).unwrap();
        assert_eq!(receipt.last_position(), Some(Position::new(10)));
        stream.publish_if(events(1), position_is(receipt.last_position())).unwrap();
    }

    #[test]
    fn refuse_a_position_that_is_too_low_on_the_same_stream() {
        let stream = stream_of(10);
        let error = stream.publish_if(events(1), position_is(8)).unwrap_err();
        let AppendError::Unmet(unmet) = error else { panic!("{error}") };
        assert_eq!((unmet.expected, unmet.actual), (position_is(8), Some(Position::new(9))));
        assert_eq!(stream.read().unwrap().len(), 10);
    }

    #[test]
    fn refuse_a_position_that_is_too_high_on_the_same_stream() {
        let stream = stream_of(10);
        let error = stream.publish_if(events(1), position_is(10)).unwrap_err();
        let said = error.to_string();
        let AppendError::Unmet(unmet) = error else { panic!("{said}") };
        assert_eq!((unmet.expected, unmet.actual), (position_is(10), Some(Position::new(9))));
        assert!(said.contains("expected that position is 10, found position 9"), "{said}");
    }

    #[test]
    fn combine_by_and() {
        let stream = stream_of(1);
        for (one, two) in [(true, true), (true, false), (false, true), (false, false)] {
            let part = |met| if met { position_is(0) } else { position_is(5) };
            for condition in
                [part(one) & part(two), [part(one), part(two)].into_iter().fold(Condition::any(), |a, b| a & b)]
            {
                let outcome = stream.publish_if([], condition);
                assert_eq!(outcome.is_ok(), one && two, "{one} and {two}");
            }
            assert_eq!(stream.publish_if([], [part(one), part(two)]).is_ok(), one && two);
            assert_eq!(stream.publish_if([], vec![part(one), part(two)]).is_ok(), one && two);
        }
    }

    #[test]
    fn combine_by_or() {
        let stream = stream_of(1);
        for (one, two) in [(true, true), (true, false), (false, true), (false, false)] {
            let part = |met| if met { position_is(0) } else { position_is(5) };
            assert_eq!(stream.publish_if([], part(one) | part(two)).is_ok(), one || two, "{one} or {two}");
        }
    }

    #[test]
    fn flatten_and_bind_and_before_or() {
        let [a, b, c] = [1, 2, 3].map(|position: u64| position_is(position));
        assert_eq!((a.clone() & b.clone()) & c.clone(), a.clone() & (b.clone() & c.clone()));
        assert_eq!((a.clone() | b.clone()) | c.clone(), a.clone() | (b.clone() | c.clone()));
        let mixed = a.clone() | b.clone() & c.clone();
        assert_eq!(mixed.to_string(), "position is 1 or (position is 2 and position is 3)");
        assert_eq!(((a | b) & c).to_string(), "(position is 1 or position is 2) and position is 3");
        assert_ne!(position_is(1) & position_is(2), position_is(2) & position_is(1));
    }

    #[test]
    fn may_be_left_out_or_empty() {
        let stream = stream_of(1);
        stream.publish_if(events(1), None).unwrap();
        stream.publish_if(events(1), Condition::any()).unwrap();
        stream.publish_if(events(1), Vec::new()).unwrap();
        assert!(stream.publish_if(events(1), Some(stream_is_empty())).is_err());
    }
}

mod handles {
    use super::*;

    #[test]
    fn add_default_attributes_to_what_they_publish() {
        let store = EventStore::in_memory();
        let stream = store.stream("c", "s").with_attribute("tenant", "t-1").with_attribute("trace", 7);
        stream.publish([NewEvent::empty("e"), NewEvent::empty("e").with_attribute("tenant", "own")]).unwrap();
        stream.publish_if([NewEvent::empty("e")], stream_exists()).unwrap();
        let found = stream.read().unwrap();
        assert_eq!(found[0].attributes(), &Attributes::new().with("tenant", "t-1").with("trace", 7));
        assert_eq!(found[1].attributes(), &Attributes::new().with("tenant", "own").with("trace", 7));
        assert_eq!(found[2].attributes(), found[0].attributes());
    }

    #[test]
    fn leave_the_handle_they_were_made_from_as_it_is() {
        let store = EventStore::in_memory();
        let plain = store.stream("c", "s");
        let _with = plain.clone().with_attribute("tenant", "t-1");
        plain.publish([NewEvent::empty("e")]).unwrap();
        assert!(plain.read().unwrap()[0].attributes().is_empty());
    }

    #[test]
    fn pass_default_attributes_from_a_category_to_its_streams() {
        let store = EventStore::in_memory();
        let category = store.category("c").with_attribute("tenant", "t-1");
        category.publish([("s", [NewEvent::empty("e")]), ("t", [NewEvent::empty("e")])]).unwrap();
        category.stream("u").with_attribute("trace", 7).publish([NewEvent::empty("e")]).unwrap();
        for event in category.read().unwrap() {
            assert_eq!(event.attributes().get("tenant"), Some(&AttributeValue::from("t-1")));
            assert_eq!(event.attributes().get("trace").is_some(), event.stream() == "u");
        }
    }

    #[test]
    fn know_their_store_and_identifier() {
        let store = EventStore::in_memory();
        let stream = store.category("c").stream("s");
        stream.store().stream("d", "s").publish(events(1)).unwrap();
        assert_eq!(store.revision().unwrap().get(), 1);
        assert_eq!(stream.identifier().to_string(), "stream \"s\" of category \"c\"");
        assert_eq!(store.category("c").identifier().category(), "c");
        assert_eq!(store.log().identifier().to_string(), "log");
    }
}

mod scans {
    use super::*;

    fn filled(count: usize) -> EventStore {
        let store = EventStore::in_memory();
        store.stream("c", "s").publish(events(count)).unwrap();
        store
    }

    #[test]
    fn can_be_left_early_by_a_visitor_that_breaks() {
        let store = filled(600);
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
    }

    #[test]
    fn are_visited_whole_by_a_visitor_that_returns_nothing() {
        let store = filled(600);
        let mut numbers = Vec::new();
        store.stream("c", "s").scan().visit(|event| numbers.push(event.sequence_number().get())).unwrap();
        assert_eq!(numbers, (0..600).collect::<Vec<_>>());
    }

    #[test]
    fn read_nothing_until_they_are_iterated_over() {
        let store = filled(2);
        let scan = store.log().scan();
        store.stream("c", "s").publish(events(1)).unwrap();
        assert_eq!(scan.clone().read().unwrap().len(), 3);
        let mut iterator = scan.into_iter();
        store.stream("c", "s").publish(events(1)).unwrap();
        assert_eq!(iterator.by_ref().count(), 3);
        assert!(iterator.next().is_none());
    }

    #[test]
    fn can_be_sent_to_another_thread() {
        let store = filled(5);
        let (scan, iterator) = (store.log().scan(), store.log().into_iter());
        let counts = std::thread::spawn(move || (scan.read().unwrap().len(), iterator.count())).join().unwrap();
        assert_eq!(counts, (5, 5));
    }

    #[test]
    fn end_after_an_error() {
        let store = filled(5);
        let mut scan = store.log().scan().from_position(Position::new(1)).into_iter();
        assert!(matches!(scan.next(), Some(Err(ReadError::PositionsNeedStream { .. }))));
        assert!(scan.next().is_none());
        assert!(store.log().scan().from_position(Position::new(1)).visit(|_| ()).is_err());
    }

    #[test]
    fn go_on_after_what_was_seen_newest_first_or_some_alone() {
        let store = filled(10);
        let numbers = |scan: stratalog::Scan| -> Vec<u64> {
            scan.read().unwrap().iter().map(|event| event.sequence_number().get()).collect()
        };
        assert_eq!(numbers(store.log().scan().after(SequenceNumber::new(6))), [7, 8, 9]);
        assert_eq!(numbers(store.log().scan().after(SequenceNumber::new(6)).reverse()), [9, 8, 7]);
        assert_eq!(numbers(store.log().scan().reverse().limit(2)), [9, 8]);
        let between = store.stream("c", "s").scan().from_position(Position::new(2)).until_position(Position::new(4));
        assert_eq!(numbers(between), [2, 3, 4]);
    }
}

mod retries {
    use super::*;

    #[test]
    fn decide_anew_until_no_other_was_faster() {
        let store = EventStore::in_memory();
        let stream = random_stream(&store);
        let mut tries = 0;
        let receipt = retry_on_conflict(5, || {
            tries += 1;
            let last = stream.latest()?.map(|event| event.position());
            if tries < 4 {
                stream.publish(events(1))?;
            }
            Ok(stream.publish_if(events(1), position_is(last))?)
        })
        .unwrap();
        assert_eq!((tries, receipt.last_position()), (4, Some(Position::new(3))));
    }

    #[test]
    fn give_up_with_the_last_conflict() {
        let stream = random_stream(&EventStore::in_memory());
        let mut tries = 0;
        let outcome = retry_on_conflict(3, || {
            tries += 1;
            Ok(stream.publish_if(events(1), stream_exists())?)
        });
        assert!(outcome.unwrap_err().is_conflict());
        assert_eq!(tries, 3);
    }

    #[test]
    fn return_any_other_error_at_once() {
        let stream = random_stream(&EventStore::in_memory());
        let mut tries = 0;
        let outcome = retry_on_conflict(3, || {
            tries += 1;
            Ok(stream.publish([NewEvent::empty("n".repeat(5_000))])?)
        });
        assert!(matches!(outcome, Err(Error::Append(AppendError::Limit(_)))));
        assert_eq!(tries, 1);
    }

    #[test]
    fn run_once_with_no_tries_at_all() {
        let mut tries = 0;
        retry_on_conflict(0, || {
            tries += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(tries, 1);
    }
}

mod event_values {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hash_of(value: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn new_events_are_observed_and_occur_now_by_default() {
        let before = Timestamp::now();
        let event = NewEvent::empty("e");
        assert!((before..=Timestamp::now()).contains(&event.observed_at()));
        assert_eq!(event.occurred_at(), event.observed_at());
        assert!(event.id().is_none() && event.metadata().is_none() && event.payload().is_none());
    }

    #[test]
    fn new_events_take_default_times_from_a_clock() {
        let clock = FixedClock(time("2024-01-01T00:00:00Z"));
        let event = NewEvent::empty("e").with_clock(&clock);
        assert_eq!((event.observed_at(), event.occurred_at()), (clock.0, clock.0));
    }

    #[test]
    fn new_events_occur_when_they_are_observed_unless_said_otherwise() {
        let (early, late) = (time("2023-01-01T00:00:00Z"), time("2024-01-01T00:00:00Z"));
        let event = NewEvent::empty("e").with_observed_at(early);
        assert_eq!((event.observed_at(), event.occurred_at()), (early, early));
        let event = NewEvent::empty("e").with_observed_at(late).with_occurred_at(early);
        assert_eq!((event.observed_at(), event.occurred_at()), (late, early));
        let event = NewEvent::empty("e").with_clock(&FixedClock(late)).with_occurred_at(early);
        assert_eq!((event.observed_at(), event.occurred_at()), (late, early));
    }

    fn new_event() -> NewEvent {
        NewEvent::from_payload("name", Payload::text("payload"))
            .with_id("id")
            .with_observed_at(time("2024-01-01T00:00:00Z"))
            .with_occurred_at(time("2023-01-01T00:00:00Z"))
            .with_attribute("a", 1)
            .with_metadata("metadata")
    }

    /// The new event with one field each changed.
    fn other_new_events() -> Vec<NewEvent> {
        let payload = |payload: Payload| {
            NewEvent::from_payload("name", payload)
                .with_id("id")
                .with_observed_at(new_event().observed_at())
                .with_occurred_at(new_event().occurred_at())
                .with_attributes(new_event().attributes().clone())
                .with_metadata("metadata")
        };
        vec![
            NewEventBuilder::new()
                .with_name("other")
                .with_payload(Payload::text("payload"))
                .with_id("id")
                .with_observed_at(new_event().observed_at())
                .with_occurred_at(new_event().occurred_at())
                .with_attribute("a", 1)
                .with_metadata("metadata")
                .build(),
            payload(Payload::text("other")),
            payload(Payload::binary("payload")),
            payload(Payload::text("payload").with_content_type("text/plain")),
            payload(Payload::text("payload").with_schema("urn:x")),
            payload(Payload::text("payload").with_schema_version(0)),
            new_event().with_id("other"),
            new_event().with_observed_at(time("2024-01-01T00:00:00.000000001Z")),
            new_event().with_occurred_at(time("2023-01-01T00:00:00.000000001Z")),
            new_event().with_attribute("a", 2),
            new_event().with_attribute("b", 1),
            new_event().with_metadata("other"),
        ]
    }

    #[test]
    fn new_events_are_equal_and_hash_alike_when_every_field_is_equal() {
        assert_eq!(new_event(), new_event());
        assert_eq!(hash_of(&new_event()), hash_of(&new_event()));
        let elsewhere = new_event().with_observed_at(time("2024-01-01T02:00:00+02:00"));
        assert_eq!(elsewhere, new_event());
        assert_eq!(hash_of(&elsewhere), hash_of(&new_event()));
    }

    #[test]
    fn new_events_differ_in_every_field() {
        for (index, other) in other_new_events().iter().enumerate() {
            assert_ne!(*other, new_event(), "{index}");
            assert_ne!(hash_of(other), hash_of(&new_event()), "{index}");
        }
    }

    fn stored() -> StoredEventBuilder {
        StoredEventBuilder::from_new_event(&new_event())
            .with_category("category")
            .with_stream("stream")
            .with_position(3)
            .with_sequence_number(5)
            .with_recorded_at(time("2025-01-01T00:00:00Z"))
    }

    /// The stored event with one field each changed.
    fn other_stored_events() -> Vec<StoredEvent> {
        vec![
            stored().with_id("other").build(),
            stored().with_name("other").build(),
            stored().with_category("other").build(),
            stored().with_stream("other").build(),
            stored().with_position(4).build(),
            stored().with_sequence_number(6).build(),
            stored().with_payload(Payload::text("other")).build(),
            stored().with_payload(Payload::binary("payload")).build(),
            stored().with_observed_at(time("2024-01-01T00:00:01Z")).build(),
            stored().with_occurred_at(time("2024-01-01T00:00:01Z")).build(),
            stored().with_recorded_at(time("2025-01-01T00:00:01Z")).build(),
            stored().with_attribute("a", 2).build(),
            stored().with_attributes(Attributes::new()).build(),
            stored().with_metadata("").build(),
        ]
    }

    #[test]
    fn stored_events_are_equal_and_hash_alike_when_every_field_is_equal() {
        assert_eq!(stored().build(), stored().build());
        assert_eq!(hash_of(&stored().build()), hash_of(&stored().build()));
        let event = stored().build();
        assert_eq!(event.detach(), event);
        assert_eq!(event.as_ref(), stored().build().as_ref());
        assert_eq!(event.as_ref().to_stored(), event);
    }

    #[test]
    fn stored_events_differ_in_every_field() {
        for (index, other) in other_stored_events().iter().enumerate() {
            assert_ne!(*other, stored().build(), "{index}");
            assert_ne!(hash_of(other), hash_of(&stored().build()), "{index}");
        }
        let all: std::collections::HashSet<StoredEvent> = other_stored_events().into_iter().collect();
        assert_eq!(all.len(), other_stored_events().len());
    }

    #[test]
    fn stored_events_show_all_their_fields() {
        let shown = format!("{:?}", stored().build());
        let fields = ["id", "name", "stream", "category", "position", "sequence_number", "payload", "attributes"];
        for field in fields.into_iter().chain(["metadata", "observed_at", "occurred_at", "recorded_at"]) {
            assert!(shown.contains(&format!("{field}: ")), "{field} in {shown}");
        }
        for value in ["name", "stream", "category", "Position(3)", "SequenceNumber(5)", "2024-01-01T00:00:00Z"] {
            assert!(shown.contains(value), "{value} in {shown}");
        }
        assert_eq!(format!("{:?}", stored().build().as_ref()), shown);
    }

    #[test]
    fn new_events_show_all_their_fields() {
        let shown = format!("{:?}", new_event());
        for field in ["name", "payload", "id", "observed_at", "occurred_at", "attributes", "metadata"] {
            assert!(shown.contains(&format!("{field}: ")), "{field} in {shown}");
        }
    }

    #[test]
    fn ids_made_by_the_store_are_uuids_of_version_seven() {
        let store = EventStore::in_memory();
        random_stream(&store).publish(events(100)).unwrap();
        let ids: BTreeSet<_> = store.log().read().unwrap().iter().map(StoredEvent::id).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| id.as_uuid().is_some_and(|uuid| uuid.get_version_num() == 7)));
    }

    #[test]
    fn typed_payloads_come_back_as_the_type() {
        let store = EventStore::in_memory();
        let stream = random_stream(&store);
        let payload = data::random_event_payload();
        stream.publish([NewEvent::new("e", &payload).unwrap(), NewEvent::json("e", &payload).unwrap()]).unwrap();
        stream.publish([store.event("e", &payload).unwrap()]).unwrap();
        for event in stream.read().unwrap() {
            assert_eq!(event.decode::<std::collections::BTreeMap<String, String>>().unwrap(), payload);
            assert!(event.decode::<u64>().is_err());
        }
        assert_eq!(Options::default().codec, Codec::MessagePack);
    }
}

mod transactions {
    use super::*;

    #[test]
    fn write_to_several_categories_all_or_none() {
        let store = EventStore::in_memory();
        let whole = |condition| {
            transaction().stream_if("accounts", "a", events(1), condition).stream("audit", "log", events(2))
        };
        assert_eq!(whole(stream_exists()).event_count(), 3);
        assert!(store.append(whole(stream_exists())).unwrap_err().is_conflict());
        assert_eq!(store.revision().unwrap().get(), 0);
        assert_eq!(store.append(whole(stream_is_empty())).unwrap().count(), 3);
    }

    #[test]
    fn are_harmless_to_repeat_under_an_id() {
        let store = EventStore::in_memory();
        let whole = || transaction().id("t").stream_if("c", "s", [NewEvent::empty("e")], stream_is_empty());
        let first = store.append(whole()).unwrap();
        let again = store.append(whole()).unwrap();
        assert!(!first.is_repeat() && again.is_repeat());
        assert_eq!(first, again);
        assert_eq!(store.transaction("t").unwrap().unwrap().events(), store.log().read().unwrap());
        let other = store.append(transaction().id("t").stream("c", "s", [NewEvent::empty("f")])).unwrap_err();
        assert!(matches!(other, AppendError::DuplicateTransaction { .. }));
        assert_eq!(other.retry(), Retry::Never);
    }

    #[test]
    fn can_be_copied_into_another_store() {
        let (from, to) = (EventStore::in_memory(), EventStore::in_memory());
        publish_in_turn(&from, &[("c", "s", "one"), ("d", "s", "two")]);
        let all: Vec<_> = from.transactions(stratalog::Revision::EMPTY).unwrap().map(Result::unwrap).collect();
        assert_eq!(to.append_verbatim(&all).unwrap().get(), 2);
        assert_eq!(to.log().read().unwrap(), from.log().read().unwrap());
        assert!(matches!(to.append_verbatim(&all), Err(AppendError::NotContiguous { .. })));
    }
}
