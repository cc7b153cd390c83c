//! Cases about what a refused save leaves behind: nothing.

use super::support::{append, builder, event, events, positions, save, save_if, snapshot, stream, stream_in};
use super::{Bench, case_list};
use crate::vocabulary::condition::{Condition, position_is, stream_is_empty};
use crate::vocabulary::transaction::transaction;

case_list!(refusals:
    a_refused_save_changes_nothing,
    a_refused_save_does_not_leave_names_behind,
    numbers_go_on_without_a_gap_after_refused_saves,
);

fn a_refused_save_changes_nothing(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    save(&store, &one, &events(3));
    save(&store, &stream_in(one.category()), &events(2));
    let before = snapshot(&store);
    let bomb = Condition::custom("bomb", |_| std::panic::resume_unwind(Box::new("boom")));
    let refusals = [
        (events(2), stream_is_empty()),
        (events(2), position_is(1)),
        (events(2), position_is(3)),
        (events(2), Condition::custom("no", |_| false)),
        (events(2), bomb),
        (vec![], position_is(1)),
        (vec![event(), builder().with_name("n".repeat(1 << 20)).build()], Condition::any()),
    ];
    for (events, condition) in refusals {
        let outcome = append(&store, &one, &events, condition.clone());
        assert!(outcome.is_err(), "{condition}");
        assert_eq!(snapshot(&store), before, "{condition}");
    }
}

fn a_refused_save_does_not_leave_names_behind(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let refused = transaction().stream("new-category", "new-stream", events(2)).stream_if(
        one.category(),
        one.stream(),
        [event()],
        position_is(0),
    );
    assert!(store.append(refused).is_err());
    assert!(store.categories().unwrap().is_empty());
    assert!(store.category("new-category").streams().unwrap().is_empty());
    assert_eq!((store.stats().unwrap().streams, store.stats().unwrap().events), (0, 0));
    assert!(store.category("new-category").latest().unwrap().is_none());
    save_if(&store, &one, &[event()], stream_is_empty());
}

fn numbers_go_on_without_a_gap_after_refused_saves(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let first = append(&store, &one, &events(3), None).unwrap();
    for _ in 0..5 {
        assert!(append(&store, &one, &events(4), stream_is_empty()).is_err());
        assert!(append(&store, &one, &events(4), position_is(7)).is_err());
    }
    let second = append(&store, &one, &events(2), position_is(2)).unwrap();
    assert_eq!(second.basis(), first.revision());
    assert_eq!(second.last_position().map(|position| position.get()), Some(4));
    assert_eq!(positions(&store.events_of(&second).unwrap()), [3, 4]);
}
