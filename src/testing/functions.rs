//! Help for tests of state views and state changes: a builder of a database's events, and given, when, then on a real store.
#![expect(clippy::expect_used, reason = "a test that cannot be set up fails where it stands")]

use super::StoredEventBuilder;
use crate::state::{
    ChangeDefinition, Database, Executed, StateChange, StateChangeRequest, StateView, ViewDefinition, ViewParameters,
    ViewState,
};
use crate::store::EventStore;
use crate::vocabulary::attributes::AttributeValue;
use crate::vocabulary::cloud_event::DatabaseSource;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::event::EventId;
use crate::vocabulary::function_error::{ExecuteError, StateChangeError, ViewError};
use crate::vocabulary::number::Revision;
use crate::vocabulary::payload::{Codec, Payload};
use crate::vocabulary::prospective_event::ProspectiveEvent;
use crate::vocabulary::selector::Selector;
use crate::vocabulary::time::Timestamp;
use serde::Serialize;
use std::sync::Arc;

/// The name that a change or view under test is registered with.
const UNDER_TEST: &str = "under-test";

/// The source of events that no database gave: `https://test.local/db/test/streams/…`.
fn test_source() -> DatabaseSource {
    DatabaseSource::new("https://test.local", "test").expect("a base URI and a name within the rules")
}

/// A new database in memory: `https://test.local/db/test`.
#[must_use]
pub fn test_database() -> Database {
    Database::new(EventStore::in_memory(), test_source()).expect("a new store can be any database")
}

/// Builds events as a database takes and gives them, without a database. What is not set is random (id) or left out.
///
/// A builder does not change: each `with_` returns another, and one may be built from any number of times.
///
/// ```
/// use stratalog::testing::TestEventBuilder;
///
/// let builder = TestEventBuilder::new("accounts", "money-deposited").with_stream("acc-42").with_json(&500).with_revision(7);
/// assert_eq!(builder.build().stream(), "acc-42");
/// let stored = builder.build_stored();
/// assert_eq!(stored.source(), "https://test.local/db/test/streams/accounts");
/// assert_eq!((stored.revision().get(), stored.decode::<i64>()), (7, Ok(500)));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct TestEventBuilder {
    category: Arc<str>,
    name: Arc<str>,
    stream: Option<Arc<str>>,
    payload: Payload,
    id: Option<EventId>,
    occurred_at: Option<Timestamp>,
    recorded_at: Option<Timestamp>,
    attributes: Vec<(Arc<str>, AttributeValue)>,
    revision: u64,
}

impl TestEventBuilder {
    /// An event of this category and name, without a stream and a payload, at revision 1.
    pub fn new(category: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            category: category.into(),
            name: name.into(),
            stream: None,
            payload: Payload::none(),
            id: None,
            occurred_at: None,
            recorded_at: None,
            attributes: Vec::new(),
            revision: 1,
        }
    }

    /// Sets the stream.
    pub fn with_stream(mut self, stream: impl Into<Arc<str>>) -> Self {
        self.stream = Some(stream.into());
        self
    }

    /// Sets the payload.
    pub fn with_payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// Sets the payload, in JSON. Panics when the value cannot be written.
    pub fn with_json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.with_payload(Payload::encode(Codec::Json, value).expect("a payload that JSON can say"))
    }

    /// Sets the id.
    pub fn with_id(mut self, id: impl Into<EventId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets when it happened.
    pub fn with_occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// Sets when the log took it; for [`build_stored`](Self::build_stored) alone.
    pub fn with_recorded_at(mut self, time: Timestamp) -> Self {
        self.recorded_at = Some(time);
        self
    }

    /// Adds an attribute.
    pub fn with_attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Sets the revision, from 1 on; for [`build_stored`](Self::build_stored) alone.
    pub fn with_revision(mut self, revision: u64) -> Self {
        self.revision = revision;
        self
    }

    /// The event as it is proposed to a database.
    #[must_use]
    pub fn build(&self) -> ProspectiveEvent {
        let mut event =
            ProspectiveEvent::from_payload(Arc::clone(&self.category), Arc::clone(&self.name), self.payload.clone());
        if let Some(stream) = &self.stream {
            event = event.with_stream(Arc::clone(stream));
        }
        if let Some(id) = &self.id {
            event = event.with_id(id.clone());
        }
        if let Some(time) = self.occurred_at {
            event = event.with_occurred_at(time);
        }
        self.attributes.iter().fold(event, |event, (name, value)| event.with_attribute(Arc::clone(name), value.clone()))
    }

    /// The event as a database gives it.
    #[must_use]
    pub fn build_stored(&self) -> Event {
        let proposed = self.build();
        let recorded_at = self.recorded_at.unwrap_or_else(Timestamp::now);
        let stored = StoredEventBuilder::from_new_event(&proposed.to_new_event(recorded_at))
            .with_category(proposed.category())
            .with_stream(proposed.stream())
            .with_sequence_number(self.revision.saturating_sub(1))
            .with_recorded_at(recorded_at);
        Event::new(stored.build(), test_source())
    }
}

