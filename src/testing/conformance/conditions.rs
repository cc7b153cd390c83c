//! Cases about conditions on a stream.

use super::support::{
    append, event, events, positions, read, read_log, save, save_if, snapshot, stream, stream_in, unmet,
};
use super::{Bench, case_list};
use crate::vocabulary::condition::{Condition, position_is, stream_exists, stream_is_empty};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Position;

case_list!(conditions:
    writes_if_empty_stream_condition_and_stream_empty,
    writes_if_empty_stream_condition_and_category_not_empty,
    writes_if_empty_stream_condition_and_log_not_empty,
    raises_if_empty_stream_condition_and_stream_not_empty,
    writes_if_position_condition_and_correct_position,
    raises_if_position_condition_and_less_than_expected,
    raises_if_position_condition_and_greater_than_expected,
    raises_if_position_condition_and_stream_empty,
    position_is_none_means_that_the_stream_is_empty,
    stream_exists_needs_an_event,
    position_is_compares_by_value_above_256,
    position_is_takes_numbers_beyond_31_bits,
    several_conditions_must_all_hold,
    and_and_or_decide_as_their_parts_do,
    conditions_see_the_state_before_the_transaction,
    an_unmet_condition_says_what_was_expected_and_found,
);

fn writes_if_empty_stream_condition_and_stream_empty(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let saved = save_if(&store, &stream, &[event()], stream_is_empty());
    assert_eq!(read(&store, &stream), saved);
}

fn writes_if_empty_stream_condition_and_category_not_empty(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    save(&store, &stream_in(stream.category()), &events(2));
    let saved = save_if(&store, &stream, &[event()], stream_is_empty());
    assert_eq!(positions(&saved), [0]);
    assert_eq!(read(&store, &stream), saved);
}

fn writes_if_empty_stream_condition_and_log_not_empty(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    save(&store, &stream(), &events(2));
    save(&store, &Stream::new("another", one.stream()), &events(2));
    let saved = save_if(&store, &one, &[event()], stream_is_empty());
    assert_eq!(positions(&saved), [0]);
    assert_eq!(read(&store, &one), saved);
}

fn raises_if_empty_stream_condition_and_stream_not_empty(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let saved = save(&store, &stream, &[event()]);
    unmet(append(&store, &stream, &[event()], stream_is_empty()));
    assert_eq!(read(&store, &stream), saved);
}

fn writes_if_position_condition_and_correct_position(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    save(&store, &stream, &[event()]);
    let saved = save_if(&store, &stream, &[event()], position_is(0));
    assert_eq!(positions(&saved), [1]);
    assert_eq!(read(&store, &stream)[1..], saved);
}

fn raises_if_position_condition_and_less_than_expected(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let saved = save(&store, &stream, &events(2));
    for expected in [2, 3, 1_000, u64::MAX] {
        let unmet = unmet(append(&store, &stream, &[event()], position_is(expected)));
        assert_eq!(unmet.actual, Some(Position::new(1)));
    }
    assert_eq!(read(&store, &stream), saved);
}

fn raises_if_position_condition_and_greater_than_expected(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let saved = save(&store, &stream, &events(3));
    for expected in [0, 1] {
        let unmet = unmet(append(&store, &stream, &[event()], position_is(expected)));
        assert_eq!(unmet.actual, Some(Position::new(2)));
    }
    assert_eq!(read(&store, &stream), saved);
}

fn raises_if_position_condition_and_stream_empty(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    for expected in [0, 5, u64::MAX] {
        assert_eq!(unmet(append(&store, &stream, &[event()], position_is(expected))).actual, None);
    }
    assert!(read_log(&store).is_empty());
}

fn position_is_none_means_that_the_stream_is_empty(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let saved = save_if(&store, &stream, &[event()], position_is(None));
    unmet(append(&store, &stream, &[event()], position_is(None)));
    assert_eq!(read(&store, &stream), saved);
    save_if(&store, &stream, &[event()], position_is(Some(saved[0].position())));
}

fn stream_exists_needs_an_event(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    save(&store, &stream_in(stream.category()), &[event()]);
    unmet(append(&store, &stream, &[event()], stream_exists()));
    save(&store, &stream, &[event()]);
    save_if(&store, &stream, &[event()], stream_exists());
    assert_eq!(read(&store, &stream).len(), 2);
}

