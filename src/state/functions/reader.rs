//! What user code sees of a database: one revision of it, through an object-safe trait.

use super::view::{RenderedView, StateView, ViewState};
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::Result;
use crate::vocabulary::identifier::{Category, Stream};
use crate::vocabulary::number::Revision;
use crate::vocabulary::prospective_event::ProspectiveEvent;
use crate::vocabulary::selector::{FieldValue, Selector};
use crate::vocabulary::time::Timestamp;
use std::sync::Arc;

/// A database at one revision, as a [`StateChange`](crate::StateChange) sees it. It does not change while it is looked at.
///
/// [`DatabaseAt`](crate::DatabaseAt) is one; so is what a host hands to a guest. Errors are the library's, and turn into
/// [`StateChangeError::Internal`](crate::StateChangeError::Internal) with `?`.
pub trait DatabaseReader {
    /// The database's name.
    fn name(&self) -> &str;

    /// When the database was made.
    fn created_at(&self) -> Timestamp;

    /// The revision that is seen, speculated events included.
    fn revision(&self) -> Revision;

    /// When the log took the last event up to that revision.
    #[doc(alias = "revision-timestamp")]
    fn recorded_at(&self) -> Timestamp;

    /// Up to which effective time events are seen; none where all are.
    #[doc(alias = "effective-timestamp")]
    fn effective_at(&self) -> Option<Timestamp>;

    /// How many of the events seen are speculated.
    fn speculated_event_count(&self) -> u64;

    /// The same revision with the events alone that occurred at `time` or before.
    fn at_effective_timestamp(&self, time: Timestamp) -> Box<dyn DatabaseReader>;

    /// The database as it would be with these events. Nothing is written.
    ///
    /// # Errors
    /// What is wrong with the events.
    #[doc(alias = "speculate-with-transaction")]
    fn speculate_with(&self, events: Vec<ProspectiveEvent>) -> Result<Box<dyn DatabaseReader>>;

    /// The events that a query asks for, in its order.
    ///
    /// # Errors
    /// The database could not be read.
    fn query_events(&self, query: &EventQuery) -> Result<Vec<Event>>;

    /// A state view with these values for its parameters; none where there is no such view.
    ///
    /// # Errors
    /// [`ViewError`](crate::ViewError): a wrong parameter, a view that fails.
    #[doc(alias = "view-state")]
    fn rendered_view(&self, name: &str, version: u64, parameters: &ViewParameters) -> Result<Option<RenderedView>>;
}

impl dyn DatabaseReader + '_ {
    /// The events that a selector selects, or a query asks for.
    ///
    /// # Errors
    /// As [`DatabaseReader::query_events`].
    pub fn query(&self, query: impl Into<EventQuery>) -> Result<Vec<Event>> {
        self.query_events(&query.into())
    }

    /// A state view. Parameters are pairs of name and value; `[]` or `()` for none.
    ///
    /// # Errors
    /// As [`DatabaseReader::rendered_view`].
    pub fn view(
        &self,
        name: &str,
        version: u64,
        parameters: impl Into<ViewParameters>,
    ) -> Result<Option<RenderedView>> {
        self.rendered_view(name, version, &parameters.into())
    }

    /// The state of a state view; the default one where no event was selected, none where there is no such view.
    ///
    /// # Errors
    /// As [`DatabaseReader::rendered_view`], and when what was rendered is not a `T`.
    pub fn view_state<T: StateView>(
        &self,
        name: &str,
        version: u64,
        parameters: impl Into<ViewParameters>,
    ) -> Result<Option<ViewState<T>>> {
        let rendered = self.rendered_view(name, version, &parameters.into())?;
        Ok(rendered.map(|rendered| rendered.state()).transpose()?)
    }
}

/// Which events a [`DatabaseReader`] is asked for, in which order, and how many: as a value, that can go to a guest and back.
///
/// ```
/// use stratalog::{EventQuery, Selector};
///
/// let last_three = EventQuery::new(Selector::stream("acc-42")).reverse().limit(3);
/// assert_eq!((last_three.is_reverse, last_three.limit), (true, Some(3)));
/// ```
#[doc(alias = "DatabaseQuery")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventQuery {
    /// Which events.
    pub selector: Selector,
    /// From where to where, which says in which order, too.
    pub range: QueryRange,
    /// Newest first.
    pub is_reverse: bool,
    /// At most so many, counted after ordering; 0 is none.
    pub limit: Option<u32>,
}