/// A proposed event with a payload in JSON. Panics when the value cannot be written.
#[must_use]
pub fn test_event<T: Serialize + ?Sized>(category: &str, stream: &str, name: &str, payload: &T) -> ProspectiveEvent {
    TestEventBuilder::new(category, name).with_stream(stream).with_json(payload).build()
}

/// The same event as stored, at a revision. Panics when the value cannot be written.
#[must_use]
pub fn test_stored_event<T: Serialize + ?Sized>(
    category: &str,
    stream: &str,
    name: &str,
    payload: &T,
    revision: u64,
) -> Event {
    TestEventBuilder::new(category, name).with_stream(stream).with_json(payload).with_revision(revision).build_stored()
}

/// What has happened, before something is decided: events in a real store, in memory. So views, conditions, effective times and
/// speculation are what they are in any other.
///
/// ```
/// use serde::Deserialize;
/// use serde_json::json;
/// use stratalog::testing::{given, test_event};
/// use stratalog::{DatabaseReader, DecideResult, Selector, StateChange, StateChangeError, StateChangeMetadata};
/// # use stratalog::ProspectiveEvent;
///
/// #[derive(Deserialize)]
/// struct Deposit {
///     account: String,
///     cents: i64,
/// }
///
/// impl StateChange for Deposit {
///     type Command = Self;
///
///     fn decide(database: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
///         if database.query(Selector::stream(&*command.account))?.is_empty() {
///             return Err(StateChangeError::not_found("no such account"));
///         }
///         Ok([ProspectiveEvent::json("accounts", "deposited", &command.cents)?.with_stream(command.account)].into())
///     }
/// }
///
/// let deposit = json!({ "account": "acc-42", "cents": 500 });
/// given([test_event("accounts", "acc-42", "opened", "Ada")])
///     .when::<Deposit>(&deposit)
///     .then_events([test_event("accounts", "acc-42", "deposited", &500)]);
/// given([]).when::<Deposit>(&deposit).then_refused(&StateChangeError::not_found("no such account"));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Given {
    database: Database,
}

/// A database in which these events have happened, as one transaction. Panics when they are refused.
pub fn given(events: impl IntoIterator<Item = ProspectiveEvent>) -> Given {
    Given { database: test_database() }.and(events)
}

impl Given {
    /// These events have happened after that, as one transaction. Panics when they are refused.
    pub fn and(self, events: impl IntoIterator<Item = ProspectiveEvent>) -> Self {
        let events: Vec<ProspectiveEvent> = events.into_iter().collect();
        if !events.is_empty() {
            self.database.transact(events).expect("events that a database takes");
        }
        self
    }

    /// The database has this state view. Panics when it cannot be registered.
    pub fn with_view<V: StateView>(self, name: &str, definition: ViewDefinition) -> Self {
        self.database.register_view::<V>(name, definition).expect("a view that can be registered");
        self
    }

    /// The database, for what else a test needs.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// A command in JSON comes to a state change. Panics when it cannot be written.
    #[must_use = "say what came of it"]
    pub fn when<C: StateChange>(&self, command: &impl Serialize) -> Then {
        let request = StateChangeRequest::new().json(command).expect("a command that JSON can say");
        self.when_requested::<C>(&request)
    }

