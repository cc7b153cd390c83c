//! The projector, the trait of projecting structs, and upcasters, through the public API alone.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod profiles;
mod upcasters;

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stratalog::testing::StoredEventBuilder;
use stratalog::{
    Applied, EventRef, EventStore, EventStream, MissingHandler, NewEvent, Position, Project, Projection,
    ProjectionError, Projector, ReadError, Result, Retry, SequenceNumber, StoredEvent,
};

#[derive(Debug, Serialize, Deserialize)]
struct Opened {
    owner: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Deposited {
    cents: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Account {
    owner: String,
    cents: i64,
}

impl Account {
    fn open(&mut self, opened: Opened) {
        self.owner = opened.owner;
    }

    fn credit(&mut self, deposited: Deposited) {
        self.cents += deposited.cents;
    }

    fn debit(&mut self, withdrawn: Deposited) -> std::result::Result<(), String> {
        if withdrawn.cents > self.cents {
            return Err(format!("{} is more than {}", withdrawn.cents, self.cents));
        }
        self.cents -= withdrawn.cents;
        Ok(())
    }
}

fn opened(owner: &str) -> NewEvent {
    NewEvent::new("account-opened", &Opened { owner: owner.into() }).unwrap()
}

fn deposited(cents: i64) -> NewEvent {
    NewEvent::new("money-deposited", &Deposited { cents }).unwrap()
}

fn withdrawn(cents: i64) -> NewEvent {
    NewEvent::new("money-withdrawn", &Deposited { cents }).unwrap()
}

fn projector() -> Projector<Account> {
    Projector::new()
        .on("account-opened", Account::open)
        .on("money-deposited", Account::credit)
        .on("money-withdrawn", Account::debit)
}

fn stream_of(events: impl IntoIterator<Item = NewEvent>) -> EventStream {
    let stream = EventStore::in_memory().stream("accounts", "acc-42");
    stream.publish(events).unwrap();
    stream
}

fn account(owner: &str, cents: i64) -> Account {
    Account { owner: owner.into(), cents }
}

fn place<S>(projection: &Projection<S>) -> (Option<u64>, Option<u64>) {
    (projection.position().map(Position::get), projection.sequence_number().map(SequenceNumber::get))
}

#[test]
fn one_event_is_folded_in() {
    let projection = projector().project(Account::default(), stream_of([opened("Ada")])).unwrap();
    assert_eq!(projection.state(), &account("Ada", 0));
    assert_eq!(place(&projection), (Some(0), Some(0)));
}

#[test]
fn two_events_are_folded_in_in_order() {
    let projection = projector().project(Account::default(), stream_of([opened("Ada"), deposited(500)])).unwrap();
    assert_eq!(projection.state(), &account("Ada", 500));
    assert_eq!(place(&projection), (Some(1), Some(1)));
}

#[test]
fn a_later_event_overwrites_a_field() {
    let events = [opened("Ada"), opened("Grace")];
    let projection = projector().project(Account::default(), stream_of(events)).unwrap();
    assert_eq!(projection.into_state(), account("Grace", 0));
}

#[test]
fn a_missing_handler_is_an_error_with_name_and_number() {
    let stream = stream_of([opened("Ada"), NewEvent::empty("account-closed")]);
    let error = projector().project(Account::default(), &stream).unwrap_err();
    let ProjectionError::MissingHandler { name, sequence_number } = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), sequence_number.get()), ("account-closed", 1));
    assert!(error.to_string().starts_with("missing handler for event: account-closed"), "{error}");
}

#[test]
fn a_missing_handler_can_be_ignored_and_still_counts_as_last() {
    let stream = stream_of([opened("Ada"), NewEvent::empty("account-closed")]);
    let projection = projector().missing(MissingHandler::Ignore).project(Account::default(), &stream).unwrap();
    assert_eq!(projection.state(), &account("Ada", 0));
    assert_eq!(place(&projection), (Some(1), Some(1)));
}

#[test]
fn no_events_give_the_initial_state_and_no_place() {
    let stream = EventStore::in_memory().stream("accounts", "none");
    let projection = projector().project(account("Ada", 7), &stream).unwrap();
    assert_eq!(projection, Projection::initial(account("Ada", 7)));
    assert_eq!(place(&projection), (None, None));
    let none: [StoredEvent; 0] = [];
    assert_eq!(projector().project(account("Ada", 7), none).unwrap(), projection);
}

