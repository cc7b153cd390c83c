//! Catalogs: many databases by their names, in a directory or in memory.

mod directory;

use super::handle::Database;
use crate::adapters::memory::MemoryAdapter;
use crate::store::EventStore;
use crate::vocabulary::cloud_event::DatabaseSource;
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::options::{OpenMode, Options};
use crate::vocabulary::strict;
use directory::Directory;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The base URI of databases whose catalog was given none.
const DEFAULT_BASE_URI: &str = "https://localhost";

/// How a [`Catalog`] makes and opens its databases.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CatalogOptions {
    /// What the sources of events begin with: `{base_uri}/db/{database}/streams/{category}`. Of a database that is made; it is
    /// kept with it, and one that is opened has its own. Default: `https://localhost`.
    pub base_uri: Arc<str>,
    /// How stores are opened. What [`Options::mode`] says does not count, but for [`OpenMode::ReadOnly`]: then nothing is
    /// written, made or deleted. Names are strict in databases that are made, unless [`Options::strict_names`] says no.
    pub store: Options,
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self { base_uri: DEFAULT_BASE_URI.into(), store: Options::default() }
    }
}

impl CatalogOptions {
    /// The default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`CatalogOptions::base_uri`].
    #[must_use]
    pub fn base_uri(mut self, base_uri: impl Into<Arc<str>>) -> Self {
        self.base_uri = base_uri.into();
        self
    }

    /// Sets [`CatalogOptions::store`].
    #[must_use]
    pub fn store(mut self, options: Options) -> Self {
        self.store = options;
        self
    }

    fn is_read_only(&self) -> bool {
        self.store.mode == OpenMode::ReadOnly
    }

    /// How a store is opened, or made.
    fn opening(&self, mode: OpenMode) -> Options {
        let strict_names = match mode {
            OpenMode::CreateNew => Some(self.store.strict_names.unwrap_or(true)),
            _ => self.store.strict_names,
        };
        Options { mode, strict_names, ..self.store.clone() }
    }
}

/// Databases by their names: a directory of stores, or the same in memory. Cheap to clone; clones are the same catalog.
///
/// A database is opened when it is first asked for, and stays open until the catalog is [closed](Catalog::close) or the last
/// clone and the last handle are dropped. Names are EvidentSource's: a letter, then 1 to 127 of a-z A-Z 0-9 - _ . in ASCII; so
/// none leads out of the directory.
///
/// Several processes may use one directory at once, as long as no two have the same database open.
///
/// ```
/// use stratalog::{Catalog, DatabaseError};
///
/// # fn main() -> stratalog::Result<()> {
/// let catalog = Catalog::in_memory(); // or on disk: Catalog::open("data")?
/// let bank = catalog.create("bank")?;
/// assert_eq!((bank.name(), catalog.list()?), ("bank", vec!["bank".to_owned()]));
/// assert!(matches!(catalog.create("bank"), Err(DatabaseError::AlreadyExists { .. })));
/// catalog.delete("bank")?;
/// assert!(matches!(catalog.database("bank"), Err(DatabaseError::NotFound { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

struct Shared {
    options: CatalogOptions,
    /// None in memory.
    directory: Option<Directory>,
    /// Those that are open. Held while one is opened, made or deleted, so that no two threads do it at once.
    open: Mutex<BTreeMap<String, Database>>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.shared.directory.as_ref().map(Directory::path);
        f.debug_struct("Catalog").field("path", &path).field("options", &self.shared.options).finish()
    }
}

