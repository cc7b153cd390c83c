//! Tests of the help for tests: builders of a database's events, and given, when, then.

use super::*;
use bank::{Deposit, Open, Transfer};
use stratalog::testing::{TestEventBuilder, given, test_database, test_event, test_stored_event};
use stratalog::{Payload, QueryTemporality, Selector, StateChangeError, StateView, ViewDefinition, ViewError};

#[test]
fn a_builder_makes_the_same_event_as_proposed_and_as_stored() {
    let builder = TestEventBuilder::new("accounts", "deposited")
        .with_stream("acc-42")
        .with_payload(Payload::text("five"))
        .with_id("e-1")
        .with_occurred_at(time(7))
        .with_recorded_at(time(9))
        .with_attribute("tenant", "t-1")
        .with_revision(12);
    let (proposed, stored) = (builder.build(), builder.build_stored());
    assert_eq!((proposed.category(), proposed.stream(), proposed.name()), ("accounts", "acc-42", "deposited"));
    assert_eq!((stored.category(), stored.stream(), stored.name()), ("accounts", "acc-42", "deposited"));
    assert_eq!((proposed.payload(), proposed.id()), (stored.payload(), Some(&stored.id())));
    assert_eq!((proposed.occurred_at(), stored.occurred_at()), (Some(time(7)), time(7)));
    assert_eq!((stored.recorded_at(), stored.revision().get()), (time(9), 12));
    assert_eq!(proposed.attributes(), stored.attributes());
    assert_eq!(stored.source(), "https://test.local/db/test/streams/accounts");
    let plain = TestEventBuilder::new("accounts", "opened");
    assert_eq!((plain.build().id(), plain.build_stored().stream()), (None, ""));
    assert!(plain.build().faults().is_empty());
    assert_eq!(test_database().source().to_string(), "https://test.local/db/test");
}

#[test]
fn a_view_is_folded_alone_or_by_a_database() {
    let mut alone = Account::default();
    for (revision, cents) in [(1, 5), (2, 7)] {
        alone.evolve_event(&test_stored_event("accounts", "a", "deposited", &cents, revision)).unwrap();
    }
    let events = [test_event("accounts", "a", "deposited", &5), test_event("accounts", "a", "deposited", &7)];
    let given = given(events);
    let folded = given.view::<Account>(Selector::stream("a")).unwrap();
    assert_eq!((folded.data, folded.revision.get()), (alone, 2));
    let late =
        given.and([TestEventBuilder::new("accounts", "late").with_stream("a").with_occurred_at(time(0)).build()]);
    let definition = ViewDefinition::new(of_account()).temporality(QueryTemporality::EffectiveTime);
    let trace = late.view_of::<Trace>(definition, account("a")).unwrap().data;
    assert_eq!(trace.0[0], (3, "late".to_owned()));
    let broken = late.and([test_event("accounts", "a", "deposited", "much")]).view::<Account>(accounts());
    assert!(matches!(broken, Err(ViewError::Evolve { .. })), "{broken:?}");
}

#[test]
fn what_is_given_decides_what_comes_of_a_command() {
    let opened = |name: &str| test_event("accounts", name, "opened", &());
    let bank = given([opened("a"), opened("b"), deposited("a", 10)])
        .with_view::<Account>("account", ViewDefinition::new(of_account()));
    let transfer = |cents| Transfer { from: "a".into(), to: "b".into(), cents };
    bank.when::<Transfer>(&transfer(11))
        .then_refused(&StateChangeError::conflict("there is not enough in the account"));
    let moved = |stream: &str, name: &str| test_event("accounts", stream, name, &10);
    let done = bank.when::<Transfer>(&transfer(10)).then_events([moved("a", "withdrawn"), moved("b", "deposited")]);
    assert_eq!(done.then_revision(5).events().len(), 2);
    let unknown = Transfer { from: "a".into(), to: "c".into(), cents: 1 };
    bank.when::<Transfer>(&unknown).then_refused(&StateChangeError::not_found("no such account"));
    let conflict = bank.when::<Open>(&Open { account: "a".into() });
    assert!(conflict.outcome().unwrap_err().is_conflict());
    given([]).when::<Open>(&Open { account: "a".into() }).then_revision(1);
}

/// Whether the helper notices: it panics where a test should fail.
fn fails(check: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err()
}

#[test]
fn then_fails_where_something_else_came_of_it() {
    let bank = given([test_event("accounts", "a", "opened", &())]);
    let deposit = Deposit { account: "a".into(), cents: 5 };
    let expected = |stream: &str, cents: i64| test_event("accounts", stream, "deposited", &cents);
    let then = || bank.when::<Deposit>(&deposit);
    then().then_events([expected("a", 5)]);
    assert!(fails(|| drop(then().then_nothing())));
    assert!(fails(|| drop(then().then_events([expected("a", 6)]))));
    assert!(fails(|| drop(then().then_events([expected("b", 5)]))));
    assert!(fails(|| drop(then().then_events([expected("a", 5).with_id("e")]))));
    assert!(fails(|| drop(then().then_events([expected("a", 5).with_occurred_at(time(0))]))));
    assert!(fails(|| drop(then().then_events([expected("a", 5).with_attribute("a", 1)]))));
    assert!(fails(|| drop(then().then_events([expected("a", 5), expected("a", 5)]))));
    assert!(fails(|| drop(then().then_refused(&StateChangeError::conflict("no")))));
    assert!(fails(|| drop(then().then_revision(0))));
    let refused = || bank.when::<Deposit>(&Deposit { account: "a".into(), cents: 0 });
    refused().then_refused(&StateChangeError::validation("the amount must be positive"));
    assert!(fails(|| drop(refused().then_refused(&StateChangeError::validation("no")))));
    assert!(fails(|| drop(refused().then_nothing())));
}
