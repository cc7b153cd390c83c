//! Why a database refuses what it is asked, or cannot be had.

use super::cloud_event::{DatabaseSource, InvalidSource};
use super::error::{AppendError, Error, IoFailure, OpenError, ReadError, Retry};
use super::number::Revision;
use super::strict::InvalidName;
use super::time::Timestamp;
use super::transaction_error::TransactionError;
use std::sync::Arc;
use std::time::Duration;

/// Why a database refuses what it is asked, or cannot be had. [`DatabaseError::retry`] says what a retry takes.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The transaction is refused: all that is wrong with it.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The store did not append, for a reason of its own.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store could not be opened; [`OpenError::AlreadyOpen`] where it is open elsewhere.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Base URI and name are no source of events.
    #[error(transparent)]
    Source(#[from] InvalidSource),
    /// The name is outside the rules for names of databases.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// There is no database of this name.
    #[error("there is no database {name:?}")]
    NotFound {
        /// The name.
        name: Arc<str>,
    },
    /// There was no database of this name yet.
    #[doc(alias = "NotFound")]
    #[error("the database {name:?} was made at {created_at}, and there was none at {asked}")]
    NotCreated {
        /// The name.
        name: Arc<str>,
        /// When it was made.
        created_at: Timestamp,
        /// The time asked for.
        asked: Timestamp,
    },
    /// There is a database of this name, or something else in its place.
    #[error("there is a database {name:?} already, or something else in its place")]
    AlreadyExists {
        /// The name.
        name: Arc<str>,
    },
    /// The database did not reach a revision in time.
    #[doc(alias = "Timeout")]
    #[error("the database {name:?} is at revision {at}, and did not reach {wanted} within {waited:?}")]
    TimedOut {
        /// The name.
        name: Arc<str>,
        /// Where it is.
        at: Revision,
        /// What was waited for.
        wanted: Revision,
        /// For how long.
        waited: Duration,
    },
    /// The store is of a database with another name or another base URI.
    #[error("the store is that of {stored}, and not of {given}")]
    OtherSource {
        /// What is kept with the store.
        stored: DatabaseSource,
        /// What was asked for.
        given: DatabaseSource,
    },
    /// What is kept with the store about its database cannot be read.
    #[error("the system record {key} of the database cannot be read: {found}")]
    Record {
        /// The record's key.
        key: &'static str,
        /// What it holds, or what is wrong with it.
        found: String,
    },
}

impl DatabaseError {
    /// Whether a retry is safe, and what it takes.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Transaction(error) => error.retry(),
            Self::Append(error) => error.retry(),
            Self::Read(error) => error.retry(),
            Self::Open(error) => Error::from(error.clone()).retry(),
            Self::TimedOut { .. } => Retry::Safe,
            Self::Source(_)
            | Self::Name(_)
            | Self::NotFound { .. }
            | Self::NotCreated { .. }
            | Self::AlreadyExists { .. }
            | Self::OtherSource { .. }
            | Self::Record { .. } => Retry::Never,
        }
    }

    /// Whether another appender was faster: a condition no longer holds.
    #[doc(alias = "ConcurrentWriteCollision")]
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Append(error) if error.is_conflict())
            || matches!(self, Self::Transaction(TransactionError::UnmetConditions(_)))
    }

    /// Whether a transaction may or may not have happened.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Append(error) if error.is_unknown())
    }

    /// Whether the store takes no more appends until it is reopened.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        matches!(self, Self::Append(error) if error.is_poisoned())
            || matches!(self, Self::Read(ReadError::Poisoned { .. }))
    }
}

impl From<IoFailure> for DatabaseError {
    fn from(failure: IoFailure) -> Self {
        Self::Open(OpenError::Io(failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::append_condition::must_exist;
    use crate::vocabulary::selector::Selector;

    #[test]
    fn an_error_keeps_its_meaning_in_the_umbrella() {
        let unmet = must_exist(Selector::name("opened")).judge(None).unwrap_err();
        let conflict = DatabaseError::from(TransactionError::UnmetConditions(vec![unmet.clone()]));
        assert!(conflict.is_conflict() && Error::from(conflict.clone()).is_conflict());
        assert_eq!(Error::from(conflict).retry(), Retry::AfterReading);
        assert!(DatabaseError::from(AppendError::UnmetConditions(vec![unmet])).is_conflict());
        let unknown = DatabaseError::from(AppendError::Unknown { waited: Duration::ZERO });
        assert!(unknown.is_unknown() && Error::from(unknown).is_unknown());
        let poisoned = DatabaseError::from(AppendError::Poisoned { cause: "disk".into(), unknown: false });
        assert!(poisoned.is_poisoned() && Error::from(poisoned).is_poisoned());
        let open = DatabaseError::from(OpenError::AlreadyOpen { path: "bank".into(), process: Some(7) });
        assert_eq!((open.retry(), Error::from(open).retry()), (Retry::Safe, Retry::Safe));
        let missing = DatabaseError::NotFound { name: "bank".into() };
        assert_eq!((missing.retry(), missing.is_conflict()), (Retry::Never, false));
    }
}
