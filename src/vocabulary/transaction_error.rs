//! Why a database refuses a transaction: all that is wrong with it, not just the first.

use super::append_condition::{AppendCondition, AppendConditionError, UnmetAppendCondition};
use super::error::Retry;
use super::event::EventId;
use super::number::Revision;
use super::prospective_event::{EventFault, ProspectiveEvent};
use super::selector::{Selector, SelectorError};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// How long a transaction's id may be, in bytes.
const ID_BYTES: usize = 255;

/// Why a database refuses a transaction. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// There are no events.
    #[error("a transaction without events")]
    Empty,
    /// The transaction's id cannot be.
    #[error("the transaction id {id:?} is outside the rules: {rule}")]
    InvalidId {
        /// The id.
        id: Arc<str>,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// There are too many events.
    #[error("too many events in a transaction: {actual}, at most {max} allowed")]
    TooLarge {
        /// How many there are.
        actual: u64,
        /// How many there may be.
        max: u64,
    },
    /// The id is taken by a transaction with other content.
    #[error("transaction {id:?} is there already with other content")]
    DuplicateId {
        /// The id.
        id: Arc<str>,
    },
    /// Events that cannot be: every fault of each, in the events' order.
    #[error("invalid events: {}", Listed(.0))]
    InvalidEvents(Vec<InvalidEvent>),
    /// Conditions that cannot be: every one, in their order.
    #[doc(alias = "InvalidConstraints")]
    #[error("invalid conditions: {}", Listed(.0))]
    InvalidConditions(Vec<InvalidCondition>),
    /// Conditions that do not hold: every one, in their order.
    #[doc(alias = "ConstraintViolations")]
    #[error("{}", Listed(.0))]
    UnmetConditions(Vec<UnmetAppendCondition>),
}

/// One fault of one of a transaction's events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {index}{}: {fault}", Named(id.as_ref()))]
#[non_exhaustive]
pub struct InvalidEvent {
    /// The event's place in the transaction, from 0 on.
    pub index: usize,
    /// Its id, if it has one.
    pub id: Option<EventId>,
    /// What is wrong with it.
    pub fault: EventFault,
}

impl InvalidEvent {
    /// This fault of the event at this place.
    #[must_use]
    pub fn new(index: usize, id: Option<EventId>, fault: EventFault) -> Self {
        Self { index, id, fault }
    }
}

/// What is wrong with one of a transaction's conditions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("condition {index}: {fault}")]
#[non_exhaustive]
pub struct InvalidCondition {
    /// The condition's place in the transaction, from 0 on.
    pub index: usize,
    /// What is wrong with it.
    pub fault: ConditionFault,
}

impl InvalidCondition {
    /// This fault of the condition at this place.
    #[must_use]
    pub fn new(index: usize, fault: impl Into<ConditionFault>) -> Self {
        Self { index, fault: fault.into() }
    }
}

/// What can be wrong with a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionFault {
    /// Its revisions.
    #[error(transparent)]
    Condition(#[from] AppendConditionError),
    /// Its selector.
    #[error(transparent)]
    Selector(#[from] SelectorError),
}

/// Several texts in one line.
pub(super) struct Listed<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if index > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

/// An id in parentheses, or nothing.
struct Named<'a>(Option<&'a EventId>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, " ({id})"))
    }
}

impl TransactionError {
    /// Whether a retry is safe.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::UnmetConditions(_) => Retry::AfterReading,
            Self::Empty
            | Self::InvalidId { .. }
            | Self::TooLarge { .. }
            | Self::DuplicateId { .. }
            | Self::InvalidEvents(_)
            | Self::InvalidConditions(_) => Retry::Never,
        }
    }
}

