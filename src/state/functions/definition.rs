//! Definitions: what a state view or a state change is registered with, beside its code.

use crate::vocabulary::selector::SelectorTemplate;
use std::sync::Arc;

/// How a state view is registered: which events it folds, in which order, and how what it renders is kept.
///
/// ```
/// use stratalog::{parameter, QueryTemporality, SelectorTemplate, ViewDefinition};
///
/// let of_account = SelectorTemplate::category("accounts") & SelectorTemplate::stream(parameter("account"));
/// let definition = ViewDefinition::new(of_account)
///     .description("what is in an account")
///     .temporality(QueryTemporality::EffectiveTime);
/// assert_eq!(definition.selector.parameters().count(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewDefinition {
    /// What it is for, in words. Default: empty.
    pub description: Arc<str>,
    /// Which events it folds; what is bound to its parameters is said when the view is asked for.
    pub selector: SelectorTemplate,
    /// In which order. Default: that of the log.
    pub temporality: QueryTemporality,
    /// What its content is. Default: what the view's code writes.
    pub content_type: Option<Arc<str>>,
    /// The schema of its content, as a URI. Default: none.
    pub schema: Option<Arc<str>>,
    /// When it is rendered. Default: when it is asked for.
    pub maintenance: Maintenance,
    /// What makes rendered views survive a restart. Default: nothing does.
    pub kept: Option<KeptViews>,
    /// The version to register it with. Default: the one after the greatest of its name, 1 for the first.
    pub version: Option<u64>,
    /// Where its source code is, as a URI. Default: none.
    pub source_code: Option<Arc<str>>,
    /// Whether it can be asked for. Default: yes.
    pub is_active: bool,
}

/// In which order a state view folds its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryTemporality {
    /// That of the log, also at an effective time.
    #[default]
    Revision,
    /// That of their effective times; those of one time, that of the log. An event that comes late is folded where it belongs.
    #[doc(alias = "effective_timestamp")]
    EffectiveTime,
}

/// When a state view is rendered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Maintenance {
    /// When it is asked for.
    #[default]
    Lazy,
    /// At every [`Database::refresh_views`](crate::Database::refresh_views) too. One with parameters, for those values that it
    /// was asked for with, as long as the cache has them.
    Eager {
        /// Lower ones go first.
        priority: u8,
    },
}

/// What makes rendered views survive a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptViews {
    /// Names the code: what other code rendered is not gone on from.
    pub code: Arc<str>,
    /// How many events are folded between two times that it is kept, at least.
    pub every: u64,
}

impl ViewDefinition {
    /// A view of the events that a selector selects, which may have parameters.
    #[must_use]
    pub fn new(selector: impl Into<SelectorTemplate>) -> Self {
        Self {
            description: Arc::from(""),
            selector: selector.into(),
            temporality: QueryTemporality::default(),
            content_type: None,
            schema: None,
            maintenance: Maintenance::default(),
            kept: None,
            version: None,
            source_code: None,
            is_active: true,
        }
    }

    /// Sets [`ViewDefinition::description`].
    #[must_use]
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets [`ViewDefinition::temporality`].
    #[must_use]
    pub fn temporality(mut self, temporality: QueryTemporality) -> Self {
        self.temporality = temporality;
        self
    }

    /// Sets [`ViewDefinition::content_type`], which the view's code must write.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<Arc<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets [`ViewDefinition::schema`].
    #[must_use]
    pub fn schema(mut self, schema: impl Into<Arc<str>>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Makes the view an eager one: lower priorities go first.
    #[must_use]
    pub fn eager(mut self, priority: u8) -> Self {
        self.maintenance = Maintenance::Eager { priority };
        self
    }

    /// Keeps what the view renders with the store, so that it is gone on from after a restart: whenever `every` events were
    /// folded since it was last kept, as a system record that counts as no event. Only up to 64 KiB of content, and not at an
    /// effective time or under speculation.
    ///
    /// The store cannot see whether the view's code has changed. `code` names it, and what other code has kept is not looked at:
    /// a version of your program will do, or anything that changes whenever the code does.
    #[must_use]
    pub fn kept(mut self, code: impl Into<Arc<str>>, every: u64) -> Self {
        self.kept = Some(KeptViews { code: code.into(), every: every.max(1) });
        self
    }

    /// Sets [`ViewDefinition::version`].
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets [`ViewDefinition::source_code`].
    #[must_use]
    pub fn source_code(mut self, uri: impl Into<Arc<str>>) -> Self {
        self.source_code = Some(uri.into());
        self
    }

    /// Registers the view switched off.
    #[must_use]
    pub fn inactive(mut self) -> Self {
        self.is_active = false;
        self
    }
}

/// How a state change is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeDefinition {
    /// What it is for, in words. Default: empty.
    pub description: Arc<str>,
    /// The version to register it with. Default: the one after the greatest of its name, 1 for the first.
    pub version: Option<u64>,
    /// Where its source code is, as a URI. Default: none.
    pub source_code: Option<Arc<str>>,
    /// Whether it can be executed. Default: yes.
    pub is_active: bool,
}

impl Default for ChangeDefinition {
    fn default() -> Self {
        Self::new()
    }
}

impl ChangeDefinition {
    /// The next version, active, without a description.
    #[must_use]
    pub fn new() -> Self {
        Self { description: Arc::from(""), version: None, source_code: None, is_active: true }
    }

    /// Sets [`ChangeDefinition::description`].
    #[must_use]
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets [`ChangeDefinition::version`].
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets [`ChangeDefinition::source_code`].
    #[must_use]
    pub fn source_code(mut self, uri: impl Into<Arc<str>>) -> Self {
        self.source_code = Some(uri.into());
        self
    }

    /// Registers the state change switched off.
    #[must_use]
    pub fn inactive(mut self) -> Self {
        self.is_active = false;
        self
    }
}