#[test]
fn every_source_of_events_gives_the_same() {
    let (stream, projector) = (stream_of([opened("Ada"), deposited(5), withdrawn(2)]), projector());
    let wanted = Projection::new(account("Ada", 3), Some(Position::new(2)), Some(SequenceNumber::new(2)));
    let events = stream.read().unwrap();
    let start = Account::default;
    assert_eq!(projector.project(start(), stream.scan()).unwrap(), wanted);
    assert_eq!(projector.project(start(), &stream).unwrap(), wanted);
    assert_eq!(projector.project(start(), stream.clone()).unwrap(), wanted);
    assert_eq!(projector.project(start(), stream.store().log()).unwrap(), wanted);
    assert_eq!(projector.project(start(), &events).unwrap(), wanted);
    assert_eq!(projector.project(start(), events.iter().map(StoredEvent::as_ref)).unwrap(), wanted);
    assert_eq!(projector.project(start(), events).unwrap(), wanted);
    let mut account = start();
    let mut applied = Vec::new();
    stream.scan().visit(|event| applied.push(projector.apply(&mut account, event).unwrap())).unwrap();
    assert_eq!((account, applied), (wanted.into_state(), vec![Applied::Yes; 3]));
}

#[test]
fn an_event_without_a_handler_is_not_applied() {
    let (projector, mut account) = (projector(), account("Ada", 7));
    let apply = |account: &mut Account, new: NewEvent| {
        projector.apply(account, &StoredEventBuilder::from_new_event(&new).build().as_ref()).unwrap()
    };
    // Names are compared whole and as they are written.
    for name in ["account-closed", "money-deposite", "money-deposited2", "Money-Deposited", ""] {
        assert_eq!(apply(&mut account, NewEvent::empty(name)), Applied::No, "{name}");
    }
    assert_eq!((apply(&mut account, deposited(1)), account.cents), (Applied::Yes, 8));
}

#[test]
fn over_a_category_the_place_is_that_of_the_last_event() {
    let store = EventStore::in_memory();
    store.stream("accounts", "a").publish([deposited(1), deposited(2)]).unwrap();
    store.stream("accounts", "b").publish([deposited(3)]).unwrap();
    let projection = projector().project(Account::default(), store.category("accounts").scan()).unwrap();
    assert_eq!((projection.state().cents, place(&projection)), (6, (Some(0), Some(2))));
}

#[test]
fn a_read_error_ends_the_projection_and_says_how_to_retry() {
    let event = stream_of([opened("Ada")]).read().unwrap().remove(0);
    let items = [Ok(event), Err(ReadError::Closed)];
    let error = projector().project(Account::default(), items).unwrap_err();
    assert!(matches!(error, ProjectionError::Read(ReadError::Closed)), "{error}");
    assert_eq!(stratalog::Error::from(error).retry(), Retry::AfterReopen);
}

#[test]
fn a_payload_of_another_type_names_event_and_number() {
    let stream = stream_of([opened("Ada"), NewEvent::new("money-deposited", &"five").unwrap()]);
    let error = projector().project(Account::default(), &stream).unwrap_err();
    let ProjectionError::Payload { name, sequence_number, source } = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), sequence_number.get()), ("money-deposited", 1));
    assert!(error.to_string().contains(&source.to_string()), "{error}");
}

#[test]
fn a_handler_that_refuses_ends_the_projection_in_its_own_words() {
    let stream = stream_of([deposited(1), withdrawn(2)]);
    let error = projector().project(Account::default(), &stream).unwrap_err();
    let ProjectionError::Handler { name, sequence_number, reason } = error else { panic!("{error}") };
    assert_eq!((name.as_str(), sequence_number.get(), reason.as_str()), ("money-withdrawn", 1, "2 is more than 1"));
}

#[test]
fn closures_and_whole_events_are_handlers_too() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let projector: Projector<Vec<String>> = Projector::new()
        .on("a", move |lines: &mut Vec<String>, text: String| {
            counted.fetch_add(1, Ordering::Relaxed);
            lines.push(text);
        })
        .on_event("b", |lines, event: &EventRef<'_>| {
            lines.push(format!("{} {} {}", event.stream(), event.position(), event.payload().is_none()));
        })
        .on_event("c", |_, event| Err::<(), _>(format!("no {}", event.name())));
    let stream = stream_of([NewEvent::new("a", "text").unwrap(), NewEvent::empty("b")]);
    let projection = projector.project(Vec::new(), &stream).unwrap();
    assert_eq!(projection.state(), &["text", "acc-42 1 true"]);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    stream.publish([NewEvent::empty("c")]).unwrap();
    assert!(projector.project(Vec::new(), &stream).unwrap_err().to_string().ends_with("failed: no c"));
}

#[test]
fn the_last_handler_for_a_name_counts() {
    let projector = projector().on("money-deposited", |account: &mut Account, _: Deposited| account.cents = -1);
    let projection = projector.project(Account::default(), stream_of([deposited(5)])).unwrap();
    assert_eq!(projection.state().cents, -1);
}