/// Checks what is proposed to a database, as far as it can be told without one.
///
/// ```
/// use stratalog::{check_proposal, ProspectiveEvent, TransactionError};
///
/// let events = [ProspectiveEvent::empty("t", "opened"), ProspectiveEvent::empty("accounts", " ").with_stream("")];
/// let Err(TransactionError::InvalidEvents(faults)) = check_proposal(None, &events, &[], 1_000) else { panic!() };
/// assert_eq!(faults.iter().map(|fault| fault.index).collect::<Vec<_>>(), [0, 1, 1]);
/// assert_eq!(check_proposal(None, &[], &[], 1_000), Err(TransactionError::Empty));
/// ```
///
/// # Errors
/// The first of these that there is anything of: [`TransactionError::Empty`], [`TransactionError::InvalidId`] beyond 255 bytes,
/// [`TransactionError::TooLarge`] beyond `max_events`; then, with all that are wrong, [`TransactionError::InvalidConditions`] and
/// [`TransactionError::InvalidEvents`], among them ids that come twice in a category.
pub fn check_proposal(
    id: Option<&str>,
    events: &[ProspectiveEvent],
    conditions: &[AppendCondition],
    max_events: usize,
) -> Result<(), TransactionError> {
    if events.is_empty() {
        return Err(TransactionError::Empty);
    }
    if let Some(id) = id.filter(|id| id.len() > ID_BYTES) {
        return Err(TransactionError::InvalidId { id: id.into(), rule: "at most 255 bytes" });
    }
    if events.len() > max_events {
        return Err(TransactionError::TooLarge { actual: events.len() as u64, max: max_events as u64 });
    }
    let too_big = |(index, condition): (usize, &AppendCondition)| {
        condition.selector().check().err().map(|limit| InvalidCondition::new(index, SelectorError::from(limit)))
    };
    let invalid: Vec<InvalidCondition> = conditions.iter().enumerate().filter_map(too_big).collect();
    if !invalid.is_empty() {
        return Err(TransactionError::InvalidConditions(invalid));
    }
    let (mut invalid, mut seen) = (Vec::new(), HashSet::new());
    for (index, event) in events.iter().enumerate() {
        let mut faults = event.faults();
        if let Some(id) = event.id().filter(|id| !seen.insert((event.category(), *id))) {
            faults.push(EventFault::DuplicateEventId { category: event.category().into(), id: id.clone() });
        }
        invalid.extend(faults.into_iter().map(|fault| InvalidEvent::new(index, event.id().cloned(), fault)));
    }
    if invalid.is_empty() { Ok(()) } else { Err(TransactionError::InvalidEvents(invalid)) }
}

/// Judges all conditions, where `latest` finds the revision of the latest event that a selector selects, if there is one:
/// before the transaction, whose own events do not count.
///
/// ```
/// use stratalog::{judge_conditions, must_exist, must_not_exist, Revision, Selector, TransactionError};
///
/// let conditions = [must_exist(Selector::name("opened")), must_not_exist(Selector::name("closed"))];
/// let latest = |selector: &Selector| Ok((*selector == Selector::name("closed")).then(|| Revision::new(7)));
/// let Err(TransactionError::UnmetConditions(unmet)) = judge_conditions(&conditions, latest) else { panic!() };
/// assert_eq!(unmet.iter().map(|unmet| unmet.actual).collect::<Vec<_>>(), [None, Some(Revision::new(7))]);
/// ```
///
/// # Errors
/// [`TransactionError::UnmetConditions`] with every one that does not hold, or the first error of `latest`.
pub fn judge_conditions<'a, E: From<TransactionError>>(
    conditions: impl IntoIterator<Item = &'a AppendCondition>,
    mut latest: impl FnMut(&Selector) -> Result<Option<Revision>, E>,
) -> Result<(), E> {
    let mut unmet = Vec::new();
    for condition in conditions {
        unmet.extend(condition.judge(latest(condition.selector())?).err());
    }
    if unmet.is_empty() { Ok(()) } else { Err(TransactionError::UnmetConditions(unmet).into()) }
}

#[cfg(test)]
mod tests {
    use super::super::append_condition::{must_exist, must_not_exist, unchanged_since};
    use super::super::error::Error;
    use super::super::limit::LimitedThing;
    use super::*;

    fn event(id: &str) -> ProspectiveEvent {
        ProspectiveEvent::empty("accounts", "opened").with_id(id)
    }

    fn check(events: &[ProspectiveEvent]) -> Result<(), TransactionError> {
        check_proposal(None, events, &[], 1_000)
    }

    #[test]
    fn a_transaction_wants_events_and_not_too_many() {
        assert_eq!(check(&[]), Err(TransactionError::Empty));
        assert_eq!(check(&[event("a"), event("b")]), Ok(()));
        let refused = check_proposal(None, &[event("a"), event("b")], &[], 1);
        assert_eq!(refused, Err(TransactionError::TooLarge { actual: 2, max: 1 }));
        assert_eq!(check_proposal(Some(&"i".repeat(255)), &[event("a")], &[], 1), Ok(()));
        let long = "i".repeat(256);
        let refused = check_proposal(Some(&long), &[event("a")], &[], 1);
        assert_eq!(refused, Err(TransactionError::InvalidId { id: long.into(), rule: "at most 255 bytes" }));
    }

