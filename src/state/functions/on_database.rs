//! The database's face for state views and state changes: registering, listing, switching, refreshing; and what user code sees.

use super::change::{AnyStateChange, DecideResult, NativeChange, StateChange, StateChangeMetadata};
use super::command::Command;
use super::definition::{ChangeDefinition, Maintenance, ViewDefinition};
use super::reader::{DatabaseReader, EventQuery, QueryRange, ViewParameters};
use super::registry::{RegisteredChange, RegisteredView};
use super::render::render;
use super::view::{AnyStateView, NativeView, RenderedView, StateView};
use crate::state::database::{Database, DatabaseAt};
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::Result;
use crate::vocabulary::function_error::{RegisterError, ViewError};
use crate::vocabulary::number::Revision;
use crate::vocabulary::prospective_event::ProspectiveEvent;
use crate::vocabulary::selector::FieldValue;
use crate::vocabulary::time::Timestamp;
use std::sync::Arc;

/// What [`Database::refresh_views`] did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RefreshedViews {
    /// Up to which revision.
    pub revision: Option<Revision>,
    /// How many were rendered, each with each of its bindings.
    pub rendered: u64,
    /// Those that failed.
    pub failed: Vec<ViewError>,
}

/// State views and state changes. They are registered on a handle and its clones, by each program whenever it starts.
impl Database {
    /// Registers a state view of this program, and gives its version.
    ///
    /// # Errors
    /// [`RegisterError`]: the name, the version, the selector's parameters, or a content type that the view does not write.
    pub fn register_view<V: StateView>(&self, name: &str, definition: ViewDefinition) -> Result<u64, RegisterError> {
        self.functions().register_view(name, definition, Arc::new(NativeView::<V>::new()))
    }

    /// Registers a state view of any kind, and gives its version.
    ///
    /// # Errors
    /// As [`register_view`](Self::register_view).
    pub fn register_view_with(
        &self,
        name: &str,
        definition: ViewDefinition,
        code: impl AnyStateView + 'static,
    ) -> Result<u64, RegisterError> {
        self.functions().register_view(name, definition, Arc::new(code))
    }

    /// Registers a state change of this program, and gives its version.
    ///
    /// # Errors
    /// [`RegisterError`]: the name or the version.
    pub fn register_change<C: StateChange>(
        &self,
        name: &str,
        definition: ChangeDefinition,
    ) -> Result<u64, RegisterError> {
        self.functions().register_change(name, definition, Arc::new(NativeChange::<C>::new()))
    }

    /// Registers a function or closure as a state change, and gives its version.
    ///
    /// ```
    /// use stratalog::{Catalog, ChangeDefinition, Decision, StateChangeError, StateChangeRequest};
    ///
    /// # fn main() -> stratalog::Result<()> {
    /// let bank = Catalog::in_memory().create("bank")?;
    /// bank.register_change_fn("check", ChangeDefinition::new(), |database, command, metadata| {
    ///     if metadata.header("x-role") != Some("teller") {
    ///         return Err(StateChangeError::unauthorized(format!("no {} for you", metadata.name)));
    ///     }
    ///     let category: String = command.parse()?;
    ///     let found = database.query(stratalog::Selector::category(category))?;
    ///     if found.is_empty() { Ok(Decision::new()) } else { Err(StateChangeError::conflict("it is in use")) }
    /// })?;
    /// let request = StateChangeRequest::new().json("accounts")?;
    /// assert!(bank.execute_state_change("check", 1, &request).is_err());
    /// assert!(bank.execute_state_change("check", 1, &request.header("X-Role", "teller")).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`register_change`](Self::register_change).
    pub fn register_change_fn<F>(
        &self,
        name: &str,
        definition: ChangeDefinition,
        decide: F,
    ) -> Result<u64, RegisterError>
    where
        F: Fn(&dyn DatabaseReader, &Command, &StateChangeMetadata) -> DecideResult + Send + Sync + 'static,
    {
        self.functions().register_change(name, definition, Arc::new(decide))
    }

    /// Registers a state change of any kind, and gives its version.
    ///
    /// # Errors
    /// As [`register_change`](Self::register_change).
    pub fn register_change_with(
        &self,
        name: &str,
        definition: ChangeDefinition,
        code: impl AnyStateChange + 'static,
    ) -> Result<u64, RegisterError> {
        self.functions().register_change(name, definition, Arc::new(code))
    }

    /// The state views, in order of names and versions; those that are switched off among them.
    #[doc(alias = "list_state_views")]
    #[must_use]
    pub fn state_views(&self) -> Vec<Arc<RegisteredView>> {
        self.functions().views.all()
    }

