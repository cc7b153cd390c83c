//! Tests of transactions as users build them.

use super::*;

#[test]
fn write_to_several_categories_all_or_none() {
    on_both(|store| {
        let whole = |condition| {
            transaction().stream_if("accounts", "a", events(1), condition).stream("audit", "log", events(2))
        };
        assert_eq!(whole(stream_exists()).event_count(), 3);
        assert!(store.append(whole(stream_exists())).unwrap_err().is_conflict());
        assert_eq!(store.revision().unwrap().get(), 0);
        assert_eq!(store.append(whole(stream_is_empty())).unwrap().count(), 3);
    });
}

#[test]
fn are_harmless_to_repeat_under_an_id() {
    on_both(|store| {
        let whole = || transaction().id("t").stream_if("c", "s", [NewEvent::empty("e")], stream_is_empty());
        let first = store.append(whole()).unwrap();
        let again = store.append(whole()).unwrap();
        assert!(!first.is_repeat() && again.is_repeat());
        assert_eq!(first, again);
        assert_eq!(store.transaction("t").unwrap().unwrap().events(), store.log().read().unwrap());
        let other = store.append(transaction().id("t").stream("c", "s", [NewEvent::empty("f")])).unwrap_err();
        assert!(matches!(other, AppendError::DuplicateTransaction { .. }));
        assert_eq!(other.retry(), Retry::Never);
    });
}

#[test]
fn can_be_copied_into_another_store() {
    on_both(|from| {
        publish_in_turn(&from, &[("c", "s", "one"), ("d", "s", "two")]);
        let all: Vec<_> = from.transactions(stratalog::Revision::EMPTY).unwrap().map(Result::unwrap).collect();
        on_both(|to| {
            assert_eq!(to.append_verbatim(&all).unwrap().get(), 2);
            assert_eq!(to.log().read().unwrap(), from.log().read().unwrap());
            assert!(matches!(to.append_verbatim(&all), Err(AppendError::NotContiguous { .. })));
        });
    });
}