    #[test]
    fn every_fault_of_every_event_is_told() {
        let events =
            [event(" "), event("b"), event("c").with_attribute("id", 1).with_attribute("A", 1).with_stream("")];
        let Err(TransactionError::InvalidEvents(faults)) = check(&events) else { panic!() };
        let places: Vec<usize> = faults.iter().map(|fault| fault.index).collect();
        assert_eq!(places, [0, 2, 2, 2]);
        assert_eq!(faults[1].id, Some("c".into()));
        let shown = TransactionError::InvalidEvents(faults).to_string();
        assert!(shown.starts_with("invalid events: event 0 ( ): the event id \" \" is outside"), "{shown}");
        assert!(shown.contains("; event 2 (c): the attribute \"id\" cannot be set"), "{shown}");
    }

    #[test]
    fn ids_are_unique_within_their_category() {
        let elsewhere = ProspectiveEvent::empty("audits", "opened").with_id("a");
        assert_eq!(check(&[event("a"), elsewhere.clone()]), Ok(()));
        let without = ProspectiveEvent::empty("accounts", "opened");
        assert_eq!(check(&[without.clone(), without]), Ok(()));
        let twice =
            check(&[event("a"), event("b").with_stream("s"), elsewhere, event("a").with_stream("s"), event("b")]);
        let Err(TransactionError::InvalidEvents(faults)) = twice else { panic!() };
        let duplicate = |id: &str| EventFault::DuplicateEventId { category: "accounts".into(), id: id.into() };
        assert_eq!(faults, [(3, "a"), (4, "b")].map(|(at, id)| InvalidEvent::new(at, Some(id.into()), duplicate(id))));
    }

    #[test]
    fn conditions_are_looked_at_before_events_and_all_are_told() {
        let long = || Selector::name("x".repeat((1 << 20) + 1));
        let conditions = [must_exist(long()), must_exist(Selector::name("x")), must_not_exist(long())];
        let refused = check_proposal(None, &[event(" ")], &conditions, 1);
        let Err(TransactionError::InvalidConditions(faults)) = refused else { panic!() };
        let places: Vec<usize> = faults.iter().map(|fault| fault.index).collect();
        assert_eq!(places, [0, 2]);
        assert!(matches!(
            &faults[1].fault,
            ConditionFault::Selector(SelectorError::Limit(limit)) if limit.thing == LimitedThing::SelectorBytes
        ));
        let blank = InvalidCondition::new(4, AppendConditionError::Blank).to_string();
        assert_eq!(blank, "condition 4: an append condition without a revision");
    }

    #[test]
    fn every_unmet_condition_is_told() {
        let selectors = ["a", "b", "c"].map(Selector::name);
        let latest = |selector: &Selector| -> Result<Option<Revision>, Error> {
            let place = selectors.iter().position(|known| known == selector).unwrap() as u64;
            Ok((place > 0).then(|| Revision::new(place * 10)))
        };
        let [a, b, c] = selectors.clone();
        let held = [must_not_exist(a.clone()), must_exist(b.clone()), unchanged_since(c.clone(), Revision::new(20))];
        assert!(judge_conditions(&held, latest).is_ok());
        let unmet = [must_exist(a), must_exist(b), unchanged_since(c, Revision::new(19))];
        let error = judge_conditions(&unmet, latest).unwrap_err();
        assert!(error.is_conflict() && error.retry() == Retry::AfterReading);
        let Error::Transaction(TransactionError::UnmetConditions(found)) = error else { panic!("{error}") };
        assert_eq!(found.len(), 2);
        assert_eq!((&found[0].condition, found[0].actual), (&unmet[0], None));
        assert_eq!((&found[1].condition, found[1].actual), (&unmet[2], Some(Revision::new(20))));
        let broken = judge_conditions(&unmet, |_| Err(Error::Transaction(TransactionError::Empty)));
        assert!(matches!(broken, Err(Error::Transaction(TransactionError::Empty))));
    }
}
