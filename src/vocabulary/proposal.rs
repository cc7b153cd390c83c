//! Proposals: what a database is asked to append, all or none.

use super::append_condition::AppendCondition;
use super::attributes::{AttributeValue, Attributes};
use super::condition::Condition;
use super::prospective_event::ProspectiveEvent;
use super::time::Timestamp;
use super::transaction::{StreamEvents, Transaction};
use super::transaction_error::{TransactionError, check_proposal};
use std::sync::Arc;

/// The attribute that holds a transaction's correlation id.
const CORRELATION: &str = "correlationid";

/// The attribute that holds a transaction's causation id.
const CAUSATION: &str = "causationid";

/// The attribute that holds a transaction's message.
const MESSAGE: &str = "message";

/// What the names of attributes begin with that say on whose behalf a transaction was made.
const PRINCIPAL: &str = "principal.";

/// What is proposed to a database: events, under conditions, with what is to be known of the transaction later.
///
/// Events keep their order, also across streams. Arrays and vectors of events are proposals without conditions.
///
/// ```
/// use stratalog::{Proposal, ProspectiveEvent, Selector, must_not_exist};
///
/// let account = Selector::category("accounts") & Selector::stream("acc-42");
/// let opened = ProspectiveEvent::empty("accounts", "opened").with_stream("acc-42");
/// let proposal = Proposal::new([opened]).when(must_not_exist(account)).id("open-42").correlation_id("request-7");
/// assert_eq!((proposal.id_given(), proposal.events().len(), proposal.conditions().len()), (Some("open-42"), 1, 1));
/// ```
#[doc(alias = "transaction")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a proposal does nothing until it is transacted"]
pub struct Proposal {
    id: Option<Arc<str>>,
    events: Vec<ProspectiveEvent>,
    conditions: Vec<AppendCondition>,
    attributes: Attributes,
}

impl Proposal {
    /// A proposal of these events, without conditions.
    pub fn new(events: impl IntoIterator<Item = ProspectiveEvent>) -> Self {
        Self { events: events.into_iter().collect(), ..Self::default() }
    }

    /// Adds an event, behind those that are there.
    pub fn event(mut self, event: ProspectiveEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Adds a condition. All must hold, as the database is right before the transaction; of those that do not, every one is
    /// reported.
    pub fn when(mut self, condition: AppendCondition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Adds any number of conditions.
    pub fn when_all(mut self, conditions: impl IntoIterator<Item = AppendCondition>) -> Self {
        self.conditions.extend(conditions);
        self
    }

    /// Gives the transaction an id, any text up to 255 bytes, which makes a retry harmless: the same id with the same content
    /// returns the first receipt and writes nothing; with other content it is refused. Conditions are no part of the content,
    /// events and attributes are.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What the transaction belongs to: the attribute `correlationid`.
    pub fn correlation_id(self, id: impl Into<Arc<str>>) -> Self {
        self.attribute(CORRELATION, AttributeValue::String(id.into()))
    }

    /// What brought the transaction about: the attribute `causationid`.
    pub fn causation_id(self, id: impl Into<Arc<str>>) -> Self {
        self.attribute(CAUSATION, AttributeValue::String(id.into()))
    }

    /// Something about those on whose behalf the transaction is made: the attribute `principal.` and this name.
    pub fn principal(self, name: &str, value: impl Into<AttributeValue>) -> Self {
        self.attribute(format!("{PRINCIPAL}{name}"), value)
    }

    /// Why the transaction is made, in words: the attribute `message`.
    #[doc(alias = "commit_message")]
    pub fn message(self, message: impl Into<Arc<str>>) -> Self {
        self.attribute(MESSAGE, AttributeValue::String(message.into()))
    }

    /// Sets an attribute of the transaction, in place if the name is there.
    pub fn attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// The transaction's id, if it was given one.
    #[must_use]
    pub fn id_given(&self) -> Option<&str> {
        self.id.as_deref()
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

    /// The transaction's attributes.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Checks what can be told without a database; see [`check_proposal`].
    ///
    /// # Errors
    /// As [`check_proposal`].
    pub fn check(&self, max_events: usize) -> Result<(), TransactionError> {
        check_proposal(self.id.as_deref(), &self.events, &self.conditions, max_events)
    }

    /// The transaction for the store: neighbours of one stream together, all in their order. `taken_at` stands in for the time
    /// of observation where an adapter does not put the recorded time there.
    pub(crate) fn to_transaction(&self, taken_at: Timestamp) -> Transaction {
        let mut parts: Vec<StreamEvents> = Vec::new();
        for event in &self.events {
            let new = event.to_new_event(taken_at);
            match parts.last_mut() {
                Some(StreamEvents { stream, events, .. })
                    if stream.category() == event.category() && stream.stream() == event.stream() =>
                {
                    events.push(new);
                }
                _ => parts.push(StreamEvents {
                    stream: event.stream_id(),
                    events: vec![new],
                    condition: Condition::any(),
                }),
            }
        }
        Transaction {
            id: self.id.clone(),
            attributes: self.attributes.clone(),
            parts,
            records: Vec::new(),
            when: self.conditions.clone(),
            observed_when_recorded: true,
        }
    }
}

impl From<ProspectiveEvent> for Proposal {
    fn from(event: ProspectiveEvent) -> Self {
        Self::new([event])
    }
}

impl From<Vec<ProspectiveEvent>> for Proposal {
    fn from(events: Vec<ProspectiveEvent>) -> Self {
        Self { events, ..Self::default() }
    }
}

impl<const N: usize> From<[ProspectiveEvent; N]> for Proposal {
    fn from(events: [ProspectiveEvent; N]) -> Self {
        Self::new(events)
    }
}

impl FromIterator<ProspectiveEvent> for Proposal {
    fn from_iter<I: IntoIterator<Item = ProspectiveEvent>>(events: I) -> Self {
        Self::new(events)
    }
}

/// What a transaction's attributes say by the names that [`Proposal`] gives them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoken<'a>(pub(crate) &'a Attributes);

impl<'a> Spoken<'a> {
    /// What the transaction belongs to.
    pub(crate) fn correlation_id(self) -> Option<&'a str> {
        self.text(CORRELATION)
    }

    /// What brought it about.
    pub(crate) fn causation_id(self) -> Option<&'a str> {
        self.text(CAUSATION)
    }

    /// Why it was made.
    pub(crate) fn message(self) -> Option<&'a str> {
        self.text(MESSAGE)
    }

