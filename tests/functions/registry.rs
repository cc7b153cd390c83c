//! Tests of registering, listing and switching.

use super::*;
use stratalog::{
    ChangeDefinition, Command, DatabaseReader, DecideResult, Maintenance, RegisterError, SelectorError,
    SelectorTemplate, StateChangeMetadata, StateChangeRequest, ViewDefinition, parameter,
};

fn nothing(_: &dyn DatabaseReader, _: &Command, _: &StateChangeMetadata) -> DecideResult {
    Ok([].into())
}

#[test]
fn versions_count_up_from_one_or_are_given() {
    on_both(|database| {
        let view = || ViewDefinition::new(accounts());
        let register = |definition| database.register_view::<Account>("account", definition);
        assert_eq!((register(view()), register(view())), (Ok(1), Ok(2)));
        assert_eq!((register(view().version(7)), register(view()), register(view().version(3))), (Ok(7), Ok(8), Ok(3)));
        let taken = RegisterError::AlreadyRegistered { name: "account".into(), version: 7 };
        assert_eq!(register(view().version(7)), Err(taken));
        let none = RegisterError::InvalidVersion { name: "account".into(), version: 0 };
        assert_eq!(register(view().version(0)), Err(none.clone()));
        assert_eq!((register(view().version(u64::MAX)), register(view())), (Ok(u64::MAX), Err(none)));
        let change = |definition| database.register_change_with("account", definition, nothing);
        assert_eq!(change(ChangeDefinition::new()), Ok(1), "changes have names of their own");
        assert_eq!(
            change(ChangeDefinition::new().version(1)).map_err(|error| error.to_string()),
            Err("there is a version 1 of \"account\" already".into())
        );
        let versions: Vec<u64> = database.state_views().iter().map(|view| view.version()).collect();
        assert_eq!(versions, [1, 2, 3, 7, 8, u64::MAX]);
        assert_eq!(anew(&database).state_views().len(), 0, "each program registers its own");
    });
}

#[test]
fn versions_stand_side_by_side() {
    on_both(|database| {
        database.register_view::<Account>("account", ViewDefinition::new(accounts())).unwrap();
        database.register_view::<Trace>("account", ViewDefinition::new(accounts())).unwrap();
        database.transact([deposited("a", 5)]).unwrap();
        let now = database.latest().unwrap();
        let texts = [1, 2].map(|version| text(&now.view("account", version, ()).unwrap().unwrap()));
        assert_eq!(texts, [r#"{"cents":5,"events":1}"#, r#"[[1,"deposited"]]"#]);
    });
}

#[test]
fn names_are_held_to_the_rules() {
    on_both(|database| {
        let long = "a".repeat(129);
        for name in ["", "a", "1a", "account summary", "a/b", "äb", &long] {
            let view = database.register_view::<Account>(name, ViewDefinition::new(accounts())).unwrap_err();
            assert!(matches!(&view, RegisterError::Name(refused) if refused.name == name), "{view}");
            let change = database.register_change_with(name, ChangeDefinition::new(), nothing).unwrap_err();
            assert!(matches!(&change, RegisterError::Name(refused) if refused.what == "state change"), "{change}");
        }
        for name in ["ab", "account-summary", "A.b_c-9"] {
            assert_eq!(database.register_view::<Account>(name, ViewDefinition::new(accounts())), Ok(1));
            assert_eq!(database.register_change_with(name, ChangeDefinition::new(), nothing), Ok(1));
        }
    });
}

#[test]
fn selectors_are_checked_when_they_are_registered() {
    on_both(|database| {
        let both = SelectorTemplate::stream(parameter("x")) & SelectorTemplate::name(parameter("x"));
        let refused = database.register_view::<Account>("account", ViewDefinition::new(both)).unwrap_err();
        let RegisterError::Selector { name, source } = refused else { panic!("{refused}") };
        assert_eq!(&*name, "account");
        assert!(matches!(source, SelectorError::ConflictingKinds { .. }), "{source}");
        let big = SelectorTemplate::name("x".repeat((1 << 20) + 1));
        let refused = database.register_view::<Account>("account", ViewDefinition::new(big)).unwrap_err();
        assert!(matches!(refused, RegisterError::Selector { source: SelectorError::Limit(_), .. }), "{refused}");
        assert!(database.state_views().is_empty());
    });
}

#[test]
fn what_was_registered_is_listed_with_all_that_was_said() {
    on_both(|database| {
        let definition = ViewDefinition::new(of_account())
            .description("what is in an account")
            .schema("urn:account")
            .eager(3)
            .source_code("https://code.example/account")
            .inactive();
        database.register_view::<Account>("account", definition.clone()).unwrap();
        database.register_view::<Account>("account", ViewDefinition::new(accounts())).unwrap();
        let views = database.state_views();
        assert_eq!((views[0].definition(), views[0].name(), views[0].version()), (&definition, "account", 1));
        assert_eq!(
            (views[0].content_type(), views[0].is_active(), views[1].is_active()),
            ("application/json", false, true)
        );
        assert_eq!(views[1].definition().maintenance, Maintenance::Lazy);
        let definition = ChangeDefinition::new().description("opens").source_code("urn:code").inactive();
        database.register_change_with("open", definition.clone(), nothing).unwrap();
        let changes = database.state_changes();
        assert_eq!((changes[0].definition(), changes[0].name(), changes[0].is_active()), (&definition, "open", false));
        let request = StateChangeRequest::new();
        assert!(database.execute_state_change("open", 1, &request).is_err());
        database.set_change_active("open", 1, true).unwrap();
        database.set_view_active("account", 1, true).unwrap();
        assert!(changes[0].is_active() && views[0].is_active());
        assert!(database.execute_state_change("open", 1, &request).is_ok());
        let unknown = RegisterError::NotFound { name: "open".into(), version: 2 };
        assert_eq!(database.set_change_active("open", 2, false), Err(unknown));
        assert!(format!("{changes:?}").contains("is_active: true"), "{changes:?}");
    });
}
