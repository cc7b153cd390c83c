//! Tests of conditions at publishing.

use super::*;

fn stream_of(store: &EventStore, count: usize) -> EventStream {
    let stream = random_stream(store);
    stream.publish(events(count)).unwrap();
    stream
}

#[test]
fn let_a_first_event_into_an_empty_stream() {
    on_both(|store| {
        let stream = stream_of(&store, 0);
        stream.publish_if(events(1), stream_is_empty()).unwrap();
        assert_eq!(stream.read().unwrap().len(), 1);
    });
}

#[test]
fn refuse_an_event_in_a_stream_that_is_not_empty() {
    on_both(|store| {
        let stream = stream_of(&store, 1);
        let error = stream.publish_if(events(1), stream_is_empty()).unwrap_err();
        assert!(error.is_conflict());
        assert_eq!(error.retry(), Retry::AfterReading);
        assert_eq!(stream.read().unwrap().len(), 1);
    });
}

#[test]
fn let_an_event_in_at_position_nine_after_ten_events() {
    on_both(|store| {
        let stream = stream_of(&store, 10);
        let receipt = stream.publish_if(events(1), position_is(9)).unwrap();
        assert_eq!(receipt.last_position(), Some(Position::new(10)));
        stream.publish_if(events(1), position_is(receipt.last_position())).unwrap();
    });
}

#[test]
fn refuse_a_position_that_is_too_low_on_the_same_stream() {
    on_both(|store| {
        let stream = stream_of(&store, 10);
        let error = stream.publish_if(events(1), position_is(8)).unwrap_err();
        let AppendError::Unmet(unmet) = error else { panic!("{error}") };
        assert_eq!((unmet.expected, unmet.actual), (position_is(8), Some(Position::new(9))));
        assert_eq!(stream.read().unwrap().len(), 10);
    });
}

#[test]
fn refuse_a_position_that_is_too_high_on_the_same_stream() {
    on_both(|store| {
        let stream = stream_of(&store, 10);
        let error = stream.publish_if(events(1), position_is(10)).unwrap_err();
        let said = error.to_string();
        let AppendError::Unmet(unmet) = error else { panic!("{said}") };
        assert_eq!((unmet.expected, unmet.actual), (position_is(10), Some(Position::new(9))));
        assert!(said.contains("expected that position is 10, found position 9"), "{said}");
    });
}

#[test]
fn combine_by_and() {
    on_both(|store| {
        let stream = stream_of(&store, 1);
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
    });
}

#[test]
fn combine_by_or() {
    on_both(|store| {
        let stream = stream_of(&store, 1);
        for (one, two) in [(true, true), (true, false), (false, true), (false, false)] {
            let part = |met| if met { position_is(0) } else { position_is(5) };
            assert_eq!(stream.publish_if([], part(one) | part(two)).is_ok(), one || two, "{one} or {two}");
        }
    });
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
    on_both(|store| {
        let stream = stream_of(&store, 1);
        stream.publish_if(events(1), None).unwrap();
        stream.publish_if(events(1), Condition::any()).unwrap();
        stream.publish_if(events(1), Vec::new()).unwrap();
        assert!(stream.publish_if(events(1), Some(stream_is_empty())).is_err());
    });
}
