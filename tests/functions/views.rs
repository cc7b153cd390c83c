//! Tests of what a view renders, and of everything that can go wrong with it.

use super::*;
use serde::{Deserialize, Serialize};
use stratalog::{
    BindError, ContentCodec, EventField, MessagePack, QueryTemporality, RegisterError, Revision, Selector,
    SelectorTemplate, StateView, ViewDefinition, ViewError, parameter,
};

#[test]
fn a_view_folds_what_its_selector_selects_and_says_of_what_it_is() {
    on_both(|database| {
        let definition = ViewDefinition::new(of_account()).schema("urn:account");
        database.register_view::<Account>("account", definition).unwrap();
        let first = database.transact([deposited("a", 5), deposited("b", 7), deposited("a", 11)]).unwrap();
        let second = database.transact([deposited("b", 13)]).unwrap();
        let now = database.latest().unwrap();
        let view = now.view("account", 1, account("a")).unwrap().unwrap();
        assert_eq!(text(&view), r#"{"cents":16,"events":2}"#);
        assert_eq!((&*view.database, &*view.name, view.version), ("bank", "account", 1));
        assert_eq!(view.selector, accounts() & Selector::stream("a"));
        assert_eq!((view.revision, view.recorded_at), (Revision::new(4), second.recorded_at()));
        assert_eq!(view.last_modified_revision, Some(Revision::new(3)));
        assert_eq!(view.last_modified_at, Some(first.recorded_at()));
        assert_eq!((&*view.content_type, view.schema.as_deref()), ("application/json", Some("urn:account")));
        assert_eq!(view.parse::<Account>().unwrap(), Some(Account { cents: 16, events: 2 }));
        let state = now.view_state::<Account>("account", 1, account("b")).unwrap().unwrap();
        assert_eq!((state.data, state.revision), (Account { cents: 20, events: 2 }, Revision::new(4)));
        let earlier = database.at_revision(Revision::new(1), std::time::Duration::ZERO).unwrap();
        let view = earlier.view("account", 1, account("b")).unwrap().unwrap();
        assert_eq!((text(&view), view.revision), (r#"{"cents":7,"events":1}"#.to_owned(), Revision::new(3)));
    });
}

#[test]
fn no_events_give_no_content_and_the_code_does_not_run() {
    on_both(|database| {
        let counting = Counting::default();
        database.register_view_with("counting", ViewDefinition::new(of_account()), counting.clone()).unwrap();
        database.register_view::<Account>("account", ViewDefinition::new(of_account())).unwrap();
        database.transact([deposited("b", 1)]).unwrap();
        let now = database.latest().unwrap();
        let empty = database.at_revision(Revision::EMPTY, std::time::Duration::ZERO).unwrap();
        for at in [&now, &empty, &now.at_effective_timestamp(time(0))] {
            let view = at.view("counting", 1, account("a")).unwrap().unwrap();
            assert_eq!((view.content, view.last_modified_revision, view.last_modified_at), (None, None, None));
            let state = at.view_state::<Account>("account", 1, account("a")).unwrap().unwrap();
            assert_eq!((state.data, state.revision), (Account::default(), Revision::EMPTY));
            assert_eq!(at.view("account", 1, account("a")).unwrap().unwrap().parse::<Account>().unwrap(), None);
        }
        assert_eq!(counting.taken(), (0, 0));
    });
}

#[test]
fn an_unknown_view_is_none_and_one_that_is_off_an_error() {
    on_both(|database| {
        let now = database.latest().unwrap();
        assert_eq!(now.view("account", 1, []).unwrap(), None);
        database.register_view::<Account>("account", ViewDefinition::new(accounts())).unwrap();
        assert_eq!(now.view("account", 2, ()).unwrap(), None);
        assert!(now.view_state::<Account>("other", 1, ()).unwrap().is_none());
        assert!(now.view("account", 1, ()).unwrap().is_some());
        database.set_view_active("account", 1, false).unwrap();
        let off = now.view("account", 1, ()).unwrap_err();
        assert!(matches!(&off, ViewError::Inactive { name, version: 1 } if &**name == "account"), "{off}");
        database.set_view_active("account", 1, true).unwrap();
        assert!(now.view("account", 1, ()).unwrap().is_some());
        let unknown = database.set_view_active("account", 2, true).unwrap_err();
        assert_eq!(unknown, RegisterError::NotFound { name: "account".into(), version: 2 });
    });
}

#[test]
fn parameters_are_bound_by_name_and_kind() {
    on_both(|database| {
        let template = of_account() & SelectorTemplate::name_prefix(parameter("kind.of event"));
        database.register_view::<Account>("account", ViewDefinition::new(template)).unwrap();
        database.transact([deposited("a", 5), deposited("a", 6)]).unwrap();
        let now = database.latest().unwrap();
        let kind = ("kind.of event", FieldValue::name("depo"));
        let both = [("account", FieldValue::stream("a")), kind.clone()];
        assert_eq!(text(&now.view("account", 1, both.clone()).unwrap().unwrap()), r#"{"cents":11,"events":2}"#);
        let refused = |parameters: &[(&str, FieldValue)]| match now.view("account", 1, parameters).unwrap_err() {
            ViewError::Bind { name, version: 1, source } if &*name == "account" => source,
            other => panic!("{other}"),
        };
        let unbound = BindError::Unbound { parameter: "account".into(), expected: EventField::Stream };
        assert_eq!(refused(std::slice::from_ref(&kind)), unbound);
        let unknown = [both.to_vec(), vec![("other", FieldValue::stream("a"))]].concat();
        assert_eq!(refused(&unknown), BindError::Unknown { parameter: "other".into() });
        let wrong = [("account", FieldValue::category("a")), kind.clone()];
        assert_eq!(
            refused(&wrong),
            BindError::WrongKind {
                parameter: "account".into(),
                expected: EventField::Stream,
                actual: EventField::Category
            }
        );
        let twice = [both.to_vec(), vec![kind]].concat();
        assert_eq!(refused(&twice), BindError::BoundTwice { parameter: "kind.of event".into() });
        let names: Vec<(String, EventField)> =
            database.state_views()[0].parameters().map(|(name, field)| (name.to_owned(), field)).collect();
        assert_eq!(names, [("account".into(), EventField::Stream), ("kind.of event".into(), EventField::Name)]);
    });
}

#[test]
fn an_event_that_cannot_be_fails_the_view_and_no_other() {
    on_both(|database| {
        database.register_view::<Account>("account", ViewDefinition::new(of_account())).unwrap();
        database.transact([deposited("a", 5), deposited("b", 6)]).unwrap();
        let before = database.latest().unwrap();
        let bad = ProspectiveEvent::json("accounts", "deposited", "much").unwrap().with_stream("a");
        database.transact([bad, ProspectiveEvent::empty("accounts", "never").with_stream("c")]).unwrap();
        let now = database.latest().unwrap();
        let reason = |name: &str| match now.view("account", 1, account(name)).unwrap_err() {
            ViewError::Evolve { source, .. } => (source.revision, source.reason),
            other => panic!("{other}"),
        };
        for _ in 0..2 {
            let (revision, reason) = reason("a");
            assert_eq!(revision, Some(Revision::new(3)));
            assert!(reason.contains("cannot be read"), "{reason}");
        }
        assert_eq!(reason("c"), (Some(Revision::new(4)), "this event cannot be".into()));
        assert_eq!(text(&now.view("account", 1, account("b")).unwrap().unwrap()), r#"{"cents":6,"events":1}"#);
        assert_eq!(text(&before.view("account", 1, account("a")).unwrap().unwrap()), r#"{"cents":5,"events":1}"#);
    });
}

#[test]
fn a_panic_is_an_error_and_the_next_call_works() {
    on_both(|database| {
        database.register_view::<Account>("account", ViewDefinition::new(of_account())).unwrap();
        database.transact([deposited("a", 5)]).unwrap();
        let before = database.latest().unwrap();
        before.view("account", 1, account("a")).unwrap();
        database.transact([ProspectiveEvent::empty("accounts", "panic").with_stream("a"), deposited("b", 1)]).unwrap();
        let now = database.latest().unwrap();
        for _ in 0..2 {
            match now.view("account", 1, account("a")).unwrap_err() {
                ViewError::Panicked { message, .. } => assert_eq!(message, "the view does not like 2"),
                other => panic!("{other}"),
            }
        }
        assert_eq!(text(&before.view("account", 1, account("a")).unwrap().unwrap()), r#"{"cents":5,"events":1}"#);
        assert_eq!(text(&now.view("account", 1, account("b")).unwrap().unwrap()), r#"{"cents":1,"events":1}"#);
        database.transact([deposited("a", 1)]).unwrap();
    });
}

/// The same sum three ways.
macro_rules! sum {
    ($name:ident, $codec:ty) => {
        #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
        struct $name {
            cents: i64,
        }

        impl StateView for $name {
            type Codec = $codec;

            fn evolve_event(&mut self, event: &Event) -> Result<(), EvolveError> {
                self.cents += event.decode::<i64>()?;
                Ok(())
            }
        }
    };
}

sum!(Packed, MessagePack);
sum!(Spelled, Text);

/// Decimal text.
struct Text;

impl ContentCodec<Spelled> for Text {
    const CONTENT_TYPE: &'static str = "text/plain";

    fn encode(value: &Spelled) -> Result<Vec<u8>, String> {
        Ok(value.cents.to_string().into_bytes())
    }

    fn decode(bytes: &[u8]) -> Result<Spelled, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        text.parse().map(|cents| Spelled { cents }).map_err(|_| format!("{text:?} is no number"))
    }
}

#[test]
fn states_are_written_by_their_codec_under_their_content_type() {
    on_both(|database| {
        let definition = || ViewDefinition::new(accounts());
        database.register_view::<Packed>("packed", definition()).unwrap();
        database.register_view::<Spelled>("spelled", definition().content_type("text/plain; charset=utf-8")).unwrap();
        database.register_view::<Account>("json", definition().content_type("application/vnd.bank+json")).unwrap();
        for cents in [3, 4] {
            database.transact([deposited("a", cents)]).unwrap();
            // Twice, so that the codec reads what it wrote.
            database.latest().unwrap().view("spelled", 1, ()).unwrap();
            database.latest().unwrap().view("packed", 1, ()).unwrap();
        }
        let now = database.latest().unwrap();
        let packed = now.view("packed", 1, ()).unwrap().unwrap();
        assert_eq!(
            (&*packed.content_type, packed.parse().unwrap()),
            ("application/msgpack", Some(Packed { cents: 7 }))
        );
        let spelled = now.view("spelled", 1, ()).unwrap().unwrap();
        assert_eq!((&*spelled.content_type, &*text(&spelled)), ("text/plain; charset=utf-8", "7"));
        assert_eq!(spelled.state::<Spelled>().unwrap().data, Spelled { cents: 7 });
        let json = now.view("json", 1, ()).unwrap().unwrap();
        assert_eq!(json.parse::<Account>().unwrap(), Some(Account { cents: 7, events: 2 }));
        // What is not what it is to be read as is a typed error.
        let unreadable = |result: Result<(), ViewError>| matches!(result, Err(ViewError::Content { .. }));
        assert!(unreadable(spelled.parse::<i64>().map(drop)), "neither JSON nor MessagePack");
        assert!(unreadable(json.parse::<String>().map(drop)));
        assert!(unreadable(now.view_state::<Trace>("json", 1, ()).map(drop)));
        // A view does not write what its code does not.
        let refused = database.register_view::<Spelled>("odd", definition().content_type("application/json"));
        assert_eq!(
            refused,
            Err(RegisterError::ContentType {
                name: "odd".into(),
                declared: "application/json".into(),
                written: "text/plain".into()
            })
        );
    });
}

#[test]
fn effective_times_bound_every_view_and_order_those_that_want_it() {
    on_both(|database| {
        let definition = |temporality| ViewDefinition::new(accounts()).temporality(temporality);
        database.register_view::<Trace>("log", definition(QueryTemporality::Revision)).unwrap();
        database.register_view::<Trace>("time", definition(QueryTemporality::EffectiveTime)).unwrap();
        let at = |name: &str, seconds| ProspectiveEvent::empty("accounts", name).with_occurred_at(time(seconds));
        database.transact([at("late", 30), at("early", 10), at("future", 4_000_000_000), at("same", 10)]).unwrap();
        let now = database.latest().unwrap();
        let names = |at: &stratalog::DatabaseAt, view: &str| -> Vec<String> {
            let state = at.view_state::<Trace>(view, 1, ()).unwrap().unwrap();
            state.data.0.into_iter().map(|(_, name)| name).collect()
        };
        assert_eq!(names(&now, "log"), ["late", "early", "future", "same"]);
        assert_eq!(names(&now, "time"), ["early", "same", "late", "future"]);
        let bounded = now.at_effective_timestamp(time(30));
        assert_eq!(names(&bounded, "log"), ["late", "early", "same"], "the end is inclusive");
        assert_eq!(names(&bounded, "time"), ["early", "same", "late"]);
        let view = bounded.view("time", 1, ()).unwrap().unwrap();
        assert_eq!(view.last_modified_revision, Some(Revision::new(4)), "the last in the order of the log");
        assert_eq!(names(&now.at_effective_timestamp(time(29)), "log"), ["early", "same"]);
    });
}
