//! The trait of states that fold events by themselves.

use super::projection::Projection;
use super::projector::{Applied, IntoEventResult, MissingHandler, fold};
use crate::vocabulary::error::ProjectionError;
use crate::vocabulary::event::EventRef;

/// A state that knows how to take events: the projector as a trait, for a struct with its handlers in one place.
///
/// ```
/// use stratalog::{Applied, EventRef, EventStore, NewEvent, Project, ProjectionError};
/// #[derive(Default)]
/// struct Balance { cents: i64 }
///
/// impl Project for Balance {
///     fn apply(&mut self, event: &EventRef<'_>) -> Result<Applied, ProjectionError> {
///         match event.name() {
///             "money-deposited" => Applied::with(event, |cents: i64| self.cents += cents),
///             "money-withdrawn" => Applied::with(event, |cents: i64| self.cents -= cents),
///             _ => Ok(Applied::No),
///         }
///     }
/// }
/// # fn main() -> stratalog::Result<()> {
/// let stream = EventStore::in_memory().stream("accounts", "acc-42");
/// stream.publish([NewEvent::new("money-deposited", &500)?, NewEvent::new("money-withdrawn", &200)?])?;
/// assert_eq!(Balance::default().project(&stream)?.state().cents, 300);
/// # Ok(())
/// # }
/// ```
pub trait Project: Sized {
    /// Folds one event in, or says that it is not for this state. [`Applied::with`] reads the payload on the way; for payloads
    /// of several schema versions, [`Upcasters::decode`](crate::Upcasters::decode) does.
    ///
    /// # Errors
    /// [`ProjectionError`], which ends the projection.
    fn apply(&mut self, event: &EventRef<'_>) -> Result<Applied, ProjectionError>;

    /// What to do with an event for which [`apply`](Self::apply) says [`Applied::No`]. Without this: fail.
    fn missing(&self) -> MissingHandler {
        MissingHandler::Error
    }

    /// Runs once after the last event of a fold, without events too: for what is derived from the whole state. Folding may go
    /// on from the state that it leaves, so it must not spoil what `apply` needs.
    ///
    /// # Errors
    /// [`ProjectionError`], which ends the projection.
    fn finalise(&mut self) -> Result<(), ProjectionError> {
        Ok(())
    }

    /// Folds events into this state, the initial one, in the order given. Without events: the initial state, and no position.
    ///
    /// # Errors
    /// [`ProjectionError`]; the state folded so far is dropped.
    fn project<I>(self, events: I) -> Result<Projection<Self>, ProjectionError>
    where
        I: IntoIterator,
        I::Item: IntoEventResult,
    {
        Self::continue_from(Projection::initial(self), events)
    }

    /// Folds on from a projection made earlier, as [`Projector::continue_from`](crate::Projector::continue_from) does.
    ///
    /// # Errors
    /// [`ProjectionError`]; the projection is dropped.
    fn continue_from<I>(projection: Projection<Self>, events: I) -> Result<Projection<Self>, ProjectionError>
    where
        I: IntoIterator,
        I::Item: IntoEventResult,
    {
        let mut projection = fold(projection, events, Self::missing, Self::apply)?;
        projection.state_mut().finalise()?;
        Ok(projection)
    }
}
