//! Tests of state changes: carried out, refused, repeated and decided again, and all that can fail.

use super::*;
use bank::{Deposit, Open};
use serde_json::json;
use std::sync::Mutex;
use std::time::Duration;
use stratalog::{
    AnyStateChange, AppendCondition, AttributeValue, ChangeDefinition, Command, DatabaseError, DatabaseReader,
    DecideFailure, DecideResult, Decision, Error, EventQuery, ExecuteError, Proposal, Retry, Revision, Selector,
    StateChangeError, StateChangeMetadata, StateChangeRequest, TransactionError, ViewDefinition, must_exist,
    must_not_exist, unchanged_since,
};

/// Registers a function, and gives its version.
fn register<F>(database: &Database, name: &str, decide: F)
where
    F: Fn(&dyn DatabaseReader, &Command, &StateChangeMetadata) -> DecideResult + Send + Sync + 'static,
{
    database.register_change_fn(name, ChangeDefinition::new(), decide).unwrap();
}

fn request(body: &serde_json::Value) -> StateChangeRequest {
    StateChangeRequest::new().json(body).unwrap()
}

fn revision(database: &Database) -> u64 {
    database.store().revision().unwrap().get()
}

#[test]
fn what_is_decided_is_appended_under_its_conditions() {
    on_both(|database| {
        database.register_change::<Open>("open", ChangeDefinition::new()).unwrap();
        database.register_change::<Deposit>("deposit", ChangeDefinition::new()).unwrap();
        let opened = database.execute_state_change("open", 1, &request(&json!({ "account": "a" }))).unwrap();
        assert_eq!((opened.decided_at, opened.revision(), opened.retries), (Revision::EMPTY, Revision::new(1), 0));
        assert!(!opened.is_repeat());
        let deposit = request(&json!({ "account": "a", "cents": 500 })).attribute("correlationid", "c-7");
        let receipt = database.execute_state_change("deposit", 1, &deposit).unwrap().receipt.unwrap();
        let events = database.events_of(&receipt).unwrap();
        assert_eq!((events.len(), events[0].name(), events[0].decode::<i64>().unwrap()), (1, "deposited", 500));
        let transactions: Vec<_> = database.store().transactions(Revision::new(1)).unwrap().collect();
        let attributes = transactions[0].as_ref().unwrap().attributes().clone();
        let names: Vec<&str> = attributes.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["correlationid", "statechange", "statechangeversion", "lastreadrevision"]);
        assert_eq!(attributes.get("statechange"), Some(&AttributeValue::from("deposit")));
        assert_eq!(attributes.get("lastreadrevision"), Some(&AttributeValue::Integer(1)));
        // What is decided without looking is still held to its condition.
        let conflict = database.execute_state_change("open", 1, &request(&json!({ "account": "a" }))).unwrap_err();
        assert!(conflict.is_conflict() && Error::from(conflict.clone()).is_conflict());
        assert_eq!((conflict.retry(), revision(&database)), (Retry::AfterReading, 2));
    });
}

#[test]
fn the_metadata_is_that_of_the_call() {
    on_both(|database| {
        let seen: Arc<Mutex<Vec<(StateChangeMetadata, Command)>>> = Arc::default();
        let kept = Arc::clone(&seen);
        register(&database, "look", move |_, command, metadata| {
            kept.lock().unwrap().push((metadata.clone(), command.clone()));
            Ok(Decision::new())
        });
        database.transact([deposited("a", 1)]).unwrap();
        let before = Timestamp::now();
        let request = StateChangeRequest::new()
            .header("X-Role", "teller")
            .header("content-TYPE", "text/csv")
            .header("X-Role", "guest")
            .body("a,b")
            .schema("urn:rows")
            .last_seen(Revision::new(1));
        database.execute_state_change("look", 1, &request).unwrap();
        let (metadata, command) = seen.lock().unwrap().pop().unwrap();
        assert_eq!((&*metadata.name, metadata.version), ("look", 1));
        assert_eq!(metadata.last_seen_revision, Revision::new(1));
        assert!((before..=Timestamp::now()).contains(&metadata.received_at));
        let headers: Vec<(&str, &str)> = metadata.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(headers, [("X-Role", "teller"), ("content-TYPE", "text/csv"), ("X-Role", "guest")]);
        assert_eq!((metadata.header("x-role"), command.content_type()), (Some("teller"), "text/csv"));
        assert_eq!((command.body(), command.schema()), (Some(&b"a,b"[..]), Some("urn:rows")));
        database.execute_state_change("look", 1, &StateChangeRequest::new()).unwrap();
        let (metadata, command) = seen.lock().unwrap().pop().unwrap();
        assert_eq!((metadata.last_seen_revision, command), (Revision::EMPTY, Command::without_body()));
    });
}

