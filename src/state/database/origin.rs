//! What is kept with a store about its database: name, base URI, and when it was made.

use crate::store::EventStore;
use crate::vocabulary::cloud_event::DatabaseSource;
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::error::AppendError;
use crate::vocabulary::number::Revision;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{SystemRecord, transaction};

/// The namespace of the system records.
const NAMESPACE: &str = "stratalog.database";

/// The record that holds the database's name.
const NAME: &str = "name";

/// The record that holds the base URI of its sources.
const BASE_URI: &str = "base_uri";

/// The record that holds when the log began, where that was before it became a database.
const BEGUN_AT: &str = "begun_at";

/// The id of the transaction that brings the records: so there is one, however many threads make the database at once.
const TRANSACTION: &str = "stratalog.database";

/// What is kept with a store about its database.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) source: DatabaseSource,
    pub(super) created_at: Timestamp,
}

impl Origin {
    /// What is kept with the store, or `None` where it is no database yet.
    ///
    /// # Errors
    /// [`DatabaseError::Record`] for what cannot be understood.
    pub(super) fn of(store: &EventStore) -> Result<Option<Self>, DatabaseError> {
        let Some(name) = text(store, NAME)? else { return Ok(None) };
        let base_uri = text(store, BASE_URI)?.ok_or_else(|| missing(BASE_URI))?;
        let source = DatabaseSource::new(&base_uri, &name)
            .map_err(|error| DatabaseError::Record { key: BASE_URI, found: error.to_string() })?;
        let created_at = match text(store, BEGUN_AT)? {
            Some(begun) => begun
                .parse()
                .map_err(|_| DatabaseError::Record { key: BEGUN_AT, found: format!("{begun:?}, which is no time") })?,
            None => store.transaction(TRANSACTION)?.ok_or_else(|| missing(TRANSACTION))?.recorded_at(),
        };
        Ok(Some(Self { source, created_at }))
    }

    /// Makes a store the database of this source, unless it is one already: then what is kept, whoever it is of.
    ///
    /// # Errors
    /// [`DatabaseError::Append`], [`DatabaseError::Read`], [`DatabaseError::Record`].
    pub(super) fn of_or_new(store: &EventStore, source: &DatabaseSource) -> Result<Self, DatabaseError> {
        if let Some(known) = Self::of(store)? {
            return Ok(known);
        }
        // A log that had transactions before was there from the first of them on.
        let begun_at = store.transactions(Revision::EMPTY)?.next().transpose()?.map(|first| first.recorded_at());
        let mut records = transaction()
            .id(TRANSACTION)
            .record(SystemRecord::set(NAMESPACE, NAME, source.database().to_owned()))
            .record(SystemRecord::set(NAMESPACE, BASE_URI, source.base_uri().to_owned()));
        if let Some(begun_at) = begun_at {
            records = records.record(SystemRecord::set(NAMESPACE, BEGUN_AT, begun_at.to_string()));
        }
        match store.append(records) {
            Ok(receipt) => {
                Ok(Self { source: source.clone(), created_at: begun_at.unwrap_or_else(|| receipt.recorded_at()) })
            }
            // Another handle was faster, with other words.
            Err(error @ AppendError::DuplicateTransaction { .. }) => Self::of(store)?.ok_or(error.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A record's text.
fn text(store: &EventStore, key: &'static str) -> Result<Option<String>, DatabaseError> {
    let Some(bytes) = store.record(NAMESPACE, key)? else { return Ok(None) };
    let text = String::from_utf8(bytes.to_vec());
    text.map(Some).map_err(|_| DatabaseError::Record { key, found: "bytes that are not UTF-8".into() })
}

fn missing(key: &'static str) -> DatabaseError {
    DatabaseError::Record { key, found: "nothing, though the name is there".into() }
}
