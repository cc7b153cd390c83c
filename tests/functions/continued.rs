//! Tests that a view is the same however it came about: folded from the start, or gone on from before.

use super::*;
use std::time::Duration;
use stratalog::{DatabaseAt, QueryTemporality, Revision, Selector, ViewDefinition, ViewError};

const TEMPORALITIES: [(&str, QueryTemporality); 2] =
    [("log", QueryTemporality::Revision), ("time", QueryTemporality::EffectiveTime)];

/// Registers the views that are compared, of all accounts and of one.
fn register(database: &Database) {
    for (name, temporality) in TEMPORALITIES {
        database.register_view::<Trace>(name, ViewDefinition::new(of_account()).temporality(temporality)).unwrap();
    }
}

/// Some events of three accounts, some of which came late.
fn some(dice: &mut Dice) -> Vec<ProspectiveEvent> {
    let one = |dice: &mut Dice| {
        let event = deposited(["a", "b", "c"][usize::try_from(dice.below(3)).unwrap()], 1);
        match dice.below(3) {
            0 => event,
            1 => event.with_occurred_at(time(dice.below(100) as i64)),
            _ => event.with_occurred_at(time(4_000_000_000 + dice.below(100) as i64)),
        }
    };
    (0..=dice.below(4)).map(|_| one(dice)).collect()
}

/// Every view of every kind, at one database: as it goes on from what is remembered, as it is folded from the start, and as a
/// query has its events.
fn compare(going_on: &DatabaseAt, from_start: &DatabaseAt) {
    assert_eq!(going_on.revision(), from_start.revision());
    for (name, _) in TEMPORALITIES {
        for account_name in ["a", "b"] {
            let [one, other] =
                [going_on, from_start].map(|at| at.view(name, 1, account(account_name)).unwrap().unwrap());
            assert_eq!(one, other, "{name} of {account_name} at revision {}", one.revision);
            let query = from_start.query(one.selector.clone());
            let query = if name == "time" { query.by_effective_time() } else { query };
            let events = query.read().unwrap();
            let trace = events.iter().map(|event| (event.revision().get(), event.name().to_owned())).collect();
            let last = events.iter().map(Event::revision).max();
            assert_eq!((one.state().unwrap().data, one.last_modified_revision), (Trace(trace), last), "{one:?}");
            assert_eq!(one.content.is_none(), events.is_empty());
        }
    }
}

#[test]
fn views_are_the_same_at_random_cuts_whether_folded_or_continued() {
    on_both(|database| {
        let mut dice = Dice(7);
        let forgetful = anew(&database);
        forgetful.set_view_cache_bytes(0);
        register(&database);
        register(&forgetful);
        for _ in 0..120 {
            database.transact(some(&mut dice)).unwrap();
            if dice.below(2) == 0 {
                continue;
            }
            // Now, or at a revision before.
            let newest = database.latest().unwrap().revision().get();
            let revision = if dice.below(3) == 0 { dice.below(newest + 1) } else { newest };
            let [one, other] =
                [&database, &forgetful].map(|at| at.at_revision(Revision::new(revision), Duration::ZERO).unwrap());
            compare(&one, &other);
            let effective = time(dice.below(120) as i64);
            compare(&one.at_effective_timestamp(effective), &other.at_effective_timestamp(effective));
            // Ids would be made anew: the events that are speculated on have them.
            let speculated: Vec<ProspectiveEvent> = some(&mut dice)
                .into_iter()
                .enumerate()
                .map(|(place, event)| event.with_id(format!("speculated-{place}")))
                .collect();
            let [one, other] = [&one, &other].map(|at| at.speculate(speculated.clone()).unwrap());
            compare(&one, &other);
            compare(&one.at_effective_timestamp(effective), &other.at_effective_timestamp(effective));
        }
        assert_eq!(forgetful.view_cache_bytes(), 0);
        assert!(database.view_cache_bytes() > 0);
    });
}

/// A database with a counting view of all accounts.
fn counted(database: &Database, temporality: QueryTemporality) -> Counting {
    let counting = Counting::default();
    let definition = ViewDefinition::new(accounts()).temporality(temporality);
    database.register_view_with("counting", definition, counting.clone()).unwrap();
    counting
}

fn rendered(at: &DatabaseAt) -> String {
    text(&at.view("counting", 1, ()).unwrap().unwrap())
}