#[test]
fn user_code_sees_one_revision_with_views_effective_times_and_speculation() {
    on_both(|database| {
        database.register_view::<Account>("account", ViewDefinition::new(of_account())).unwrap();
        let first = deposited("a", 5).with_occurred_at(time(10));
        let receipt = database.transact([first, deposited("a", 7).with_occurred_at(time(20))]).unwrap();
        let live = database.clone();
        register(&database, "look", move |seen, _, _| {
            // Whatever happens meanwhile, it does not change.
            live.transact([deposited("a", 100)])?;
            assert_eq!((seen.name(), seen.revision(), seen.effective_at()), ("bank", Revision::new(2), None));
            assert_eq!((seen.created_at(), seen.recorded_at()), (live.created_at(), receipt.recorded_at()));
            let cents = |seen: &dyn DatabaseReader| {
                seen.view_state::<Account>("account", 1, account("a")).unwrap().unwrap().data.cents
            };
            let early = seen.at_effective_timestamp(time(15));
            let would_be = early.speculate_with(vec![deposited("a", 30).with_occurred_at(time(11))])?;
            assert_eq!((cents(seen), cents(&*early), cents(&*would_be)), (12, 5, 35));
            assert_eq!((would_be.revision(), would_be.speculated_event_count()), (Revision::new(3), 1));
            assert_eq!((early.effective_at(), seen.speculated_event_count()), (Some(time(15)), 0));
            let revisions = |query: EventQuery| -> Vec<u64> {
                seen.query(query).unwrap().iter().map(|event| event.revision().get()).collect()
            };
            let all = || EventQuery::new(Selector::stream("a"));
            assert_eq!(revisions(all()), [1, 2]);
            assert_eq!((revisions(all().reverse().limit(1)), revisions(all().limit(0))), (vec![2], vec![]));
            assert_eq!(revisions(all().from_revision(Revision::new(2))), [2]);
            assert_eq!(revisions(all().effective_from(time(10), Revision::new(2))), [2]);
            assert_eq!(revisions(all().effective_until(time(19)).by_effective_time()), [1]);
            assert_eq!(would_be.query(Selector::stream("a"))?.len(), 2);
            assert!(seen.view("none", 1, ())?.is_none());
            Err(StateChangeError::from(seen.view("account", 1, ()).unwrap_err()))
        });
        let refused = database.execute_state_change("look", 1, &StateChangeRequest::new()).unwrap_err();
        let ExecuteError::Refused(StateChangeError::Internal(message)) = refused else { panic!("{refused}") };
        assert!(message.contains("nothing is bound to the parameter \"account\""), "{message}");
    });
}

