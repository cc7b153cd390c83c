//! State changes: code of users that decides what happens, from a command and what the database holds.

use super::command::{Command, FromCommand};
use super::reader::DatabaseReader;
use crate::vocabulary::append_condition::AppendCondition;
use crate::vocabulary::function_error::StateChangeError;
use crate::vocabulary::number::Revision;
use crate::vocabulary::prospective_event::ProspectiveEvent;
use crate::vocabulary::time::Timestamp;
use std::marker::PhantomData;
use std::sync::Arc;

/// Decides what happens: events and conditions, or why not.
///
/// `decide` sees one database that does not change, and writes nothing: its events are appended afterwards, if its conditions
/// hold then. It may run several times for one command, so it should do nothing else.
///
/// ```
/// use serde::Deserialize;
/// use stratalog::{
///     must_exist, DatabaseReader, DecideResult, ProspectiveEvent, Selector, StateChange, StateChangeError, StateChangeMetadata,
/// };
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
///     fn decide(_: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
///         if command.cents <= 0 {
///             return Err(StateChangeError::validation("the amount must be positive"));
///         }
///         let account = Selector::category("accounts") & Selector::stream(&*command.account);
///         let deposited = ProspectiveEvent::json("accounts", "money-deposited", &command.cents)?.with_stream(command.account);
///         Ok(([deposited], [must_exist(account)]).into())
///     }
/// }
/// ```
pub trait StateChange: 'static {
    /// What the command is read as: anything that serde reads, or what implements [`FromCommand`].
    type Command: FromCommand;

    /// Decides.
    ///
    /// # Errors
    /// Why not, for whoever asked.
    fn decide(
        database: &dyn DatabaseReader,
        command: Self::Command,
        metadata: &StateChangeMetadata,
    ) -> Result<Decision, StateChangeError>;
}

/// What `decide` returns: events and conditions, or why not. Arrays of events become a [`Decision`] by `into()`, and so do pairs
/// of events and conditions.
pub type DecideResult = Result<Decision, StateChangeError>;

/// What a state change decided: events to append, and what must hold for it.
///
/// Without events nothing is written; the conditions are checked all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    events: Vec<ProspectiveEvent>,
    conditions: Vec<AppendCondition>,
}

impl Decision {
    /// Nothing, on no condition.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: ProspectiveEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Adds a condition. All must hold.
    #[must_use]
    pub fn when(mut self, condition: AppendCondition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> &[ProspectiveEvent] {
        &self.events
    }

    /// The conditions, in order.
    #[must_use]
    pub fn conditions(&self) -> &[AppendCondition] {
        &self.conditions
    }

    /// Events and conditions.
    #[must_use]
    pub fn into_parts(self) -> (Vec<ProspectiveEvent>, Vec<AppendCondition>) {
        (self.events, self.conditions)
    }
}

impl From<ProspectiveEvent> for Decision {
    fn from(event: ProspectiveEvent) -> Self {
        Self::new().event(event)
    }
}

impl<const N: usize> From<[ProspectiveEvent; N]> for Decision {
    fn from(events: [ProspectiveEvent; N]) -> Self {
        Self { events: events.into(), conditions: Vec::new() }
    }
}

impl From<Vec<ProspectiveEvent>> for Decision {
    fn from(events: Vec<ProspectiveEvent>) -> Self {
        Self { events, conditions: Vec::new() }
    }
}

impl<E, C> From<(E, C)> for Decision
where
    E: IntoIterator<Item = ProspectiveEvent>,
    C: IntoIterator<Item = AppendCondition>,
{
    fn from((events, conditions): (E, C)) -> Self {
        Self { events: events.into_iter().collect(), conditions: conditions.into_iter().collect() }
    }
}

/// What a state change knows of the call beside the command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateChangeMetadata {
    /// The name that the state change is registered with.
    pub name: Arc<str>,
    /// Its version.
    pub version: u64,
    /// The revision that whoever asked had seen; 0 where nothing was said.
    pub last_seen_revision: Revision,
    /// When the command came in, by the store's clock. The same when it is decided again.
    pub received_at: Timestamp,
    /// The headers, in order, with repeats.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
}

impl StateChangeMetadata {
    /// Of a call without headers, received at this time: for tests of `decide` alone.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, version: u64, received_at: Timestamp) -> Self {
        Self { name: name.into(), version, last_seen_revision: Revision::EMPTY, received_at, headers: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}

/// Why there is no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecideFailure {
    /// It was decided against the command.
    #[error(transparent)]
    Refused(#[from] StateChangeError),
    /// The code came to no decision: it was stopped, or gave what is none.
    #[error("{0}")]
    Failed(String),
}

/// A state change of any kind, as it is registered: the types of its command are put away.
///
/// Functions and closures are such ones. A panic is caught by whoever calls.
pub trait AnyStateChange: Send + Sync {
    /// Decides.
    ///
    /// # Errors
    /// [`DecideFailure::Refused`] for what the code says itself, [`DecideFailure::Failed`] when it does not come to that.
    fn decide(
        &self,
        database: &dyn DatabaseReader,
        command: &Command,
        metadata: &StateChangeMetadata,
    ) -> Result<Decision, DecideFailure>;
}

impl<F> AnyStateChange for F
where
    F: Fn(&dyn DatabaseReader, &Command, &StateChangeMetadata) -> DecideResult + Send + Sync,
{
    fn decide(
        &self,
        database: &dyn DatabaseReader,
        command: &Command,
        metadata: &StateChangeMetadata,
    ) -> Result<Decision, DecideFailure> {
        Ok(self(database, command, metadata)?)
    }
}

/// A state change of this program.
pub(super) struct NativeChange<C>(PhantomData<fn() -> C>);

impl<C> NativeChange<C> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C: StateChange> AnyStateChange for NativeChange<C> {
    fn decide(
        &self,
        database: &dyn DatabaseReader,
        command: &Command,
        metadata: &StateChangeMetadata,
    ) -> Result<Decision, DecideFailure> {
        let command = C::Command::from_command(command).map_err(StateChangeError::from)?;
        Ok(C::decide(database, command, metadata)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::append_condition::must_exist;
    use crate::vocabulary::selector::Selector;

    #[test]
    fn arrays_vectors_and_pairs_are_decisions() {
        let event = || ProspectiveEvent::empty("accounts", "opened");
        let condition = || must_exist(Selector::name("opened"));
        let one = Decision::new().event(event());
        let same: [Decision; 4] = [event().into(), [event()].into(), vec![event()].into(), ([event()], []).into()];
        assert!(same.iter().all(|decision| *decision == one), "{same:?}");
        let pair: Decision = (vec![event(), event()], Some(condition())).into();
        assert_eq!(pair, Decision::new().event(event()).event(event()).when(condition()));
        assert_eq!((pair.events().len(), pair.conditions().len()), (2, 1));
        assert_eq!(pair.into_parts(), (vec![event(), event()], vec![condition()]));
        assert_eq!(Decision::from([]), Decision::new());
    }

    #[test]
    fn headers_are_found_whatever_their_case_the_first_of_a_name() {
        let metadata = StateChangeMetadata::new("deposit", 1, Timestamp::UNIX_EPOCH)
            .with_header("X-Role", "teller")
            .with_header("x-role", "guest");
        assert_eq!((metadata.header("X-ROLE"), metadata.header("role")), (Some("teller"), None));
        assert_eq!(metadata.headers.len(), 2);
    }
}
