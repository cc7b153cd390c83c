//! Rendering a state view: from where it was folded to before, or from the start, with the same result.

use super::cache::{Folded, LastFolded, ViewKey};
use super::definition::QueryTemporality;
use super::kept;
use super::reader::ViewParameters;
use super::registry::RegisteredView;
use super::view::{RenderedView, StateView, ViewFold, ViewState};
use crate::state::database::{DatabaseAt, Query};
use crate::vocabulary::condition::panic_message;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::function_error::{EvolveError, ViewError};
use crate::vocabulary::number::Revision;
use crate::vocabulary::selector::Selector;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// How many events are handed to a view's code at once.
const BATCH: usize = 256;

impl DatabaseAt {
    /// A state view of this database, with these values for the parameters of its selector; none where there is no such view.
    ///
    /// Where no event is selected, the content is none and the view's code does not run. Else it is the same whether all events
    /// were folded now, or some of them earlier: what a view rendered is remembered at its revision, within
    /// [`Database::set_view_cache_bytes`](crate::Database::set_view_cache_bytes), and only newer events are folded. It is folded
    /// from the start again at an older revision than that, and when an event has come late to a view in the order of effective
    /// times. Under speculation it goes on from what is there, and nothing of it is remembered.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use stratalog::{
    ///     parameter, Database, DatabaseSource, Event, EventStore, EvolveError, FieldValue, Json, ProspectiveEvent,
    ///     SelectorTemplate, StateView, ViewDefinition,
    /// };
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Balance(i64);
    ///
    /// impl StateView for Balance {
    ///     type Codec = Json;
    ///
    ///     fn evolve_event(&mut self, event: &Event) -> Result<(), EvolveError> {
    ///         self.0 += event.decode::<i64>()?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # fn main() -> stratalog::Result<()> {
    /// let source = DatabaseSource::new("https://events.example", "bank")?;
    /// let database = Database::new(EventStore::in_memory(), source)?;
    /// let of_account = SelectorTemplate::category("accounts") & SelectorTemplate::stream(parameter("account"));
    /// database.register_view::<Balance>("balance", ViewDefinition::new(of_account))?;
    ///
    /// database.transact([ProspectiveEvent::new("accounts", "deposited", &500)?.with_stream("acc-42")])?;
    /// let now = database.latest()?;
    /// let account = [("account", FieldValue::stream("acc-42"))];
    /// let rendered = now.view("balance", 1, account.clone())?;
    /// assert_eq!(rendered.and_then(|view| view.content).as_deref(), Some(&b"500"[..]));
    /// let state = now.view_state::<Balance>("balance", 1, account)?;
    /// assert_eq!(state.map(|state| (state.data.0, state.revision.get())), Some((500, 1)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ViewError::Inactive`], [`ViewError::Bind`], [`ViewError::Evolve`] and [`ViewError::Panicked`] for what its code makes of
    /// the events, [`ViewError::Database`] when they cannot be read.
    pub fn view(
        &self,
        name: &str,
        version: u64,
        parameters: impl Into<ViewParameters>,
    ) -> Result<Option<RenderedView>, ViewError> {
        let Some(view) = self.database().functions().views.get(name, version) else { return Ok(None) };
        if !view.is_active() {
            return Err(ViewError::Inactive { name: view.shared_name(), version });
        }
        let bound = view.definition().selector.bind(parameters.into().pairs());
        let selector = bound.map_err(|source| ViewError::Bind { name: view.shared_name(), version, source })?;
        render(self, &view, selector).map(Some)
    }

    /// The state of a state view, and the revision of the last event in it; the default state where no event is selected, none
    /// where there is no such view.
    ///
    /// # Errors
    /// As [`view`](Self::view); [`ViewError::Content`] when what the view rendered is not a `T`.
    pub fn view_state<T: StateView>(
        &self,
        name: &str,
        version: u64,
        parameters: impl Into<ViewParameters>,
    ) -> Result<Option<ViewState<T>>, ViewError> {
        self.view(name, version, parameters)?.map(|rendered| rendered.state()).transpose()
    }
}

/// A view of a database, whose code may do what it likes: what it panics with becomes an error.
pub(super) fn render(
    database: &DatabaseAt,
    view: &Arc<RegisteredView>,
    selector: Selector,
) -> Result<RenderedView, ViewError> {
    let rendering = Rendering { database, view, selector };
    match catch_unwind(AssertUnwindSafe(|| rendering.folded())) {
        Ok(folded) => Ok(rendering.rendered(&folded?)),
        Err(panic) => {
            // Whatever it was, nothing is gone on from that may have brought it about.
            database.database().functions().cache.forget(&rendering.key());
            let (name, version) = (view.shared_name(), view.version());
            Err(ViewError::Panicked { name, version, message: panic_message(&*panic) })
        }
    }
}

/// One view, to be rendered at one database.
struct Rendering<'a> {
    database: &'a DatabaseAt,
    view: &'a Arc<RegisteredView>,
    selector: Selector,
}