/// From where to where a query goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryRange {
    /// In the order of the log.
    Revision {
        /// From the event of this revision on.
        start_at: Option<Revision>,
    },
    /// In the order of effective times; those of one time, in the order of the log.
    EffectiveTime {
        /// From the event of this time and revision on.
        start_at: Option<(Timestamp, Revision)>,
        /// Up to and with this time.
        end_at: Option<Timestamp>,
    },
}

impl EventQuery {
    /// Everything that `selector` selects, in the order of the log, oldest first.
    #[must_use]
    pub fn new(selector: impl Into<Selector>) -> Self {
        let range = QueryRange::Revision { start_at: None };
        Self { selector: selector.into(), range, is_reverse: false, limit: None }
    }

    /// Only events from this revision on, in the order of the log.
    #[must_use]
    pub fn from_revision(mut self, revision: Revision) -> Self {
        self.range = QueryRange::Revision { start_at: Some(revision) };
        self
    }

    /// In the order of effective times.
    #[must_use]
    pub fn by_effective_time(mut self) -> Self {
        if let QueryRange::Revision { .. } = self.range {
            self.range = QueryRange::EffectiveTime { start_at: None, end_at: None };
        }
        self
    }

    /// In the order of effective times, from the event of this time and revision on.
    #[must_use]
    pub fn effective_from(mut self, time: Timestamp, revision: Revision) -> Self {
        let end_at = match self.range {
            QueryRange::EffectiveTime { end_at, .. } => end_at,
            QueryRange::Revision { .. } => None,
        };
        self.range = QueryRange::EffectiveTime { start_at: Some((time, revision)), end_at };
        self
    }

    /// In the order of effective times, up to and with this time.
    #[must_use]
    pub fn effective_until(mut self, time: Timestamp) -> Self {
        let start_at = match self.range {
            QueryRange::EffectiveTime { start_at, .. } => start_at,
            QueryRange::Revision { .. } => None,
        };
        self.range = QueryRange::EffectiveTime { start_at, end_at: Some(time) };
        self
    }

    /// Newest first, in the order that it has.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.is_reverse = true;
        self
    }

    /// At most so many events; 0 is none.
    #[must_use]
    pub fn limit(mut self, events: u32) -> Self {
        self.limit = Some(events);
        self
    }
}

impl From<Selector> for EventQuery {
    fn from(selector: Selector) -> Self {
        Self::new(selector)
    }
}

impl From<Category> for EventQuery {
    fn from(category: Category) -> Self {
        Self::new(category)
    }
}

impl From<Stream> for EventQuery {
    fn from(stream: Stream) -> Self {
        Self::new(stream)
    }
}

/// Values for the parameters of a state view's selector, by name. Made of arrays and iterators of pairs, or of `()` for none.
///
/// ```
/// use stratalog::{FieldValue, ViewParameters};
///
/// let parameters = ViewParameters::from([("account", FieldValue::stream("acc-42"))]);
/// assert_eq!(parameters.iter().count(), 1);
/// assert_eq!(ViewParameters::from([]), ViewParameters::from(()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewParameters(Vec<(Arc<str>, FieldValue)>);

impl ViewParameters {
    /// The pairs, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &FieldValue)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// The pairs as a template takes them.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Arc<str>, FieldValue)> {
        self.0.iter().cloned()
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, FieldValue)> for ViewParameters {
    fn from_iter<I: IntoIterator<Item = (N, FieldValue)>>(parameters: I) -> Self {
        Self(parameters.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl<const N: usize> From<[(&str, FieldValue); N]> for ViewParameters {
    fn from(parameters: [(&str, FieldValue); N]) -> Self {
        parameters.into_iter().collect()
    }
}

impl From<&[(&str, FieldValue)]> for ViewParameters {
    fn from(parameters: &[(&str, FieldValue)]) -> Self {
        parameters.iter().cloned().collect()
    }
}

impl From<()> for ViewParameters {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<&ViewParameters> for ViewParameters {
    fn from(parameters: &ViewParameters) -> Self {
        parameters.clone()
    }
}