#[test]
fn only_what_is_new_is_folded() {
    on_both(|database| {
        let counting = counted(&database, QueryTemporality::Revision);
        database.transact((0..600).map(|cents| deposited("a", cents)).collect::<Vec<_>>()).unwrap();
        let first = database.latest().unwrap();
        rendered(&first);
        assert_eq!(counting.taken(), (1, 600));
        rendered(&first);
        assert_eq!(counting.taken(), (0, 0));
        database.transact([deposited("a", 1), ProspectiveEvent::empty("audits", "noted")]).unwrap();
        let second = database.latest().unwrap();
        assert!(rendered(&second).ends_with("deposited@600 deposited@601 "));
        assert_eq!(counting.taken(), (1, 1));
        // Nothing that the view selects is new: its code does not run.
        database.transact([ProspectiveEvent::empty("audits", "noted")]).unwrap();
        assert_eq!(rendered(&database.latest().unwrap()), rendered(&second));
        // Which was for an older revision than is remembered: from the start.
        assert_eq!(counting.taken(), (1, 601));
        rendered(&database.latest().unwrap());
        assert_eq!(counting.taken(), (0, 0));
    });
}

#[test]
fn a_late_event_is_folded_where_it_belongs() {
    on_both(|database| {
        let counting = counted(&database, QueryTemporality::EffectiveTime);
        let at = |name: &str, seconds| ProspectiveEvent::empty("accounts", name).with_occurred_at(time(seconds));
        database.transact([at("one", 10), at("three", 30)]).unwrap();
        assert_eq!(rendered(&database.latest().unwrap()), "one@1 three@2 ");
        assert_eq!(counting.taken(), (1, 2));
        database.transact([at("four", 40), at("also-three", 30)]).unwrap();
        assert_eq!(rendered(&database.latest().unwrap()), "one@1 three@2 also-three@4 four@3 ");
        assert_eq!(counting.taken(), (1, 2), "neither is earlier than what was folded");
        database.transact([at("two", 20)]).unwrap();
        assert_eq!(rendered(&database.latest().unwrap()), "one@1 two@5 three@2 also-three@4 four@3 ");
        assert_eq!(counting.taken(), (1, 5), "all of them again");
        let bounded = database.latest().unwrap().at_effective_timestamp(time(30));
        assert_eq!(rendered(&bounded), "one@1 two@5 three@2 also-three@4 ");
        let speculated = bounded.speculate([at("between", 15), at("beyond", 50)]).unwrap();
        assert_eq!(rendered(&speculated), "one@1 between@6 two@5 three@2 also-three@4 ");
        // None of these comes late; they are put in order among themselves.
        let future = database.latest().unwrap().speculate([at("six", 60), at("five", 50), at("seven", 70)]).unwrap();
        assert_eq!(rendered(&future), "one@1 two@5 three@2 also-three@4 four@3 five@7 six@6 seven@8 ");
        counting.taken();
        assert_eq!(rendered(&future.at_effective_timestamp(time(60))), rendered(&future).replace("seven@8 ", ""));
    });
}

#[test]
fn the_last_event_is_that_of_the_log_whatever_the_order_and_however_many() {
    on_both(|database| {
        counted(&database, QueryTemporality::EffectiveTime);
        let events = (0..600).map(|number| deposited("a", 1).with_occurred_at(time(1_000 - number)));
        let receipt = database.transact(events.collect::<Vec<_>>()).unwrap();
        let view = database.latest().unwrap().view("counting", 1, ()).unwrap().unwrap();
        assert_eq!(view.last_modified_revision, Some(Revision::new(600)));
        assert_eq!(view.last_modified_at, Some(receipt.recorded_at()));
        // It is the first in the order of effective times: what comes next is late unless it is later than all of them.
        database.transact([deposited("a", 1).with_occurred_at(time(999))]).unwrap();
        assert!(
            text(&database.latest().unwrap().view("counting", 1, ()).unwrap().unwrap()).ends_with("@601 deposited@1 ")
        );
    });
}

#[test]
fn speculation_goes_on_from_the_basis_and_is_not_remembered() {
    on_both(|database| {
        let counting = counted(&database, QueryTemporality::Revision);
        database.transact((0..9).map(|cents| deposited("a", cents)).collect::<Vec<_>>()).unwrap();
        let now = database.latest().unwrap();
        let before = rendered(&now);
        counting.taken();
        let bytes = database.view_cache_bytes();
        let once = now.speculate([deposited("a", 1), ProspectiveEvent::empty("audits", "noted")]).unwrap();
        assert_eq!(rendered(&once), format!("{before}deposited@10 "));
        assert_eq!(counting.taken(), (1, 1));
        let twice = once.speculate([deposited("b", 1)]).unwrap();
        assert_eq!(rendered(&twice), format!("{before}deposited@10 deposited@12 "));
        assert_eq!(counting.taken(), (1, 2));
        assert_eq!(database.view_cache_bytes(), bytes);
        database.transact([deposited("c", 1)]).unwrap();
        assert_eq!(rendered(&database.latest().unwrap()), format!("{before}deposited@10 "));
        assert_eq!(counting.taken(), (1, 1), "nothing of what was speculated is there");
        assert_eq!(rendered(&twice), format!("{before}deposited@10 deposited@12 "), "it stays what it was");
        assert!(database.latest().unwrap().query(Selector::stream("b")).read().unwrap().is_empty());
    });
}

