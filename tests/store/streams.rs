//! Tests of streams: publishing to them and reading them.

use super::*;

#[test]
fn have_no_events_initially() {
    on_both(|store| {
        assert_eq!(random_stream(&store).read().unwrap(), []);
        assert_eq!(random_stream(&store).latest().unwrap(), None);
    });
}

#[test]
fn give_back_a_single_published_event() {
    on_both(|store| {
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
    });
}

#[test]
fn give_back_several_events_published_at_once() {
    on_both(|store| {
        let (stream, new) = (random_stream(&store), events(3));
        let receipt = stream.publish(new.clone()).unwrap();
        let found = stream.read().unwrap();
        assert_eq!(names(&found), new.iter().map(|event| event.name().to_owned()).collect::<Vec<_>>());
        assert_eq!(store.events_of(&receipt).unwrap(), found);
        let places: Vec<_> = found.iter().map(|event| (event.position(), event.sequence_number())).collect();
        assert_eq!(places, [0, 1, 2].map(|place| (Position::new(place), SequenceNumber::new(place))));
    });
}

#[test]
fn give_back_events_published_one_after_another() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "s", "two"), ("c", "s", "three")]);
        assert_eq!(names(&store.stream("c", "s").read().unwrap()), ["one", "two", "three"]);
    });
}

#[test]
fn of_one_category_are_apart() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "t", "two"), ("c", "s", "three")]);
        assert_eq!(names(&store.stream("c", "s").read().unwrap()), ["one", "three"]);
        assert_eq!(names(&store.stream("c", "t").read().unwrap()), ["two"]);
    });
}

#[test]
fn of_the_same_name_in_two_categories_are_apart() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two"), ("c", "s", "three")]);
        assert_eq!(names(&store.stream("c", "s").read().unwrap()), ["one", "three"]);
        assert_eq!(names(&store.stream("d", "s").read().unwrap()), ["two"]);
    });
}

#[test]
fn iterate_over_what_they_read() {
    on_both(|store| {
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
    });
}

#[test]
fn each_iteration_begins_anew() {
    on_both(|store| {
        let stream = random_stream(&store);
        stream.publish(events(1)).unwrap();
        assert_eq!((&stream).into_iter().count(), 1);
        stream.publish(events(1)).unwrap();
        assert_eq!((&stream).into_iter().count(), 2);
    });
}

#[test]
fn publish_whatever_can_be_iterated_over() {
    on_both(|store| {
        let stream = random_stream(&store);
        let mut rest = 2..5;
        stream.publish([NewEvent::empty("0")]).unwrap();
        stream.publish(vec![NewEvent::empty("1")]).unwrap();
        stream.publish(std::iter::from_fn(|| rest.next().map(|number| NewEvent::empty(number.to_string())))).unwrap();
        stream.publish(Some(NewEvent::empty("5"))).unwrap();
        let mut kept = vec![NewEvent::empty("6"), NewEvent::empty("7"), NewEvent::empty("8")];
        stream.publish(kept.iter().take(1).cloned()).unwrap();
        stream.publish_if(kept.drain(1..2), position_is(6)).unwrap();
        let streams: [(&str, Box<dyn Iterator<Item = NewEvent>>); 2] = [
            (stream.identifier().stream(), Box::new(kept.into_iter().skip(1))),
            ("another", Box::new(std::iter::empty())),
        ];
        store.category(stream.identifier().category()).publish(streams).unwrap();
        assert_eq!(names(&stream.read().unwrap()), ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
    });
}

#[test]
fn publish_nothing_when_there_is_nothing() {
    on_both(|store| {
        let receipt = random_stream(&store).publish([]).unwrap();
        assert_eq!((receipt.count(), receipt.last_position()), (0, None));
        assert_eq!(store.revision().unwrap().get(), 0);
    });
}

#[test]
fn name_the_newest_event() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "s", "two"), ("c", "t", "three")]);
        assert_eq!(store.stream("c", "s").latest().unwrap().unwrap().name(), "two");
    });
}
