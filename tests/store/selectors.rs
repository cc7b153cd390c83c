//! Tests of selectors and append conditions on events of a store.

use super::*;
use stratalog::{DatabaseSource, Event, EventField, Selectable, Selector, must_exist, must_not_exist, unchanged_since};

/// The numbers of the events that a selector selects, as `visit` lends them, which must be those of the owned ones.
fn selected(store: &EventStore, selector: &Selector) -> Vec<u64> {
    let mut lent = Vec::new();
    store
        .log()
        .scan()
        .visit(|event| {
            if selector.matches(event) {
                lent.push(event.sequence_number().get());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let owned = store.log().read().unwrap();
    let owned = owned.iter().filter(|event| selector.matches(*event)).map(|event| event.sequence_number().get());
    assert_eq!(owned.collect::<Vec<_>>(), lent);
    lent
}

#[test]
fn take_names_of_every_shape() {
    let long = "c".repeat(300);
    let categories = ["t", ".github", "", " ", "a\u{1f}b", &long, "accounts"];
    on_both(|store| {
        for category in categories {
            publish_in_turn(&store, &[(category, "", "opened"), (category, "a\u{1f}b", "opened")]);
        }
        for (index, category) in (0_u64..).zip(categories) {
            let both = [2 * index, 2 * index + 1];
            assert_eq!(selected(&store, &Selector::category(category)), both, "{category:?}");
            assert_eq!(selected(&store, &(Selector::category(category) & Selector::no_stream())), both[..1]);
            assert_eq!(selected(&store, &Stream::new(category, "a\u{1f}b").into()), both[1..]);
        }
        assert_eq!(selected(&store, &Selector::category_prefix("a")), [8, 9, 12, 13]);
        assert_eq!(selected(&store, &Selector::stream_prefix("")), [1, 3, 5, 7, 9, 11, 13]);
        assert_eq!(selected(&store, &Selector::name_prefix("opened")).len(), 14);
    });
}

#[test]
fn look_at_the_names_that_events_have() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "n")]);
        let event = store.log().latest().unwrap().unwrap();
        let names = [EventField::Category, EventField::Stream, EventField::Name].map(|field| event.field(field));
        assert_eq!(names, ["c", "s", "n"]);
        let database = DatabaseSource::new("https://events.example", "bank").unwrap();
        let of_database = Event::new(event, database);
        assert!(Selector::from(Stream::new("c", "s")).matches(&of_database));
        assert_eq!(of_database.source(), "https://events.example/db/bank/streams/c");
    });
}

#[test]
fn say_what_must_hold_of_the_latest_event() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "opened"), ("c", "t", "opened"), ("c", "s", "closed")]);
        let latest = |selector: &Selector| {
            let numbers = selected(&store, selector);
            numbers.last().map(|number| stratalog::Revision::new(number + 1))
        };
        let judge = |condition: stratalog::AppendCondition| condition.judge(latest(condition.selector()));
        let (opened, gone) = (Selector::name("opened"), Selector::name("gone"));
        assert_eq!(judge(must_exist(opened.clone())), Ok(()));
        assert_eq!(judge(must_not_exist(gone.clone())), Ok(()));
        assert_eq!(judge(unchanged_since(opened.clone(), stratalog::Revision::new(2))), Ok(()));
        let unmet = judge(unchanged_since(opened, stratalog::Revision::new(1))).unwrap_err();
        assert_eq!(unmet.actual, Some(stratalog::Revision::new(2)));
        assert_eq!(judge(must_exist(gone)).unwrap_err().actual, None);
    });
}
