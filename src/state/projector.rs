//! The projector: handlers by event name, and the fold over events.

use super::projection::Projection;
use super::upcast::Upcasters;
use crate::vocabulary::error::{ProjectionError, ReadError};
use crate::vocabulary::event::{EventRef, StoredEvent};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A handler with its payload's type put away.
type Handler<S> = dyn Fn(&mut S, &EventRef<'_>, &Upcasters) -> Result<(), ProjectionError> + Send + Sync;

/// What to do with an event that has no handler.
#[doc(alias = "MissingHandlerBehaviour")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum MissingHandler {
    /// Fail with [`ProjectionError::MissingHandler`].
    #[default]
    Error,
    /// Pass over it. It still counts as the last event.
    Ignore,
}

/// Whether an event was for a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Applied {
    /// A handler took it.
    Yes,
    /// There is no handler for it.
    No,
}

impl Applied {
    /// Reads the event's payload and hands it to `handler`: one arm of a [`Project::apply`](crate::Project::apply).
    ///
    /// # Errors
    /// [`ProjectionError::Payload`] when the payload is not a `T`; [`ProjectionError::Handler`] when the handler refuses it.
    pub fn with<T: DeserializeOwned, O: HandlerOutcome>(
        event: &EventRef<'_>,
        handler: impl FnOnce(T) -> O,
    ) -> Result<Applied, ProjectionError> {
        let payload = event.decode().map_err(|source| ProjectionError::Payload {
            name: event.name().to_owned(),
            sequence_number: event.sequence_number(),
            source,
        })?;
        settle(event, handler(payload))?;
        Ok(Applied::Yes)
    }
}

/// What a handler may return: nothing, or a `Result` whose error can be shown.
pub trait HandlerOutcome {
    /// Success, or the refusal in words.
    ///
    /// # Errors
    /// The handler's error in its own words.
    fn into_outcome(self) -> Result<(), String>;
}

