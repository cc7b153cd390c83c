//! Tests of transacting: what is refused and how, what is kept, and what a repeat gives.

use super::*;
use stratalog::{
    AppendError, AttributeValue, DatabaseSource, LimitedThing, Limits, NewEvent, Options, Retry, must_exist,
    must_not_exist, unchanged_since,
};

fn refused(database: &Database, proposal: impl Into<Proposal>) -> TransactionError {
    let before = database.store().revision().unwrap();
    let DatabaseError::Transaction(error) = database.transact(proposal).unwrap_err() else { panic!() };
    assert_eq!(database.store().revision().unwrap(), before, "nothing is written");
    error
}

#[test]
fn raise_the_revision_by_one_for_each_event() {
    on_both(|database, _| {
        assert_eq!(database.latest().unwrap().revision(), Revision::EMPTY);
        let first = database.transact([event("accounts", "a", "opened")]).unwrap();
        assert_eq!((first.basis(), first.revision()), (revision(0), revision(1)));
        let second = database.transact([event("accounts", "a", "x"), event("audits", "", "y")]).unwrap();
        assert_eq!((second.basis(), second.revision(), second.count()), (revision(1), revision(3), 2));
        assert_eq!(revisions(database.latest().unwrap().query(all())), [1, 2, 3]);
    });
}

#[test]
fn keep_the_order_of_events_across_streams() {
    on_both(|database, _| {
        let streams = ["a", "b", "a", "a", "c", "b"];
        let events = streams.iter().enumerate();
        let events: Vec<_> = events.map(|(index, stream)| event("accounts", stream, &format!("e{index}"))).collect();
        let receipt = database.transact(events).unwrap();
        let found = database.events_of(&receipt).unwrap();
        assert_eq!(names(&found), ["e0", "e1", "e2", "e3", "e4", "e5"]);
        assert_eq!(found.iter().map(Event::stream).collect::<Vec<_>>(), streams);
        let positions: Vec<u64> = found.iter().map(|event| event.as_ref().position().get()).collect();
        assert_eq!(positions, [0, 0, 1, 2, 0, 1]);
    });
}

#[test]
fn without_events_are_refused_as_empty() {
    on_both(|database, _| {
        assert_eq!(refused(&database, []), TransactionError::Empty);
        let conditions = Proposal::default().when(must_exist(all())).id("t");
        assert_eq!(refused(&database, conditions), TransactionError::Empty, "whatever else there is");
        assert!(database.transaction("t").unwrap().is_none());
    });
}

#[test]
fn are_refused_for_the_first_kind_of_fault_with_all_that_have_it() {
    on_both(|database, _| {
        let long = || Selector::name("x".repeat((1 << 20) + 1));
        let bad = || [event("t", "s", "n"), event("accounts", "s", " ").with_id("\u{1f}")];
        let conditions = || Proposal::new(bad()).when_all([must_exist(long()), must_exist(all()), must_exist(long())]);
        let id = refused(&database, conditions().id("i".repeat(256)));
        assert!(matches!(id, TransactionError::InvalidId { .. }), "{id}");
        let TransactionError::InvalidConditions(found) = refused(&database, conditions()) else { panic!() };
        assert_eq!(found.iter().map(|fault| fault.index).collect::<Vec<_>>(), [0, 2]);
        let events = Proposal::new(bad()).when(must_exist(all()));
        let TransactionError::InvalidEvents(found) = refused(&database, events) else { panic!() };
        assert_eq!(found.iter().map(|fault| fault.index).collect::<Vec<_>>(), [0, 1, 1], "before conditions");
        let empty_stream = ProspectiveEvent::empty("accounts", "n").with_stream("");
        let TransactionError::InvalidEvents(found) = refused(&database, [empty_stream]) else { panic!() };
        assert_eq!(found.len(), 1, "the stream named by nothing is not written as such");
    });
}

