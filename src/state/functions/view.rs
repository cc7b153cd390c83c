//! State views: code of users that folds events into a state, what it renders, and how a state is read back.

use super::codec::{self, ContentCodec};
use crate::vocabulary::database_event::Event;
use crate::vocabulary::function_error::{EvolveError, ViewError};
use crate::vocabulary::number::Revision;
use crate::vocabulary::selector::Selector;
use crate::vocabulary::time::Timestamp;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;

/// A state that folds events, one by one.
///
/// The database hands it the events that its definition's selector selects, in order, and keeps what [`encode`](Self::encode)
/// gives. Later it may go on from there: folding all at once, or some, writing, reading and folding the rest, must give the same.
/// So all that counts must be in what is written. It should do nothing else than fold.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use stratalog::{Event, EvolveError, Json, StateView};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct AccountSummary {
///     cents: i64,
///     transactions: u64,
/// }
///
/// impl StateView for AccountSummary {
///     type Codec = Json;
///
///     fn evolve_event(&mut self, event: &Event) -> Result<(), EvolveError> {
///         if event.name() == "money-deposited" {
///             self.cents += event.decode::<i64>()?;
///             self.transactions += 1;
///         }
///         Ok(())
///     }
/// }
/// ```
#[doc(alias = "StateViewBase")]
pub trait StateView: Default + 'static {
    /// How the state is written and read: [`Json`](crate::Json) or [`MessagePack`](crate::MessagePack) for what serde writes, or
    /// a codec of your own.
    type Codec: ContentCodec<Self>;

    /// Folds one event in.
    ///
    /// # Errors
    /// Why the event cannot be, which fails the view wherever it meets that event. To pass over an event, do nothing.
    fn evolve_event(&mut self, event: &Event) -> Result<(), EvolveError>;

    /// Writes the state.
    ///
    /// # Errors
    /// Why it cannot be written.
    #[doc(alias = "to_dict")]
    fn encode(&self) -> Result<Vec<u8>, EvolveError> {
        Self::Codec::encode(self).map_err(EvolveError::new)
    }

    /// Reads a state.
    ///
    /// # Errors
    /// Why it cannot be read.
    #[doc(alias = "from_dict")]
    fn decode(bytes: &[u8]) -> Result<Self, EvolveError> {
        Self::Codec::decode(bytes).map_err(EvolveError::new)
    }
}

/// What a view is at a revision. Cloning is cheap.
///
/// Its content is none where no event was selected: the view's code has not run then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenderedView {
    /// The database's name.
    pub database: Arc<str>,
    /// The view's name.
    pub name: Arc<str>,
    /// Its version.
    pub version: u64,
    /// The revision of the database that it is of.
    pub revision: Revision,
    /// When the log took the last event up to that revision.
    pub recorded_at: Timestamp,
    /// Which events are folded, with values in the place of parameters.
    pub selector: Selector,
    /// The revision of the last event that was folded, in the order of the log; none without any.
    pub last_modified_revision: Option<Revision>,
    /// When the log took that event.
    pub last_modified_at: Option<Timestamp>,
    /// What the content is.
    pub content_type: Arc<str>,
    /// The content's schema, as a URI.
    pub schema: Option<Arc<str>>,
    /// What the view's code wrote; none where it did not run, or had nothing to keep.
    pub content: Option<Bytes>,
}

impl RenderedView {
    /// Reads the content as its content type says, JSON or MessagePack; none where there is none.
    ///
    /// # Errors
    /// [`ViewError::Content`] for another content type, or when the content is not a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<Option<T>, ViewError> {
        let Some(content) = &self.content else { return Ok(None) };
        match codec::read(&self.content_type, content) {
            Some(read) => read.map(Some).map_err(|reason| self.unreadable(reason)),
            None => Err(self.unreadable(format!("its content type is {:?}", self.content_type))),
        }
    }

    /// Reads the content as a state; the default state where there is none.
    ///
    /// # Errors
    /// [`ViewError::Content`] when the content is not such a state.
    pub fn state<T: StateView>(&self) -> Result<ViewState<T>, ViewError> {
        let data = match &self.content {
            None => T::default(),
            Some(content) => T::decode(content).map_err(|error| self.unreadable(error.reason))?,
        };
        Ok(ViewState { data, revision: self.last_modified_revision.unwrap_or(Revision::EMPTY) })
    }

    fn unreadable(&self, reason: String) -> ViewError {
        ViewError::Content { name: Arc::clone(&self.name), version: self.version, reason }
    }
}

/// The state of a view, and the revision of the last event in it: what [`unchanged_since`](crate::unchanged_since) wants, on the
/// view's selector, of whoever decides by it.
#[doc(alias = "StateViewResult")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewState<T> {
    /// The state; the default one where no event was selected.
    pub data: T,
    /// The revision of the last event that was folded; 0 without any.
    pub revision: Revision,
}

/// A state view of any kind, as it is registered: the type of its state is put away.
///
/// A panic is caught by whoever calls.
pub trait AnyStateView: Send + Sync {
    /// The content type of what it writes, where its definition says none.
    fn content_type(&self) -> &str;

    /// Whether it writes this content type.
    fn speaks(&self, content_type: &str) -> bool;

    /// Begins to fold, from what was rendered before: from `view.content`, or anew where that is none.
    ///
    /// # Errors
    /// [`EvolveError`] when the content cannot be read.
    fn begin<'a>(&'a self, view: &RenderedView) -> Result<Box<dyn ViewFold + 'a>, EvolveError>;
}

/// A fold under way.
pub trait ViewFold {
    /// Folds events in, in order. They may be cut anywhere into calls.
    ///
    /// # Errors
    /// [`EvolveError`] for an event that cannot be.
    fn evolve(&mut self, events: &[Event]) -> Result<(), EvolveError>;

    /// What is to be kept; none for nothing.
    ///
    /// # Errors
    /// [`EvolveError`] when it cannot be written.
    fn finish(self: Box<Self>) -> Result<Option<Bytes>, EvolveError>;
}

/// A state view of this program.
pub(super) struct NativeView<V>(PhantomData<fn() -> V>);

impl<V> NativeView<V> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<V: StateView> AnyStateView for NativeView<V> {
    fn content_type(&self) -> &str {
        V::Codec::CONTENT_TYPE
    }

    fn speaks(&self, content_type: &str) -> bool {
        V::Codec::speaks(content_type)
    }

    fn begin<'a>(&'a self, view: &RenderedView) -> Result<Box<dyn ViewFold + 'a>, EvolveError> {
        let state = view.content.as_deref().map_or_else(|| Ok(V::default()), V::decode)?;
        Ok(Box::new(NativeFold(state)))
    }
}

/// The state of a view of this program, while it is folded.
struct NativeFold<V>(V);

impl<V: StateView> ViewFold for NativeFold<V> {
    fn evolve(&mut self, events: &[Event]) -> Result<(), EvolveError> {
        events.iter().try_for_each(|event| self.0.evolve_event(event).map_err(|error| error.at(event.revision())))
    }

    fn finish(self: Box<Self>) -> Result<Option<Bytes>, EvolveError> {
        Ok(Some(self.0.encode()?.into()))
    }
}