impl HandlerOutcome for () {
    fn into_outcome(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display> HandlerOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

/// What a projector can fold: events, owned or borrowed, or the results that a scan gives.
pub trait IntoEventResult {
    /// Lends the event, if there is one and no error in its place.
    ///
    /// # Errors
    /// The [`ReadError`] that stands in place of an event.
    fn lend<R>(self, take: impl FnOnce(&EventRef<'_>) -> R) -> Result<R, ReadError>;
}

impl IntoEventResult for &EventRef<'_> {
    fn lend<R>(self, take: impl FnOnce(&EventRef<'_>) -> R) -> Result<R, ReadError> {
        Ok(take(self))
    }
}

impl IntoEventResult for EventRef<'_> {
    fn lend<R>(self, take: impl FnOnce(&EventRef<'_>) -> R) -> Result<R, ReadError> {
        Ok(take(&self))
    }
}

impl IntoEventResult for &StoredEvent {
    fn lend<R>(self, take: impl FnOnce(&EventRef<'_>) -> R) -> Result<R, ReadError> {
        Ok(take(&self.as_ref()))
    }
}

impl IntoEventResult for StoredEvent {
    fn lend<R>(self, take: impl FnOnce(&EventRef<'_>) -> R) -> Result<R, ReadError> {
        Ok(take(&self.as_ref()))
    }
}

impl<T: IntoEventResult> IntoEventResult for Result<T, ReadError> {
    fn lend<R>(self, take: impl FnOnce(&EventRef<'_>) -> R) -> Result<R, ReadError> {
        self?.lend(take)
    }
}

/// Folds events into a state: one handler for each event name.
///
/// A handler takes the state and the payload; the payload's type comes from the handler's argument. Projectors are immutable
/// once built, cheap to clone, and can be shared by threads.
///
/// ```
/// use stratalog::{EventStore, NewEvent, Projector};
/// # fn main() -> stratalog::Result<()> {
/// #[derive(Debug, Default, PartialEq)]
/// struct Account { owner: String, cents: i64 }
/// impl Account {
///     fn open(&mut self, owner: String) { self.owner = owner; }
/// }
///
/// let projector = Projector::new()
///     .on("account-opened", Account::open)
///     .on("money-deposited", |account: &mut Account, cents: i64| account.cents += cents);
///
/// let stream = EventStore::in_memory().stream("accounts", "acc-42");
/// stream.publish([NewEvent::new("account-opened", "Ada")?, NewEvent::new("money-deposited", &500)?])?;
/// let projection = projector.project(Account::default(), stream.scan())?;
/// assert_eq!(projection.state(), &Account { owner: "Ada".into(), cents: 500 });
/// assert_eq!(projection.position().map(|position| position.get()), Some(1));
/// # Ok(())
/// # }
/// ```
pub struct Projector<S> {
    handlers: Arc<HashMap<Arc<str>, Arc<Handler<S>>>>,
    missing: MissingHandler,
    upcasters: Upcasters,
}

impl<S> Projector<S> {
    /// A projector without handlers, which fails at any event until told otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self { handlers: Arc::default(), missing: MissingHandler::default(), upcasters: Upcasters::default() }
    }

    /// Hands the payloads of events of this name to `handler`, in place of an earlier handler for the name.
    ///
    /// The handler is a method `fn(&mut self, Payload)` or a closure; it returns nothing, or a `Result<(), E>` whose error
    /// ends the projection with [`ProjectionError::Handler`].
    #[must_use]
    pub fn on<T, O>(self, name: impl Into<Arc<str>>, handler: impl Fn(&mut S, T) -> O + Send + Sync + 'static) -> Self
    where
        T: DeserializeOwned + 'static,
        O: HandlerOutcome,
    {
        self.with(name.into(), move |state, event, upcasters| settle(event, handler(state, upcasters.decode(event)?)))
    }

    /// Hands events of this name whole to `handler`, in place of an earlier handler for the name. Such a handler reads the
    /// payload itself, without the projector's upcasters.
    #[must_use]
    pub fn on_event<O: HandlerOutcome>(
        self,
        name: impl Into<Arc<str>>,
        handler: impl Fn(&mut S, &EventRef<'_>) -> O + Send + Sync + 'static,
    ) -> Self {
        self.with(name.into(), move |state, event, _| settle(event, handler(state, event)))
    }

    fn with(
        mut self,
        name: Arc<str>,
        handler: impl Fn(&mut S, &EventRef<'_>, &Upcasters) -> Result<(), ProjectionError> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.handlers).insert(name, Arc::new(handler));
        self
    }

    /// Says what to do with events that have no handler. Without this: fail.
    #[must_use]
    pub fn missing(mut self, missing: MissingHandler) -> Self {
        self.missing = missing;
        self
    }

    /// Brings old payloads up to date before handlers see them.
    #[must_use]
    pub fn upcasters(mut self, upcasters: Upcasters) -> Self {
        self.upcasters = upcasters;
        self
    }

    /// Folds one event into a state, if it has a handler: for [`Scan::visit`](crate::Scan::visit) and loops of your own.
    /// [`Projector::missing`] has no say here.
    ///
    /// # Errors
    /// [`ProjectionError::Payload`], [`ProjectionError::Upcaster`] or [`ProjectionError::Handler`].
    pub fn apply(&self, state: &mut S, event: &EventRef<'_>) -> Result<Applied, ProjectionError> {
        match self.handlers.get(event.name()) {
            Some(handler) => handler(state, event, &self.upcasters).map(|()| Applied::Yes),
            None => Ok(Applied::No),
        }
    }

    /// Folds events into `initial_state`, in the order given. Without events: the initial state, and no position.
    ///
    /// `events` is a scan, a handle by reference, a vector of events or a slice of them.
    ///
    /// # Errors
    /// [`ProjectionError`]; the state folded so far is dropped.
    pub fn project<I>(&self, initial_state: S, events: I) -> Result<Projection<S>, ProjectionError>
    where
        I: IntoIterator,
        I::Item: IntoEventResult,
    {
        self.continue_from(Projection::initial(initial_state), events)
    }

    /// Folds on from a projection made earlier: equal to folding everything from the start.
    ///
    /// Events up to and with the projection's [sequence number](Projection::sequence_number) are in it already and are passed
    /// over, so that a scan of everything gives the same as one
    /// [from where it ended](Projection::next_sequence_number), which reads less.
    ///
    /// # Errors
    /// [`ProjectionError`]; the projection is dropped.
    pub fn continue_from<I>(&self, projection: Projection<S>, events: I) -> Result<Projection<S>, ProjectionError>
    where
        I: IntoIterator,
        I::Item: IntoEventResult,
    {
        fold(projection, events, |_| self.missing, |state, event| self.apply(state, event))
    }
}

/// The one fold: `apply` for each event that is not in `projection` yet.
pub(super) fn fold<S, I>(
    mut projection: Projection<S>,
    events: I,
    missing: impl Fn(&S) -> MissingHandler,
    mut apply: impl FnMut(&mut S, &EventRef<'_>) -> Result<Applied, ProjectionError>,
) -> Result<Projection<S>, ProjectionError>
where
    I: IntoIterator,
    I::Item: IntoEventResult,
{
    let start = projection.sequence_number();
    for item in events {
        item.lend(|event| {
            if start.is_some_and(|start| event.sequence_number() <= start) {
                return Ok(());
            }
            let applied = apply(projection.state_mut(), event)?;
            if applied == Applied::No && missing(projection.state()) == MissingHandler::Error {
                let (name, sequence_number) = (event.name().to_owned(), event.sequence_number());
                return Err(ProjectionError::MissingHandler { name, sequence_number });
            }
            projection.advance(event);
            Ok(())
        })??;
    }
    Ok(projection)
}

/// A handler's refusal with the event it is about.
fn settle(event: &EventRef<'_>, outcome: impl HandlerOutcome) -> Result<(), ProjectionError> {
    outcome.into_outcome().map_err(|reason| ProjectionError::Handler {
        name: event.name().to_owned(),
        sequence_number: event.sequence_number(),
        reason,
    })
}

impl<S> Default for Projector<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for Projector<S> {
    fn clone(&self) -> Self {
        Self { handlers: Arc::clone(&self.handlers), missing: self.missing, upcasters: self.upcasters.clone() }
    }
}

impl<S> fmt::Debug for Projector<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&str> = self.handlers.keys().map(|name| &**name).collect();
        names.sort_unstable();
        f.debug_struct("Projector")
            .field("handlers", &names)
            .field("missing", &self.missing)
            .field("upcasters", &self.upcasters)
            .finish()
    }
}