#[test]
fn every_refusal_keeps_its_kind_and_writes_nothing() {
    on_both(|database| {
        register(&database, "refuse", |_, command, _| {
            let (kind, message) = command.parse::<(String, String)>()?;
            Err(match &*kind {
                "validation" => StateChangeError::validation(message),
                "not-found" => StateChangeError::not_found(message),
                "conflict" => StateChangeError::conflict(message),
                "unauthorized" => StateChangeError::unauthorized(message),
                _ => StateChangeError::internal(message),
            })
        });
        let refusal = |request: &StateChangeRequest| match database.execute_state_change("refuse", 1, request) {
            Err(ExecuteError::Refused(refused)) => refused,
            other => panic!("{other:?}"),
        };
        let of = |kind: &str| refusal(&request(&json!([kind, "because"])));
        assert_eq!(of("validation"), StateChangeError::Validation("because".into()));
        assert_eq!(of("not-found"), StateChangeError::NotFound("because".into()));
        assert_eq!(of("conflict"), StateChangeError::Conflict("because".into()));
        assert_eq!(of("unauthorized"), StateChangeError::Unauthorized("because".into()));
        assert_eq!(of("internal"), StateChangeError::Internal("because".into()));
        // A command that cannot be read is one that is no good.
        database.register_change::<Deposit>("deposit", ChangeDefinition::new()).unwrap();
        for (bad, why) in [
            (StateChangeRequest::new(), "no body"),
            (StateChangeRequest::new().body("<xml/>").content_type("application/xml"), "not supported"),
            (request(&json!({ "account": "a" })), "missing field"),
            (request(&json!({ "account": "a", "cents": 0 })), "must be positive"),
        ] {
            match database.execute_state_change("deposit", 1, &bad).unwrap_err() {
                ExecuteError::Refused(StateChangeError::Validation(message)) => {
                    assert!(message.contains(why), "{message}")
                }
                other => panic!("{other}"),
            }
        }
        assert_eq!(revision(&database), 0);
    });
}

/// Code that comes to no decision.
struct Stopped;

impl AnyStateChange for Stopped {
    fn decide(&self, _: &dyn DatabaseReader, _: &Command, _: &StateChangeMetadata) -> Result<Decision, DecideFailure> {
        Err(DecideFailure::Failed("out of time".into()))
    }
}

#[test]
fn what_does_not_come_to_a_decision_is_an_error_and_the_next_call_works() {
    on_both(|database| {
        register(&database, "panic", |_, _, metadata| panic!("no {}", metadata.name));
        register(&database, "nothing", |_, _, _| Ok(Decision::new()));
        database.register_change_with("stopped", ChangeDefinition::new(), Stopped).unwrap();
        database.register_change_with("off", ChangeDefinition::new().inactive(), Stopped).unwrap();
        let execute = |name: &str, version| database.execute_state_change(name, version, &StateChangeRequest::new());
        for _ in 0..2 {
            let panicked = execute("panic", 1).unwrap_err();
            assert!(matches!(&panicked, ExecuteError::Panicked { message, .. } if message == "no panic"), "{panicked}");
        }
        let stopped = execute("stopped", 1).unwrap_err();
        assert!(matches!(&stopped, ExecuteError::Failed { reason, .. } if reason == "out of time"), "{stopped}");
        let off = execute("off", 1).unwrap_err();
        assert!(matches!(&off, ExecuteError::Inactive { name, version: 1 } if &**name == "off"), "{off}");
        let missing = execute("panic", 2).unwrap_err();
        assert!(matches!(&missing, ExecuteError::NotFound { name, version: 2 } if &**name == "panic"), "{missing}");
        assert_eq!([retry_of(&off), retry_of(&missing)], [Retry::Never; 2]);
        assert!(execute("nothing", 1).is_ok());
        assert_eq!(revision(&database), 0);
    });
}

fn retry_of(error: &ExecuteError) -> Retry {
    Error::from(error.clone()).retry()
}

