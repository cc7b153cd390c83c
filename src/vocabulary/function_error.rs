//! Why state views and state changes fail: what user code says in its own words, and what the database says around it.

use super::append_condition::AppendConditionError;
use super::database_error::DatabaseError;
use super::error::{Error, ReadError, Retry};
use super::number::Revision;
use super::payload::PayloadError;
use super::selector::{BindError, SelectorError};
use super::strict::InvalidName;
use std::fmt;
use std::sync::Arc;

/// Why a command's body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandParseError {
    /// The command has no body.
    #[error("the command has no body")]
    NoBody,
    /// The body is neither JSON nor MessagePack, nor what the codec asked for reads.
    #[error("a command in {found:?} cannot be read: its content type is not supported")]
    UnsupportedContentType {
        /// The command's content type.
        found: String,
    },
    /// The body is not what is wanted.
    #[error("the command cannot be read: {reason}")]
    DeserializationFailed {
        /// In the codec's own words.
        reason: String,
    },
}

/// Why a state change says no, or cannot say. What user code returns: a kind, and a text for whoever asked.
///
/// ```
/// use stratalog::StateChangeError;
///
/// let refused = StateChangeError::validation("the amount must be positive");
/// assert_eq!(refused.message(), "the amount must be positive");
/// assert_eq!(refused.to_string(), "invalid: the amount must be positive");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateChangeError {
    /// The command is no good, whatever the database holds; also a body that cannot be read.
    #[error("invalid: {0}")]
    Validation(String),
    /// What the command is about is not there.
    #[error("not found: {0}")]
    NotFound(String),
    /// What the database holds does not allow it: a conflict of business, not of two appenders.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Whoever asks may not.
    #[error("unauthorized: {0}")]
    Unauthorized(String),
    /// Anything else, also an error of the database met while deciding.
    #[error("internal error: {0}")]
    Internal(String),
}

impl StateChangeError {
    /// The command is no good.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::Validation(message.into())
    }

    /// What the command is about is not there.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    /// What the database holds does not allow it.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }

    /// Whoever asks may not.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::Unauthorized(message.into())
    }

    /// Anything else.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// The text, without the kind.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Validation(message)
            | Self::NotFound(message)
            | Self::Conflict(message)
            | Self::Unauthorized(message)
            | Self::Internal(message) => message,
        }
    }
}

impl From<CommandParseError> for StateChangeError {
    fn from(error: CommandParseError) -> Self {
        Self::Validation(error.to_string())
    }
}

/// Errors of the library that `decide` may pass on with `?`: none is the caller's fault.
macro_rules! internal {
    ($($error:ty),*) => {$(
        impl From<$error> for StateChangeError {
            fn from(error: $error) -> Self {
                Self::Internal(error.to_string())
            }
        }
    )*};
}

internal!(Error, DatabaseError, ReadError, ViewError, PayloadError, AppendConditionError, BindError, SelectorError);

/// Why a state view cannot take an event, or why its state cannot be written or read. What user code returns.
///
/// A view that does not care about an event passes over it; this is for events that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct EvolveError {
    /// Why, in words.
    pub reason: String,
    /// The revision of the event that it was about, where that is known.
    pub revision: Option<Revision>,
}

impl EvolveError {
    /// For this reason: a text, or an error.
    #[must_use]
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), revision: None }
    }

    /// The same, about the event at this revision.
    #[must_use]
    pub fn at(mut self, revision: Revision) -> Self {
        self.revision.get_or_insert(revision);
        self
    }
}

impl From<PayloadError> for EvolveError {
    fn from(error: PayloadError) -> Self {
        Self::new(error)
    }
}

impl From<String> for EvolveError {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}

impl From<&str> for EvolveError {
    fn from(reason: &str) -> Self {
        Self::new(reason)
    }
}

/// Why a state view could not be rendered. Views only read: nothing was written.
#[doc(alias = "StateViewError")]
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The view is registered and switched off.
    #[error("version {version} of the state view {name:?} is not active")]
    Inactive {
        /// The view's name.
        name: Arc<str>,
        /// Its version.
        version: u64,
    },
    /// The parameters given are not those of the view's selector.
    #[error("version {version} of the state view {name:?}: {source}")]
    Bind {
        /// The view's name.
        name: Arc<str>,
        /// Its version.
        version: u64,
        /// Which parameter, and what is wrong with it.
        source: BindError,
    },
    /// The view cannot take an event.
    #[error("version {version} of the state view {name:?} failed: {source}{}", At(source.revision))]
    Evolve {
        /// The view's name.
        name: Arc<str>,
        /// Its version.
        version: u64,
        /// Why, in the view's own words.
        source: EvolveError,
    },
    /// The view's code panicked. The store is untouched, and the next call works.
    #[error("version {version} of the state view {name:?} panicked: {message}")]
    Panicked {
        /// The view's name.
        name: Arc<str>,
        /// Its version.
        version: u64,
        /// The panic's message.
        message: String,
    },
    /// A rendered view is not what it is to be read as.
    #[error("what version {version} of the state view {name:?} rendered cannot be read: {reason}")]
    Content {
        /// The view's name.
        name: Arc<str>,
        /// Its version.
        version: u64,
        /// In the codec's own words.
        reason: String,
    },
    /// The database could not be asked.
    #[error(transparent)]
    Database(Box<DatabaseError>),
}