#[test]
fn beyond_the_limits_of_the_store_say_which_events_are() {
    let limited = |options: Options| {
        let mut limits = Limits::new();
        (limits.transaction_events, limits.payload_bytes) = (3, 10);
        options.limits(limits)
    };
    both::With(limited).on_both(|database| {
        let many = (0..4).map(|_| event("accounts", "s", "n")).collect::<Proposal>();
        assert_eq!(refused(&database, many), TransactionError::TooLarge { actual: 4, max: 3 });
        let text = |length: usize| {
            let payload = stratalog::Payload::text("x".repeat(length));
            ProspectiveEvent::from_payload("accounts", "n", payload)
        };
        let TransactionError::InvalidEvents(found) = refused(&database, [text(11), text(10), text(12)]) else {
            panic!()
        };
        let shown: Vec<_> = found
            .iter()
            .map(|fault| match &fault.fault {
                EventFault::Limit(limit) => (fault.index, limit.thing, limit.actual, limit.limit),
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(shown, [(0, LimitedThing::Payload, 11, 10), (2, LimitedThing::Payload, 12, 10)]);
    });
}

#[test]
fn are_harmless_to_repeat_under_an_id() {
    on_both(|database, clock| {
        let whole = || {
            let fresh = must_not_exist(Selector::stream("acc-42"));
            Proposal::new([with_id("e-1"), event("accounts", "acc-42", "x")]).id("t").when(fresh).correlation_id("c")
        };
        let first = database.transact(whole()).unwrap();
        clock.set("2024-01-05T00:00:00Z");
        let again = database.transact(whole()).unwrap();
        assert!(!first.is_repeat() && again.is_repeat(), "conditions that no longer hold do not count");
        assert_eq!(first, again);
        assert_eq!(database.receipt("t").unwrap(), Some(first));
        assert_eq!(database.store().revision().unwrap(), revision(2));
        for other in [whole().event(event("accounts", "acc-42", "y")), whole().correlation_id("d")] {
            let error = refused(&database, other);
            assert_eq!(error, TransactionError::DuplicateId { id: "t".into() });
            assert_eq!(error.retry(), Retry::Never);
        }
        assert!(database.receipt("u").unwrap().is_none());
    });
}

#[test]
fn see_the_database_before_them_and_tell_every_unmet_condition() {
    on_both(|database, _| {
        let account = |stream: &str| Selector::category("accounts") & Selector::stream(stream);
        let opened = |stream: &str| event("accounts", stream, "opened");
        let fresh = |stream: &str| Proposal::new([opened(stream)]).when(must_not_exist(account(stream)));
        database.transact(fresh("a")).unwrap();
        let TransactionError::UnmetConditions(unmet) = refused(&database, fresh("a")) else { panic!() };
        assert_eq!((unmet.len(), unmet[0].actual), (1, Some(revision(1))));
        database.transact(fresh("b")).unwrap();

        let whole = [
            must_exist(account("a")),
            must_exist(account("c")),
            unchanged_since(account("b"), revision(1)),
            unchanged_since(account("b"), revision(2)),
        ];
        let error = database.transact(Proposal::new([opened("c")]).when_all(whole.clone())).unwrap_err();
        assert!(error.is_conflict() && error.retry() == Retry::AfterReading);
        let DatabaseError::Transaction(TransactionError::UnmetConditions(unmet)) = error else { panic!() };
        let shown: Vec<_> = unmet.iter().map(|unmet| (&unmet.condition, unmet.actual)).collect();
        assert_eq!(shown, [(&whole[1], None), (&whole[2], Some(revision(2)))]);
    });
}

#[test]
fn want_event_ids_that_their_category_does_not_have() {
    on_both(|database, _| {
        let elsewhere = || event("audits", "acc-42", "opened").with_id("e-1");
        let receipt = database.transact([with_id("e-1"), elsewhere(), event("accounts", "x", "n")]).unwrap();
        let ids = database.event_ids(&receipt).unwrap();
        let e1 = EventId::from("e-1");
        assert_eq!(ids[..2], [(Some(e1.clone()), e1.clone()), (Some(e1.clone()), e1)]);
        let (given, made) = &ids[2];
        assert_eq!(given, &None);
        assert_eq!(made.as_uuid().unwrap().get_version_num(), 7);

        let twice = database.transact([with_id("e-2"), with_id("e-3"), with_id("e-2")]);
        assert_eq!(duplicates(twice), [(2, "e-2".to_owned())]);
        database.transact([with_id("e-4")]).unwrap();
        let made = made.to_string();
        let taken = [with_id("e-5"), with_id("e-4").with_stream("other"), with_id("e-1"), with_id(&made)];
        let told = [(1, "e-4".to_owned()), (2, "e-1".to_owned()), (3, made.clone())];
        assert_eq!(duplicates(database.transact(taken)), told, "all of them, of any stream, made ones too");
        assert_eq!(database.store().revision().unwrap(), revision(4));
        database.transact([event("audits", "acc-42", "n").with_id(made)]).unwrap();
    });
}

#[test]
fn take_no_category_outside_the_rules_and_leave_others_to_be_read() {
    let long = "c".repeat(300);
    let categories = ["t", ".github", "", " ", "a\u{1f}b", &long];
    both::With(|options: Options| options.strict_names(false)).on_both(|database| {
        for category in categories {
            let now = database.latest().unwrap();
            let proposed = || [event(category, "s", "n")];
            for found in [faults(database.transact(proposed())), faults(now.speculate(proposed()))] {
                let [InvalidEvent { index: 0, fault: EventFault::Name(name), .. }] = &found[..] else {
                    panic!("{category:?}: {found:?}")
                };
                assert_eq!((name.what, &*name.name), ("category", category));
            }
            database.store().stream(category, "s").publish([NewEvent::empty("n")]).unwrap();
        }
        let now = database.latest().unwrap();
        for (number, category) in (1_u64..).zip(categories) {
            let found = now.query(Selector::category(category)).read().unwrap();
            assert_eq!((found.len(), found[0].revision(), found[0].category()), (1, revision(number), category));
            assert_eq!(DatabaseSource::parse(&found[0].source()).unwrap(), (both::source(), category.to_owned()));
            let refused = found[0].to_strict_cloud_event().unwrap_err();
            assert_eq!((refused.revision, refused.id), (revision(number), found[0].id()), "it names the event");
        }
        let mut sorted = categories.to_vec();
        sorted.sort_unstable();
        assert_eq!(now.categories().unwrap(), sorted);
    });
}

#[test]
fn have_attributes_that_the_log_shows() {
    on_both(|database, _| {
        let proposal = Proposal::new([with_id("e")])
            .correlation_id("request-7")
            .causation_id("event-6")
            .message("as ordered")
            .principal("user", "Ada")
            .attribute("origin", "http");
        database.transact(proposal.id("t")).unwrap();
        let found = database.transaction("t").unwrap().unwrap();
        let summary = found.summary();
        assert_eq!((summary.correlation_id(), summary.causation_id()), (Some("request-7"), Some("event-6")));
        assert_eq!((summary.id(), summary.message(), summary.event_count()), (Some("t"), Some("as ordered"), 1));
        assert_eq!(summary.principal().collect::<Vec<_>>(), [("user", &AttributeValue::from("Ada"))]);
        assert_eq!(summary.attributes().get("origin"), Some(&AttributeValue::from("http")));
    });
}

#[test]
fn give_events_without_a_time_that_of_their_recording() {
    on_both(|database, clock| {
        clock.set("2024-01-02T03:04:05.000000006Z");
        database.transact([event("accounts", "a", "now"), on_day("future", 30), on_day("past", 1)]).unwrap();
        let found = database.latest().unwrap().query(all()).read().unwrap();
        let recorded = at("2024-01-02T03:04:05.000000006Z");
        assert!(found.iter().all(|event| event.recorded_at() == recorded));
        assert!(found.iter().all(|event| event.as_ref().observed_at() == recorded));
        let occurred: Vec<_> = found.iter().map(Event::occurred_at).collect();
        assert_eq!(occurred, [recorded, day_of_january(30), day_of_january(1)]);
    });
}

#[test]
fn come_back_as_cloud_events_of_their_database() {
    on_both(|database, _| {
        let opened = ProspectiveEvent::json("accounts", "opened", &7).unwrap().with_stream("acc-42").with_id("e-1");
        database.transact([opened.with_attribute("tenant", "t").with_schema("urn:opened")]).unwrap();
        let found = database.latest().unwrap().query(all()).read().unwrap();
        let spoken = found[0].to_strict_cloud_event().unwrap();
        assert_eq!(&*spoken.source, "https://events.example/db/bank/streams/accounts");
        assert_eq!((&*spoken.id, &*spoken.event_type, spoken.subject.as_deref()), ("e-1", "opened", Some("acc-42")));
        assert_eq!(spoken.extensions.get("sequence"), Some(&AttributeValue::from("1")));
        assert_eq!(spoken.extensions.get("recordedtime"), Some(&AttributeValue::Time(at(both::BEGIN))));
        assert_eq!(found[0].decode::<i32>().unwrap(), 7);
    });
}

#[test]
fn tell_what_is_about_the_store_as_the_store_does() {
    on_both(|database, _| {
        database.store().close().unwrap();
        let error = database.transact([with_id("e")]).unwrap_err();
        assert!(matches!(error, DatabaseError::Append(AppendError::Closed)), "{error}");
        assert_eq!(error.retry(), Retry::AfterReopen);
        assert!(matches!(database.latest(), Err(DatabaseError::Read(_))));
    });
}