fn position_is_compares_by_value_above_256(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    save(&store, &stream, &events(300));
    for last in 299..302 {
        unmet(append(&store, &stream, &[event()], position_is(last - 1)));
        unmet(append(&store, &stream, &[event()], position_is(last + 1)));
        save_if(&store, &stream, &[event()], position_is(last));
    }
    assert_eq!(read(&store, &stream).len(), 303);
}

fn position_is_takes_numbers_beyond_31_bits(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    // Truncated to 32 bits these would all be the position that is there.
    save(&store, &stream, &events(2));
    for expected in [(1 << 32) + 1, (1 << 33) + 1, (1 << 63) + 1] {
        let unmet = unmet(append(&store, &stream, &[event()], position_is(expected)));
        assert_eq!(unmet.expected, position_is(expected));
    }
    for expected in [(1 << 31) - 1, 1 << 31, (1 << 31) + 1, u64::MAX] {
        unmet(append(&store, &stream, &[event()], position_is(expected)));
    }
    assert_eq!(read(&store, &stream).len(), 2);
}

fn several_conditions_must_all_hold(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    save(&store, &stream, &events(3));
    let name = read(&store, &stream)[2].name().to_owned();
    let named = |name: String| Condition::custom("named", move |last| last.is_some_and(|last| last.name() == name));
    let met = || [stream_exists(), position_is(2), named(name.clone())];
    let failing = [stream_is_empty(), position_is(1), named("another".into())];
    for (place, wrong) in failing.into_iter().enumerate() {
        let mut conditions = met();
        conditions[place] = wrong.clone();
        let unmet = unmet(append(&store, &stream, &[event()], conditions.clone()));
        assert_eq!(unmet.expected, wrong);
        conditions.reverse();
        super::support::unmet(append(&store, &stream, &[event()], conditions.to_vec()));
    }
    assert_eq!(read(&store, &stream).len(), 3);
    save_if(&store, &stream, &[event()], met());
    save_if(&store, &stream, &[event()], Vec::<Condition>::new());
    assert_eq!(read(&store, &stream).len(), 5);
}

fn and_and_or_decide_as_their_parts_do(bench: &Bench<'_>) {
    let store = bench.store();
    let truth = |holds: bool| if holds { position_is(0) } else { position_is(9) };
    for bits in 0..8_u8 {
        let (a, b, c) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
        let matrix = [
            (truth(a) & truth(b), a && b),
            (truth(a) | truth(b), a || b),
            (truth(a) & truth(b) & truth(c), a && b && c),
            (truth(a) | truth(b) | truth(c), a || b || c),
            (truth(a) | truth(b) & truth(c), a || (b && c)),
            ((truth(a) | truth(b)) & truth(c), (a || b) && c),
            (truth(a) & Condition::any(), a),
            (truth(a) | Condition::any(), true),
        ];
        for (condition, holds) in matrix {
            let stream = stream();
            save(&store, &stream, &[event()]);
            let outcome = append(&store, &stream, &[event()], condition.clone());
            assert_eq!(outcome.is_ok(), holds, "{condition}");
            if !holds {
                unmet(outcome);
            }
            assert_eq!(read(&store, &stream).len(), 1 + usize::from(holds));
        }
    }
}

fn conditions_see_the_state_before_the_transaction(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let part = |condition| (stream.stream(), [event()], condition);
    let category = store.category(stream.category());
    category.publish_if([part(stream_is_empty()), part(stream_is_empty())]).unwrap();
    assert_eq!(positions(&read(&store, &stream)), [0, 1]);
    let before = snapshot(&store);
    unmet(category.publish_if([part(position_is(1)), part(position_is(2))]));
    assert_eq!(snapshot(&store), before);
}

fn an_unmet_condition_says_what_was_expected_and_found(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    save(&store, &stream, &events(4));
    let condition = stream_exists() & position_is(7);
    let unmet = unmet(append(&store, &stream, &[event()], condition.clone()));
    assert_eq!(unmet.stream, stream);
    assert_eq!(unmet.condition, condition);
    assert_eq!(unmet.expected, position_is(7));
    assert_eq!(unmet.actual, Some(Position::new(3)));
}