#[test]
fn events_that_cannot_be_are_refused_as_in_any_transaction() {
    on_both(|database| {
        register(&database, "bad", |_, _, _| {
            Ok([ProspectiveEvent::empty("t", "opened"), ProspectiveEvent::empty("accounts", " ")].into())
        });
        let refused = database.execute_state_change("bad", 1, &StateChangeRequest::new().retries(9)).unwrap_err();
        let ExecuteError::Database(error) = refused else { panic!("{refused}") };
        let DatabaseError::Transaction(TransactionError::InvalidEvents(faults)) = *error else { panic!("{error}") };
        assert_eq!(faults.iter().map(|fault| fault.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(revision(&database), 0);
    });
}

#[test]
fn a_repeat_returns_the_first_result_and_decides_nothing() {
    on_both(|database| {
        let runs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&runs);
        register(&database, "once", move |seen, _, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            if !seen.query(Selector::stream("a"))?.is_empty() {
                return Err(StateChangeError::conflict("there is one"));
            }
            Ok([deposited("a", 1), deposited("a", 2)].into())
        });
        register(&database, "other", |_, _, _| Ok([deposited("b", 1)].into()));
        database.transact([deposited("b", 1)]).unwrap();
        let body = json!({ "account": "a" });
        let first_request = request(&body).transaction_id("t-1").header("attempt", "1");
        let first = database.execute_state_change("once", 1, &first_request).unwrap();
        database.transact([deposited("b", 1)]).unwrap();
        let again = request(&body).transaction_id("t-1").header("attempt", "2").retries(3).last_seen(Revision::new(4));
        let repeat = database.execute_state_change("once", 1, &again).unwrap();
        assert!(repeat.is_repeat() && !first.is_repeat());
        assert_eq!(repeat, first);
        assert_eq!((repeat.decided_at, repeat.revision()), (Revision::new(1), Revision::new(3)));
        assert_eq!((runs.load(Ordering::Relaxed), revision(&database)), (1, 4));
        // Without the id it would be decided, and refused.
        assert!(database.execute_state_change("once", 1, &request(&body)).is_err());
        // The id of something else is refused: of another command, state change or version, or of a plain transaction.
        database.transact(Proposal::new([deposited("c", 1)]).id("t-2")).unwrap();
        let other_body = request(&json!({ "account": "c" })).transaction_id("t-1");
        let plain = request(&body).transaction_id("t-2");
        for (name, request) in [("once", &other_body), ("other", &first_request), ("once", &plain)] {
            let refused = database.execute_state_change(name, 1, request).unwrap_err();
            let ExecuteError::Database(error) = refused else { panic!("{refused}") };
            let is_taken = matches!(*error, DatabaseError::Transaction(TransactionError::DuplicateId { .. }));
            assert!(is_taken, "{name}: {error}");
        }
        assert_eq!(revision(&database), 5);
    });
}

#[test]
fn a_request_that_comes_eight_times_at_once_is_carried_out_once() {
    on_both(|database| {
        // Of two that decide at the same time, some would write the same, and some not.
        let runs = AtomicU64::new(0);
        register(&database, "pay", move |_, _, _| {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            Ok([if run.is_multiple_of(2) {
                deposited("a", 1)
            } else {
                deposited("a", 1).with_id(format!("run-{run}"))
            }]
            .into())
        });
        for round in 0..20 {
            let request = request(&json!(round)).transaction_id(format!("pay-{round}"));
            let results = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| database.execute_state_change("pay", 1, &request).unwrap()))
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(results.iter().filter(|result| !result.is_repeat()).count(), 1);
            assert!(results.iter().all(|result| result.receipt == results[0].receipt));
            assert_eq!(revision(&database), round + 1);
        }
    });
}