impl Catalog {
    /// The catalog in a directory, which is made if it is not there, with the default options.
    ///
    /// # Errors
    /// [`DatabaseError::Open`] when the directory cannot be made or read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatabaseError> {
        Self::open_with(path, CatalogOptions::default())
    }

    /// The same with options of your choice. Removes what making or deleting a database left behind when it was cut short.
    ///
    /// # Errors
    /// [`DatabaseError::Open`] when the directory cannot be made or read, [`DatabaseError::Source`] for a base URI that is none.
    pub fn open_with(path: impl AsRef<Path>, options: CatalogOptions) -> Result<Self, DatabaseError> {
        let directory = Directory::open(path.as_ref(), options.is_read_only())?;
        Self::new(options, Some(directory))
    }

    /// A catalog in this process's memory, whose databases end with it: for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        let (options, open) = (CatalogOptions::default(), Mutex::default());
        Self { shared: Arc::new(Shared { options, directory: None, open }) }
    }

    /// The same with options of your choice; what is about files has no effect.
    ///
    /// # Errors
    /// [`DatabaseError::Source`] for a base URI that is none.
    pub fn in_memory_with(options: CatalogOptions) -> Result<Self, DatabaseError> {
        Self::new(options, None)
    }

    fn new(options: CatalogOptions, directory: Option<Directory>) -> Result<Self, DatabaseError> {
        // Any name does to see whether the base is one.
        DatabaseSource::new(&options.base_uri, "database")?;
        Ok(Self { shared: Arc::new(Shared { options, directory, open: Mutex::default() }) })
    }

    /// The names of all databases, in order of their bytes.
    ///
    /// # Errors
    /// [`DatabaseError::Open`] when the directory cannot be read.
    pub fn list(&self) -> Result<Vec<String>, DatabaseError> {
        match &self.shared.directory {
            Some(directory) => directory.list(),
            None => Ok(self.shared.open.lock().keys().cloned().collect()),
        }
    }

    /// Makes a database. All or nothing, whatever happens meanwhile.
    ///
    /// # Errors
    /// [`DatabaseError::AlreadyExists`], [`DatabaseError::Name`] for a name outside the rules, [`DatabaseError::Source`] for one
    /// that would make sources ambiguous, [`DatabaseError::Open`] and [`DatabaseError::Append`] of the store;
    /// [`AppendError::ReadOnly`] in a catalog for reading alone.
    pub fn create(&self, name: &str) -> Result<Database, DatabaseError> {
        self.check_writable(name)?;
        let source = self.source(name)?;
        let mut open = self.shared.open.lock();
        if open.contains_key(name) {
            return Err(DatabaseError::AlreadyExists { name: name.into() });
        }
        let options = self.shared.options.opening(OpenMode::CreateNew);
        let database = match &self.shared.directory {
            Some(directory) => {
                let make = |path: &Path| -> Result<(), DatabaseError> {
                    let store = EventStore::open_with(path, options.clone())?;
                    self.database_of(store.clone(), &source)?;
                    Ok(store.close()?)
                };
                directory.create(name, make)?;
                self.open_stored(directory, name)?
            }
            None => self.database_of(EventStore::new(MemoryAdapter::with_options(&options)), &source)?,
        };
        open.insert(name.to_owned(), database.clone());
        Ok(database)
    }

    /// The database of this name, opened if it is not open yet. A store that was put into the directory becomes a database.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`], [`DatabaseError::Name`] for a name outside the rules, [`DatabaseError::OtherSource`] when the
    /// directory holds a database that was made with another name, [`DatabaseError::Open`] of the store, with
    /// [`OpenError::AlreadyOpen`](crate::OpenError::AlreadyOpen) where it is open elsewhere.
    pub fn database(&self, name: &str) -> Result<Database, DatabaseError> {
        strict::identifier("database", name)?;
        let mut open = self.shared.open.lock();
        let is_in_memory = self.shared.directory.is_none();
        if let Some(database) = open.get(name).filter(|database| is_in_memory || !is_closed(database)) {
            return Ok(database.clone());
        }
        let Some(directory) = self.shared.directory.as_ref().filter(|directory| directory.has(name)) else {
            return Err(DatabaseError::NotFound { name: name.into() });
        };
        let database = self.open_stored(directory, name)?;
        open.insert(name.to_owned(), database.clone());
        Ok(database)
    }

    /// Deletes a database with all that is in it. That is final. Where this catalog has it open it is closed first: handles then
    /// say so. After a crash it is either as it was or gone; files of one that is gone and could not be removed are when the
    /// catalog is next opened.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`], [`DatabaseError::Name`] for a name outside the rules, [`DatabaseError::Open`] with
    /// [`OpenError::AlreadyOpen`](crate::OpenError::AlreadyOpen) where it is open elsewhere, [`DatabaseError::Append`] where it
    /// is open here and cannot be closed, [`AppendError::ReadOnly`] in a catalog for reading alone: it stays as it is then.
    pub fn delete(&self, name: &str) -> Result<(), DatabaseError> {
        self.check_writable(name)?;
        let mut open = self.shared.open.lock();
        if let Some(database) = open.get(name) {
            let closed = database.store().close();
            if let Err(error) = closed
                && !is_closed(database)
            {
                return Err(error.into());
            }
            open.remove(name);
            if self.shared.directory.is_none() {
                return Ok(());
            }
        }
        match &self.shared.directory {
            Some(directory) => directory.delete(name),
            None => Err(DatabaseError::NotFound { name: name.into() }),
        }
    }

    /// Closes all databases that are open here: whatever was appended is durable then, and handles say that they are closed. In
    /// memory the databases end. The catalog can be used on.
    ///
    /// # Errors
    /// The first error of [`EventStore::close`], after all others were closed; those that could not be closed stay open.
    pub fn close(&self) -> Result<(), DatabaseError> {
        let mut first = Ok(());
        self.shared.open.lock().retain(|_, database| {
            let closed = database.store().close();
            if first.is_ok() {
                first = closed.map_err(DatabaseError::from);
            }
            !is_closed(database)
        });
        first
    }

    /// Checks the name of what is to be made or deleted, and that anything may be.
    fn check_writable(&self, name: &str) -> Result<(), DatabaseError> {
        strict::identifier("database", name)?;
        if self.shared.options.is_read_only() { Err(AppendError::ReadOnly.into()) } else { Ok(()) }
    }

    fn source(&self, name: &str) -> Result<DatabaseSource, DatabaseError> {
        Ok(DatabaseSource::new(&self.shared.options.base_uri, name)?)
    }

    /// The database that a store is, or becomes.
    fn database_of(&self, store: EventStore, source: &DatabaseSource) -> Result<Database, DatabaseError> {
        Database::kept_or_new(store, source, self.shared.options.store.limits.transaction_events)
    }

    /// Opens a database that is there.
    fn open_stored(&self, directory: &Directory, name: &str) -> Result<Database, DatabaseError> {
        let mode = if self.shared.options.is_read_only() { OpenMode::ReadOnly } else { OpenMode::Existing };
        let store = EventStore::open_with(directory.path_of(name), self.shared.options.opening(mode))?;
        let given = self.source(name)?;
        let database = self.database_of(store, &given)?;
        if database.name() == name {
            return Ok(database);
        }
        Err(DatabaseError::OtherSource { stored: database.source().clone(), given })
    }
}

/// Whether a database's store is closed; it may be although closing it failed.
fn is_closed(database: &Database) -> bool {
    matches!(database.store().revision(), Err(ReadError::Closed))
}