impl Rendering<'_> {
    fn key(&self) -> ViewKey {
        ViewKey {
            registration: self.view.registration,
            selector: self.selector.clone(),
            effective_at: self.database.effective_at(),
        }
    }

    /// All events folded that the database has.
    fn folded(&self) -> Result<Folded, ViewError> {
        if self.database.speculated().is_empty() {
            return self.settled();
        }
        let basis = self.database.at_revision(self.database.basis(), Duration::ZERO)?;
        let before = Rendering { database: &basis, view: self.view, selector: self.selector.clone() }.settled()?;
        self.go_on(before, self.speculated().into_iter().map(Ok))
    }

    /// All events folded that the log has, and remembered.
    fn settled(&self) -> Result<Folded, ViewError> {
        let (functions, at) = (self.database.database().functions(), self.database.revision());
        let (key, store) = (self.key(), self.database.database().store());
        let is_kept = key.effective_at.is_none();
        let load = || is_kept.then(|| kept::load(store, self.view, &self.selector, at)).flatten();
        let before = functions.cache.get(&key, at).or_else(load).unwrap_or_default();
        if before.revision == at.get() {
            return Ok(before);
        }
        let newer = self.query().after(Revision::new(before.revision));
        let mut folded = self.go_on(before, newer)?;
        if is_kept {
            kept::store(store, self.view, &self.selector, &mut folded);
        }
        functions.cache.put(&key, folded.clone());
        Ok(folded)
    }

    /// The events that are selected, in the view's order.
    fn query(&self) -> Query {
        let query = self.database.query(self.selector.clone());
        if self.is_by_effective_time() { query.by_effective_time() } else { query }
    }

    fn is_by_effective_time(&self) -> bool {
        self.view.definition().temporality == QueryTemporality::EffectiveTime
    }

    /// The speculated events that are selected, in the view's order.
    fn speculated(&self) -> Vec<Event> {
        let until = self.database.effective_at();
        let is_meant =
            |event: &&Event| self.selector.matches(*event) && until.is_none_or(|until| event.occurred_at() <= until);
        let mut events: Vec<Event> = self.database.speculated().iter().filter(is_meant).cloned().collect();
        if self.is_by_effective_time() {
            events.sort_by_key(|event| (event.occurred_at(), event.revision()));
        }
        events
    }

    /// Folds events onto what was folded before, or all from the start where that cannot be.
    fn go_on(
        &self,
        before: Folded,
        newer: impl IntoIterator<Item = Result<Event, ReadError>>,
    ) -> Result<Folded, ViewError> {
        let mut newer = newer.into_iter();
        let Some(first) = newer.next().transpose()? else {
            return Ok(Folded { revision: self.database.revision().get(), ..before });
        };
        if !self.is_late(&first, &before) {
            match self.view.code.begin(&self.rendered(&before)) {
                Ok(begun) => return self.fold(before, begun, std::iter::once(Ok(first)).chain(newer)),
                // What was rendered cannot be read any more: it is not missed.
                Err(_) if before.content.is_some() => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        let nothing = Folded::default();
        let begun = self.view.code.begin(&self.rendered(&nothing)).map_err(|error| self.failed(error))?;
        self.fold(nothing, begun, self.query())
    }

    fn fold(
        &self,
        mut folded: Folded,
        mut fold: Box<dyn ViewFold + '_>,
        events: impl IntoIterator<Item = Result<Event, ReadError>>,
    ) -> Result<Folded, ViewError> {
        let mut events = events.into_iter();
        let mut batch = Vec::new();
        loop {
            batch.clear();
            for event in events.by_ref().take(BATCH) {
                batch.push(event?);
            }
            if batch.is_empty() {
                break;
            }
            fold.evolve(&batch).map_err(|error| self.failed(error))?;
            folded.last = LastFolded::after(folded.last.as_ref(), &batch);
            folded.not_kept = folded.not_kept.saturating_add(batch.len() as u64);
        }
        folded.content = fold.finish().map_err(|error| self.failed(error))?;
        folded.revision = self.database.revision().get();
        Ok(folded)
    }

    /// Whether an event, the first of those to be folded, belongs before one that was folded.
    fn is_late(&self, first: &Event, before: &Folded) -> bool {
        self.is_by_effective_time()
            && before.last.as_ref().is_some_and(|last| first.occurred_at() < last.latest_effective)
    }

    fn failed(&self, source: EvolveError) -> ViewError {
        ViewError::Evolve { name: self.view.shared_name(), version: self.view.version(), source }
    }

    /// What was folded, with all that is told of it.
    fn rendered(&self, folded: &Folded) -> RenderedView {
        let last = folded.last.as_ref();
        RenderedView {
            database: self.database.database().name().into(),
            name: self.view.shared_name(),
            version: self.view.version(),
            revision: self.database.revision(),
            recorded_at: self.database.recorded_at(),
            selector: self.selector.clone(),
            last_modified_revision: last.map(|last| last.revision),
            last_modified_at: last.map(|last| last.recorded_at),
            content_type: self.view.shared_content_type(),
            schema: self.view.definition().schema.clone(),
            content: folded.content.clone(),
        }
    }
}