#[test]
fn a_conflict_is_decided_again_as_often_as_asked() {
    on_both(|database| {
        let rivals = Arc::new(AtomicU64::new(0));
        let (left, live) = (Arc::clone(&rivals), database.clone());
        let seen: Arc<Mutex<Vec<u64>>> = Arc::default();
        let decided = Arc::clone(&seen);
        register(&database, "slow", move |now, _, _| {
            decided.lock().unwrap().push(now.revision().get());
            let another = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            if another {
                live.transact([deposited("a", 1)])?;
            }
            Ok(([deposited("a", 2)], [unchanged_since(Selector::stream("a"), now.revision())]).into())
        });
        let execute = |rivals_now, retries| {
            rivals.store(rivals_now, Ordering::Relaxed);
            let outcome = database.execute_state_change("slow", 1, &StateChangeRequest::new().retries(retries));
            (outcome, std::mem::take(&mut *seen.lock().unwrap()))
        };
        let (outcome, runs) = execute(3, 3);
        let executed = outcome.unwrap();
        assert_eq!(
            (executed.retries, executed.decided_at, executed.revision()),
            (3, Revision::new(3), Revision::new(4))
        );
        assert_eq!(runs, [0, 1, 2, 3]);
        let (outcome, runs) = execute(3, 2);
        let conflict = outcome.unwrap_err();
        assert!(conflict.is_conflict(), "{conflict}");
        assert_eq!(runs, [4, 5, 6]);
        let (outcome, runs) = execute(1, 0);
        assert!(outcome.unwrap_err().is_conflict());
        assert_eq!((runs, revision(&database)), (vec![7], 8));
    });
}

#[test]
fn without_events_conditions_are_checked_and_nothing_is_written() {
    on_both(|database| {
        let conditions: Arc<Mutex<Vec<AppendCondition>>> = Arc::default();
        let kept = Arc::clone(&conditions);
        let runs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&runs);
        register(&database, "check", move |_, _, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok((Vec::new(), kept.lock().unwrap().clone()).into())
        });
        database.transact([deposited("a", 1)]).unwrap();
        let execute = |now: &[AppendCondition]| {
            *conditions.lock().unwrap() = now.to_vec();
            let request = StateChangeRequest::new().transaction_id("t").retries(2);
            let outcome = database.execute_state_change("check", 1, &request);
            (outcome, runs.swap(0, Ordering::Relaxed))
        };
        let holds = must_exist(Selector::stream("a"));
        for conditions in [&[][..], std::slice::from_ref(&holds)] {
            let (outcome, runs) = execute(conditions);
            let executed = outcome.unwrap();
            assert_eq!((executed.receipt.clone(), runs), (None, 1));
            assert_eq!((executed.decided_at, executed.revision()), (Revision::new(1), Revision::new(1)));
            assert!(!executed.is_repeat(), "the id is not remembered");
        }
        let (outcome, runs) =
            execute(&[holds, must_not_exist(Selector::stream("a")), must_exist(Selector::stream("b"))]);
        let ExecuteError::Database(error) = outcome.unwrap_err() else { panic!("a condition does not hold") };
        let DatabaseError::Transaction(TransactionError::UnmetConditions(unmet)) = *error else { panic!("{error}") };
        assert_eq!((unmet.len(), runs), (2, 3), "every one is told; it was decided three times");
        assert!(database.store().transaction("t").unwrap().is_none());
        assert_eq!(revision(&database), 1);
    });
}

#[test]
fn the_last_seen_revision_is_waited_for() {
    on_both(|database| {
        register(&database, "look", |_, _, _| Ok(Decision::new()));
        let request = StateChangeRequest::new().last_seen(Revision::new(1));
        let late = database.execute_state_change("look", 1, &request.clone().timeout(Duration::from_millis(20)));
        let ExecuteError::Database(error) = late.unwrap_err() else { panic!("it is not there") };
        assert!(matches!(*error, DatabaseError::TimedOut { wanted, .. } if wanted == Revision::new(1)), "{error}");
        assert_eq!(error.retry(), Retry::Safe);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| database.execute_state_change("look", 1, &request).unwrap());
            std::thread::sleep(Duration::from_millis(20));
            database.transact([deposited("a", 1)]).unwrap();
            assert_eq!(waiting.join().unwrap().decided_at, Revision::new(1));
        });
        // By itself it makes no condition: who has seen less than there is may decide all the same.
        database.transact([deposited("a", 1)]).unwrap();
        assert_eq!(database.execute_state_change("look", 1, &request).unwrap().decided_at, Revision::new(2));
    });
}