    /// A request comes to a state change.
    #[must_use = "say what came of it"]
    pub fn when_requested<C: StateChange>(&self, request: &StateChangeRequest) -> Then {
        let version = self.database.register_change::<C>(UNDER_TEST, ChangeDefinition::new());
        let version = version.expect("the next version can be registered");
        let outcome = self.database.execute_state_change(UNDER_TEST, version, request);
        Then { database: self.database.clone(), outcome }
    }

    /// What a state view of the events of a selector is. Panics when it cannot be registered.
    ///
    /// # Errors
    /// As [`DatabaseAt::view_state`](crate::DatabaseAt::view_state).
    pub fn view<V: StateView>(&self, selector: impl Into<Selector>) -> Result<ViewState<V>, ViewError> {
        self.view_of(ViewDefinition::new(selector.into()), ())
    }

    /// What a state view of this definition is. Panics when it cannot be registered.
    ///
    /// # Errors
    /// As [`DatabaseAt::view_state`](crate::DatabaseAt::view_state).
    pub fn view_of<V: StateView>(
        &self,
        definition: ViewDefinition,
        parameters: impl Into<ViewParameters>,
    ) -> Result<ViewState<V>, ViewError> {
        let version = self.database.register_view::<V>(UNDER_TEST, definition).expect("a view that can be registered");
        let state = self.database.latest()?.view_state(UNDER_TEST, version, parameters)?;
        Ok(state.expect("it was registered"))
    }
}

/// What came of a state change. Everything that it holds to be panics where it is not.
#[derive(Debug)]
pub struct Then {
    database: Database,
    outcome: Result<Executed, ExecuteError>,
}

impl Then {
    /// What it is.
    ///
    /// # Errors
    /// Why it was not carried out.
    pub fn outcome(&self) -> Result<&Executed, &ExecuteError> {
        self.outcome.as_ref()
    }

    /// The events that were appended; none where nothing was. Panics when it was not carried out.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let executed = self.outcome.as_ref().expect("a state change that is carried out");
        let events = executed.receipt.as_ref().map(|receipt| self.database.events_of(receipt));
        events.transpose().expect("a store in memory can be read").unwrap_or_default()
    }

    /// These events were appended, in this order. Ids and times count where they are given here.
    pub fn then_events(self, expected: impl IntoIterator<Item = ProspectiveEvent>) -> Self {
        let found = self.events();
        let expected: Vec<ProspectiveEvent> = expected.into_iter().collect();
        let names: Vec<&str> = found.iter().map(Event::name).collect();
        assert_eq!(names, expected.iter().map(ProspectiveEvent::name).collect::<Vec<_>>(), "the names of the events");
        for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(
                (found.category(), found.stream(), found.payload(), found.attributes()),
                (expected.category(), expected.stream(), expected.payload(), expected.attributes()),
                "event {place}, {}",
                found.name(),
            );
            if let Some(id) = expected.id() {
                assert_eq!(found.id(), *id, "the id of event {place}, {}", found.name());
            }
            if let Some(time) = expected.occurred_at() {
                assert_eq!(found.occurred_at(), time, "the time of event {place}, {}", found.name());
            }
        }
        self
    }

    /// Nothing was appended, and it is fine so.
    pub fn then_nothing(self) -> Self {
        self.then_events([])
    }

    /// It was decided against the command, in these words.
    pub fn then_refused(self, expected: &StateChangeError) -> Self {
        let refused = match &self.outcome {
            Err(ExecuteError::Refused(refused)) => Some(refused),
            _ => None,
        };
        assert_eq!(refused, Some(expected), "what came of it: {:?}", self.outcome);
        self
    }

    /// The database is at this revision now.
    pub fn then_revision(self, expected: u64) -> Self {
        let revision = self.database.store().revision().expect("a store in memory can be read");
        assert_eq!(revision, Revision::new(expected), "the revision of the database");
        self
    }
}