/// Which event something is about, if that is known.
struct At(Option<Revision>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |revision| write!(f, " (at the event of revision {revision})"))
    }
}

impl ViewError {
    /// Whether rendering again can succeed, and what it takes.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Database(error) => error.retry(),
            Self::Inactive { .. }
            | Self::Bind { .. }
            | Self::Evolve { .. }
            | Self::Panicked { .. }
            | Self::Content { .. } => Retry::Never,
        }
    }
}

impl From<DatabaseError> for ViewError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(Box::new(error))
    }
}

impl From<ReadError> for ViewError {
    fn from(error: ReadError) -> Self {
        DatabaseError::from(error).into()
    }
}

/// Why a state change was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// There is no such state change.
    #[error("there is no version {version} of a state change {name:?}")]
    NotFound {
        /// The name that was asked for.
        name: Arc<str>,
        /// The version.
        version: u64,
    },
    /// The state change is registered and switched off.
    #[error("version {version} of the state change {name:?} is not active")]
    Inactive {
        /// The state change's name.
        name: Arc<str>,
        /// Its version.
        version: u64,
    },
    /// It decided against the command. Nothing was written.
    #[error(transparent)]
    Refused(#[from] StateChangeError),
    /// Its code panicked. Nothing was written, and the next call works.
    #[error("version {version} of the state change {name:?} panicked: {message}")]
    Panicked {
        /// The state change's name.
        name: Arc<str>,
        /// Its version.
        version: u64,
        /// The panic's message.
        message: String,
    },
    /// Its code came to no decision. Nothing was written, and the next call works.
    #[doc(alias = "ExecutionError")]
    #[error("version {version} of the state change {name:?} failed: {reason}")]
    Failed {
        /// The state change's name.
        name: Arc<str>,
        /// Its version.
        version: u64,
        /// Why, in words.
        reason: String,
    },
    /// The database could not be asked, or did not take what was decided.
    #[error(transparent)]
    Database(Box<DatabaseError>),
}

impl ExecuteError {
    /// Whether another appender was faster than this decision, each time that it was made: a condition no longer held.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_conflict())
    }

    /// Whether a retry is safe, and what it takes.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Database(error) => error.retry(),
            Self::Refused(StateChangeError::NotFound(_) | StateChangeError::Conflict(_)) => Retry::AfterReading,
            Self::NotFound { .. }
            | Self::Inactive { .. }
            | Self::Refused(_)
            | Self::Panicked { .. }
            | Self::Failed { .. } => Retry::Never,
        }
    }
}

impl From<DatabaseError> for ExecuteError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(Box::new(error))
    }
}

impl From<ReadError> for ExecuteError {
    fn from(error: ReadError) -> Self {
        DatabaseError::from(error).into()
    }
}

/// Why a state view or a state change cannot be registered, or switched on or off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name is outside the rules: a letter, then 1 to 127 of a-z A-Z 0-9 - _ .
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Versions begin at 1, and none is left after the greatest.
    #[error("{name:?} cannot have a version {version}")]
    InvalidVersion {
        /// The name.
        name: Arc<str>,
        /// The version that was asked for, or that would be the next.
        version: u64,
    },
    /// There is one of this name and version already.
    #[error("there is a version {version} of {name:?} already")]
    AlreadyRegistered {
        /// The name.
        name: Arc<str>,
        /// The version.
        version: u64,
    },
    /// There is none of this name and version.
    #[error("there is no version {version} of {name:?}")]
    NotFound {
        /// The name.
        name: Arc<str>,
        /// The version.
        version: u64,
    },
    /// The view's selector is too big, or nothing could be bound to one of its parameters.
    #[error("the selector of the state view {name:?}: {source}")]
    Selector {
        /// The view's name.
        name: Arc<str>,
        /// What is wrong.
        source: SelectorError,
    },
    /// The view's code does not write the content type that its definition says.
    #[error("the state view {name:?} is to be {declared:?}, and its code writes {written:?}")]
    ContentType {
        /// The view's name.
        name: Arc<str>,
        /// What the definition says.
        declared: Arc<str>,
        /// What the code writes.
        written: String,
    },
}