#[test]
fn events_without_a_payload_go_to_handlers_of_the_unit_or_an_option() {
    let projector = Projector::new()
        .on("counted", |count: &mut u32, (): ()| *count += 1)
        .on("maybe", |count: &mut u32, extra: Option<u32>| *count += extra.unwrap_or(10));
    let events = [NewEvent::empty("counted"), NewEvent::empty("maybe"), NewEvent::new("maybe", &100).unwrap()];
    assert_eq!(projector.project(0, stream_of(events)).unwrap().into_state(), 111);
}

#[test]
fn folding_on_equals_folding_from_the_start() {
    let stream = stream_of([opened("Ada"), deposited(5)]);
    let projector = projector();
    let saved = projector.project(Account::default(), &stream).unwrap();
    let saved = serde_json::to_string(&saved).unwrap();
    assert_eq!(saved, r#"{"position":1,"sequence_number":1,"state":{"owner":"Ada","cents":5}}"#);
    stream.publish([deposited(7), withdrawn(1)]).unwrap();
    let whole = projector.project(Account::default(), &stream).unwrap();
    let restored = || serde_json::from_str::<Projection<Account>>(&saved).unwrap();
    let rest = stream.scan().from(restored().next_sequence_number());
    assert_eq!(projector.continue_from(restored(), rest).unwrap(), whole);
    assert_eq!(projector.continue_from(restored(), &stream).unwrap(), whole, "events in it already are passed over");
    let nothing_new = stream.scan().from(whole.next_sequence_number());
    assert_eq!(projector.continue_from(whole.clone(), nothing_new).unwrap(), whole);
    let none = Projection::initial(Account::default());
    assert_eq!(projector.continue_from(none, &stream).unwrap(), whole);
}

#[test]
fn projectors_are_shared_by_threads_and_cheap_to_clone() {
    fn shareable<T: Send + Sync + Clone>(value: T) -> T {
        value
    }
    let stream = stream_of([opened("Ada"), deposited(5)]);
    let projector = shareable(projector());
    let other = projector.clone().on("money-deposited", |account: &mut Account, _: Deposited| account.cents = 0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let projection = projector.project(Account::default(), &stream).unwrap();
                assert_eq!(projection.state().cents, 5, "a handler set on a clone is the clone's alone");
            });
        }
    });
    assert_eq!(other.project(Account::default(), &stream).unwrap().state().cents, 0);
}

/// A struct that folds by itself, through upcasters where it must.
#[derive(Debug, Clone, Default, PartialEq)]
struct Summary {
    cents: i64,
    rich: bool,
    lenient: bool,
}

impl Project for Summary {
    fn apply(&mut self, event: &EventRef<'_>) -> Result<Applied, ProjectionError> {
        match event.name() {
            "money-deposited" => Applied::with(event, |deposited: Deposited| self.cents += deposited.cents),
            "money-withdrawn" => Applied::with(event, |withdrawn: Deposited| {
                self.cents -= withdrawn.cents;
                if self.cents < 0 { Err("overdrawn") } else { Ok(()) }
            }),
            _ => Ok(Applied::No),
        }
    }

    fn missing(&self) -> MissingHandler {
        if self.lenient { MissingHandler::Ignore } else { MissingHandler::Error }
    }

    fn finalise(&mut self) -> Result<(), ProjectionError> {
        self.rich = self.cents > 100;
        Ok(())
    }
}

#[test]
fn a_struct_folds_by_itself_and_is_finalised_once_at_the_end() {
    let stream = stream_of([deposited(200), withdrawn(150)]);
    let projection = Summary::default().project(&stream).unwrap();
    assert_eq!(projection.state(), &Summary { cents: 50, rich: false, lenient: false });
    stream.publish([deposited(100)]).unwrap();
    let later = Summary::continue_from(projection, &stream).unwrap();
    assert_eq!(later, Summary::default().project(&stream).unwrap());
    assert!(later.state().rich);
    assert_eq!(place(&later), (Some(2), Some(2)));
    let none: [StoredEvent; 0] = [];
    let rich = Summary { cents: 101, ..Summary::default() }.project(none).unwrap();
    assert!(rich.state().rich, "also without events");
}

#[test]
fn a_struct_chooses_what_a_missing_handler_means_and_its_refusals_are_told() {
    let stream = stream_of([opened("Ada"), deposited(1)]);
    let error = Summary::default().project(&stream).unwrap_err();
    assert!(matches!(error, ProjectionError::MissingHandler { .. }), "{error}");
    let lenient = Summary { lenient: true, ..Summary::default() };
    assert_eq!(lenient.clone().project(&stream).unwrap().state().cents, 1);
    stream.publish([withdrawn(9)]).unwrap();
    let error = lenient.clone().project(&stream).unwrap_err().to_string();
    assert_eq!(error, "the handler of event money-withdrawn (sequence number 2) failed: overdrawn");
    let wrong = stream_of([NewEvent::new("money-deposited", &"five").unwrap()]);
    assert!(matches!(lenient.project(&wrong).unwrap_err(), ProjectionError::Payload { .. }));
}