    /// On whose behalf it was made.
    pub(crate) fn principal(self) -> impl Iterator<Item = (&'a str, &'a AttributeValue)> {
        self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(PRINCIPAL)?, value)))
    }

    fn text(self, name: &str) -> Option<&'a str> {
        match self.0.get(name)? {
            AttributeValue::String(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(stream: &str, name: &str) -> ProspectiveEvent {
        ProspectiveEvent::empty("accounts", name).with_stream(stream)
    }

    #[test]
    fn events_keep_their_order_and_neighbours_of_one_stream_stand_together() {
        let proposal =
            Proposal::new([event("a", "1"), event("a", "2"), event("b", "3")]).event(event("a", "4")).id("t");
        let transaction = proposal.to_transaction(Timestamp::UNIX_EPOCH);
        let parts: Vec<_> = transaction
            .parts
            .iter()
            .map(|part| (part.stream.stream(), part.events.iter().map(|event| event.name()).collect::<Vec<_>>()))
            .collect();
        assert_eq!(parts, [("a", vec!["1", "2"]), ("b", vec!["3"]), ("a", vec!["4"])]);
        assert!(transaction.observed_when_recorded);
        assert_eq!(transaction.id.as_deref(), Some("t"));
    }

    #[test]
    fn what_is_to_be_known_of_a_transaction_is_in_its_attributes() {
        let proposal = Proposal::from(event("a", "1"))
            .correlation_id("c")
            .causation_id("d")
            .message("why")
            .principal("user", "Ada")
            .principal("admin", true)
            .attribute("other", 7);
        let spoken = Spoken(proposal.attributes());
        assert_eq!((spoken.correlation_id(), spoken.causation_id()), (Some("c"), Some("d")));
        assert_eq!(spoken.message(), Some("why"));
        let principal: Vec<_> = spoken.principal().collect();
        assert_eq!(principal, [("user", &"Ada".into()), ("admin", &true.into())]);
        assert_eq!(Spoken(&Attributes::new()).message(), None);
        assert_eq!(Spoken(&Attributes::new().with("message", 1)).message(), None, "a number is no message");
    }

    #[test]
    fn proposals_are_made_of_events_in_any_container() {
        let (one, two) = (event("a", "1"), event("a", "2"));
        let whole = Proposal::new([one.clone(), two.clone()]);
        assert_eq!(Proposal::from(vec![one.clone(), two.clone()]), whole);
        assert_eq!(Proposal::from([one.clone(), two.clone()]), whole);
        assert_eq!([one, two].into_iter().collect::<Proposal>(), whole);
        assert_eq!(Proposal::default().check(9), Err(TransactionError::Empty));
    }
}