    /// The state changes, in order of names and versions; those that are switched off among them.
    #[doc(alias = "list_state_changes")]
    #[must_use]
    pub fn state_changes(&self) -> Vec<Arc<RegisteredChange>> {
        self.functions().changes.all()
    }

    /// Switches a state view on or off. One that is off is refused to who asks for it.
    ///
    /// # Errors
    /// [`RegisterError::NotFound`].
    pub fn set_view_active(&self, name: &str, version: u64, active: bool) -> Result<(), RegisterError> {
        self.functions().views.find(name, version)?.set_active(active);
        Ok(())
    }

    /// Switches a state change on or off. One that is off is refused to who asks for it.
    ///
    /// # Errors
    /// [`RegisterError::NotFound`].
    pub fn set_change_active(&self, name: &str, version: u64, active: bool) -> Result<(), RegisterError> {
        self.functions().changes.find(name, version)?.set_active(active);
        Ok(())
    }

    /// Sets how many bytes of rendered views are remembered in memory; the least recently used go first. Default: 64 MiB. With 0
    /// nothing is, and every view is folded from the start.
    pub fn set_view_cache_bytes(&self, bytes: u64) {
        self.functions().cache.set_budget(bytes);
    }

    /// How many bytes of rendered views are remembered, about.
    #[must_use]
    pub fn view_cache_bytes(&self) -> u64 {
        self.functions().cache.bytes()
    }

    /// Brings all eager state views up to now, those of lower priority first: so who asks for one later finds little to fold. One
    /// with parameters is brought up for the values that are remembered. A view that fails keeps no other from it.
    ///
    /// # Errors
    /// [`DatabaseError::Read`].
    pub fn refresh_views(&self) -> Result<RefreshedViews, DatabaseError> {
        let mut eager: Vec<(u8, Arc<RegisteredView>)> =
            self.state_views().into_iter().filter_map(|view| Some((priority(&view)?, view))).collect();
        eager.sort_by_key(|(priority, _)| *priority);
        let now = self.latest()?;
        let mut refreshed = RefreshedViews { revision: Some(now.revision()), ..RefreshedViews::default() };
        for (_, view) in eager {
            let template = &view.definition().selector;
            let selectors = match template.bind(NONE) {
                Ok(selector) => vec![selector],
                Err(_) => self.functions().cache.selectors(view.registration),
            };
            for selector in selectors {
                match render(&now, &view, selector) {
                    Ok(_) => refreshed.rendered += 1,
                    Err(error) => refreshed.failed.push(error),
                }
            }
        }
        Ok(refreshed)
    }
}

/// No values for parameters.
const NONE: [(&str, FieldValue); 0] = [];

/// The priority of an eager view that is switched on.
fn priority(view: &RegisteredView) -> Option<u8> {
    match view.definition().maintenance {
        Maintenance::Eager { priority } if view.is_active() => Some(priority),
        _ => None,
    }
}

impl DatabaseReader for DatabaseAt {
    fn name(&self) -> &str {
        self.database().name()
    }

    fn created_at(&self) -> Timestamp {
        self.database().created_at()
    }

    fn revision(&self) -> Revision {
        self.revision()
    }

    fn recorded_at(&self) -> Timestamp {
        self.recorded_at()
    }

    fn effective_at(&self) -> Option<Timestamp> {
        self.effective_at()
    }

    fn speculated_event_count(&self) -> u64 {
        self.speculated().len() as u64
    }

    fn at_effective_timestamp(&self, time: Timestamp) -> Box<dyn DatabaseReader> {
        Box::new(self.at_effective_timestamp(time))
    }

    fn speculate_with(&self, events: Vec<ProspectiveEvent>) -> Result<Box<dyn DatabaseReader>> {
        Ok(Box::new(self.speculate(events)?))
    }

    fn query_events(&self, query: &EventQuery) -> Result<Vec<Event>> {
        let mut asked = self.query(query.selector.clone());
        match query.range {
            QueryRange::Revision { start_at } => {
                if let Some(revision) = start_at {
                    asked = asked.from(revision);
                }
            }
            QueryRange::EffectiveTime { start_at, end_at } => {
                asked = asked.by_effective_time();
                if let Some((time, revision)) = start_at {
                    asked = asked.effective_from(time, revision);
                }
                if let Some(time) = end_at {
                    asked = asked.effective_until(time);
                }
            }
        }
        if query.is_reverse {
            asked = asked.reverse();
        }
        if let Some(limit) = query.limit {
            asked = asked.limit(u64::from(limit));
        }
        Ok(asked.read()?)
    }

    fn rendered_view(&self, name: &str, version: u64, parameters: &ViewParameters) -> Result<Option<RenderedView>> {
        Ok(self.view(name, version, parameters)?)
    }
}