#[test]
fn what_is_remembered_is_bounded_in_bytes() {
    on_both(|database| {
        let counting = Counting::default();
        database.register_view_with("counting", ViewDefinition::new(of_account()), counting.clone()).unwrap();
        let names: Vec<String> = (0..20).map(|number| format!("account-{number}")).collect();
        database.transact(names.iter().map(|name| deposited(name, 1)).collect::<Vec<_>>()).unwrap();
        let now = database.latest().unwrap();
        let all = || names.iter().for_each(|name| drop(now.view("counting", 1, account(name)).unwrap()));
        all();
        let bytes = database.view_cache_bytes();
        assert_eq!(counting.taken(), (20, 20));
        database.set_view_cache_bytes(bytes / 2);
        assert!((1..=bytes / 2).contains(&database.view_cache_bytes()));
        now.view("counting", 1, account("account-19")).unwrap();
        assert_eq!(counting.taken(), (0, 0), "the one used last stays");
        now.view("counting", 1, account("account-0")).unwrap();
        assert_eq!(counting.taken(), (1, 1), "the one used first is gone");
        database.set_view_cache_bytes(0);
        all();
        assert_eq!((counting.taken(), database.view_cache_bytes()), ((20, 20), 0));
    });
}

#[test]
fn eager_views_are_brought_up_in_the_order_of_their_priorities() {
    on_both(|database| {
        let [soon, later, lazy] = [Counting::default(), Counting::default(), Counting::default()];
        database.register_view_with("later", ViewDefinition::new(accounts()).eager(9), later.clone()).unwrap();
        database.register_view_with("soon", ViewDefinition::new(of_account()).eager(0), soon.clone()).unwrap();
        database.register_view_with("lazy", ViewDefinition::new(accounts()), lazy.clone()).unwrap();
        database.register_view::<Account>("fails", ViewDefinition::new(accounts()).eager(5)).unwrap();
        database.transact([deposited("a", 1), ProspectiveEvent::empty("accounts", "never").with_stream("b")]).unwrap();
        let refreshed = database.refresh_views().unwrap();
        // One has parameters and was not asked for yet; one fails, and keeps none from it.
        assert_eq!((refreshed.revision, refreshed.rendered), (Some(Revision::new(2)), 1));
        assert_eq!(refreshed.failed.len(), 1);
        assert_eq!((soon.taken(), later.taken(), lazy.taken()), ((0, 0), (1, 2), (0, 0)));
        database.latest().unwrap().view("soon", 1, account("a")).unwrap();
        assert_eq!(soon.taken(), (1, 1));
        database.transact([deposited("a", 2), deposited("b", 1)]).unwrap();
        assert_eq!(database.refresh_views().unwrap().rendered, 2);
        assert_eq!((soon.taken(), later.taken(), lazy.taken()), ((1, 1), (1, 2), (0, 0)));
        database.latest().unwrap().view("later", 1, ()).unwrap();
        assert_eq!(later.taken(), (0, 0), "there is nothing left to fold");
        let names = |failed: &[ViewError]| -> Vec<String> {
            let name = |error: &ViewError| match error {
                ViewError::Evolve { name, .. } => name.to_string(),
                other => panic!("{other}"),
            };
            failed.iter().map(name).collect()
        };
        for (name, priority) in [("second", 2), ("first", 1), ("third", 200)] {
            database.register_view::<Account>(name, ViewDefinition::new(accounts()).eager(priority)).unwrap();
        }
        assert_eq!(names(&database.refresh_views().unwrap().failed), ["first", "second", "fails", "third"]);
        for name in ["first", "second", "third"] {
            database.set_view_active(name, 1, false).unwrap();
        }
        database.set_view_active("later", 1, false).unwrap();
        database.set_view_active("fails", 1, false).unwrap();
        database.transact([deposited("a", 3)]).unwrap();
        let refreshed = database.refresh_views().unwrap();
        assert_eq!((refreshed.rendered, refreshed.failed.len(), later.taken()), (1, 0, (0, 0)));
    });
}
