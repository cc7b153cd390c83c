//! Which state views and state changes a database has, by name and version.

use super::cache::ViewCache;
use super::change::AnyStateChange;
use super::definition::{ChangeDefinition, ViewDefinition};
use super::view::AnyStateView;
use crate::vocabulary::function_error::RegisterError;
use crate::vocabulary::selector::EventField;
use crate::vocabulary::strict;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The state views and state changes of a database. They are code: each program registers its own whenever it starts.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    pub(super) views: Shelf<RegisteredView>,
    pub(super) changes: Shelf<RegisteredChange>,
    pub(super) cache: ViewCache,
    registrations: AtomicU64,
}

impl Functions {
    /// Registers a view, and gives its version.
    pub(super) fn register_view(
        &self,
        name: &str,
        definition: ViewDefinition,
        code: Arc<dyn AnyStateView>,
    ) -> Result<u64, RegisterError> {
        strict::identifier("state view", name)?;
        let name: Arc<str> = name.into();
        let checked = definition.selector.check();
        checked.map_err(|source| RegisterError::Selector { name: Arc::clone(&name), source })?;
        let content_type = definition.content_type.clone().unwrap_or_else(|| code.content_type().into());
        if !code.speaks(&content_type) {
            let written = code.content_type().to_owned();
            return Err(RegisterError::ContentType { name, declared: content_type, written });
        }
        let registration = self.registrations.fetch_add(1, Ordering::Relaxed);
        self.views.add(Arc::clone(&name), definition.version, |version| RegisteredView {
            name,
            version,
            content_type,
            is_active: AtomicBool::new(definition.is_active),
            definition,
            registration,
            code,
        })
    }

    /// Registers a state change, and gives its version.
    pub(super) fn register_change(
        &self,
        name: &str,
        definition: ChangeDefinition,
        code: Arc<dyn AnyStateChange>,
    ) -> Result<u64, RegisterError> {
        strict::identifier("state change", name)?;
        let name: Arc<str> = name.into();
        self.changes.add(Arc::clone(&name), definition.version, |version| RegisteredChange {
            name,
            version,
            is_active: AtomicBool::new(definition.is_active),
            definition,
            code,
        })
    }
}

/// Things by version.
type Versions<T> = BTreeMap<u64, Arc<T>>;

/// Things by name and version.
pub(super) struct Shelf<T>(RwLock<BTreeMap<Arc<str>, Versions<T>>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }
}

impl<T: fmt::Debug> fmt::Debug for Shelf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

impl<T> Shelf<T> {
    /// The thing of this name and version.
    pub(super) fn get(&self, name: &str, version: u64) -> Option<Arc<T>> {
        self.0.read().get(name)?.get(&version).cloned()
    }

    /// The same, or an error that says that there is none.
    pub(super) fn find(&self, name: &str, version: u64) -> Result<Arc<T>, RegisterError> {
        self.get(name, version).ok_or_else(|| RegisterError::NotFound { name: name.into(), version })
    }

    /// All, in order of names and versions.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.0.read().values().flat_map(BTreeMap::values).cloned().collect()
    }

    /// Adds a thing with this version, or with the one after the greatest.
    fn add(&self, name: Arc<str>, version: Option<u64>, make: impl FnOnce(u64) -> T) -> Result<u64, RegisterError> {
        let mut shelf = self.0.write();
        let versions = shelf.get(&name);
        let last = versions.and_then(|versions| versions.last_key_value()).map_or(0, |(last, _)| *last);
        // After the greatest number there is none: 0, which is none either.
        let version = version.unwrap_or(last.wrapping_add(1));
        if version == 0 {
            return Err(RegisterError::InvalidVersion { name, version });
        }
        if versions.is_some_and(|versions| versions.contains_key(&version)) {
            return Err(RegisterError::AlreadyRegistered { name, version });
        }
        shelf.entry(name).or_default().insert(version, Arc::new(make(version)));
        Ok(version)
    }
}

/// A state view of a database.
pub struct RegisteredView {
    name: Arc<str>,
    version: u64,
    definition: ViewDefinition,
    content_type: Arc<str>,
    is_active: AtomicBool,
    /// Which registration of this database in this process it is.
    pub(super) registration: u64,
    pub(super) code: Arc<dyn AnyStateView>,
}

/// A state change of a database.
pub struct RegisteredChange {
    name: Arc<str>,
    version: u64,
    definition: ChangeDefinition,
    is_active: AtomicBool,
    pub(super) code: Arc<dyn AnyStateChange>,
}

/// What both have: `registered!(type, type of its definition)`.
macro_rules! registered {
    ($registered:ident, $definition:ty) => {
        impl $registered {
            /// Its name.
            #[must_use]
            pub fn name(&self) -> &str {
                &self.name
            }

            /// Its version.
            #[must_use]
            pub fn version(&self) -> u64 {
                self.version
            }

            /// What it was registered with.
            #[must_use]
            pub fn definition(&self) -> &$definition {
                &self.definition
            }

            /// Whether it can be asked for now.
            #[must_use]
            pub fn is_active(&self) -> bool {
                self.is_active.load(Ordering::Relaxed)
            }

            /// Switches it on or off.
            pub(super) fn set_active(&self, active: bool) {
                self.is_active.store(active, Ordering::Relaxed);
            }

            /// Its name, shared.
            pub(super) fn shared_name(&self) -> Arc<str> {
                Arc::clone(&self.name)
            }
        }

        impl fmt::Debug for $registered {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($registered))
                    .field("name", &self.name)
                    .field("version", &self.version)
                    .field("definition", &self.definition)
                    .field("is_active", &self.is_active())
                    .finish_non_exhaustive()
            }
        }
    };
}

registered!(RegisteredView, ViewDefinition);
registered!(RegisteredChange, ChangeDefinition);

impl RegisteredView {
    /// What its content is.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Its parameters, each once, with what is to be bound to them.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, EventField)> {
        self.definition.selector.parameters()
    }

    /// What its content is, shared.
    pub(super) fn shared_content_type(&self) -> Arc<str> {
        Arc::clone(&self.content_type)
    }
}
