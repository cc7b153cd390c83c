//! The directory of a catalog on disk: databases come and go under their names in one step.

use crate::disk::{self, Disk, RealDisk};
use crate::engine::make_durable_directory;
use crate::log::segment_number;
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::error::{IoFailure, OpenError};
use crate::vocabulary::strict;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The file whose lock is held while a database is made or deleted, and while leftovers are removed.
const LOCK: &str = ".catalog-lock";

/// What the names of directories begin with that are not, or no longer, databases. No database's name begins so.
const UNNAMED: &str = ".unnamed-";

/// A directory whose subdirectories are databases.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory, made if need be, without leftovers; or as it is, where nothing may be written.
    ///
    /// # Errors
    /// [`DatabaseError::Open`].
    pub(super) fn open(path: &Path, read_only: bool) -> Result<Self, DatabaseError> {
        // Whole, since the process may go to another directory.
        let path = std::path::absolute(path).map_err(|error| IoFailure::new("resolve", path, error))?;
        let directory = Self { path };
        if read_only {
            directory.entries()?;
            return Ok(directory);
        }
        make_durable_directory(&directory.path)?;
        directory.remove_leftovers()?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database of a valid name is.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether there is a store under a valid name.
    pub(super) fn has(&self, name: &str) -> bool {
        let path = self.path_of(name);
        // Not behind a link: that would lead out of the directory.
        let is_directory = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        is_directory && fs::read_dir(path).is_ok_and(|mut files| files.any(|file| is_segment(&file)))
    }

    /// The names of all databases, in order of their bytes.
    ///
    /// # Errors
    /// [`DatabaseError::Open`].
    pub(super) fn list(&self) -> Result<Vec<String>, DatabaseError> {
        let mut names = self.entries()?;
        names.retain(|name| strict::identifier("database", name).is_ok() && self.has(name));
        names.sort_unstable();
        Ok(names)
    }

    /// Makes a database: `make` does it under a name that is none, which it then exchanges for its own.
    ///
    /// # Errors
    /// [`DatabaseError::AlreadyExists`], [`DatabaseError::Open`], and those of `make`.
    pub(super) fn create(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let path = self.path_of(name);
        let already_exists = || DatabaseError::AlreadyExists { name: name.into() };
        let _lock = self.lock()?;
        if path.symlink_metadata().is_ok() {
            return Err(already_exists());
        }
        let unnamed = self.unnamed();
        let made = make(&unnamed).and_then(|()| match disk::rename_directory(&unnamed, &path) {
            Err(failure) if failure.source.kind() == io::ErrorKind::AlreadyExists => Err(already_exists()),
            renamed => Ok(renamed?),
        });
        if made.is_err() {
            // What cannot be removed now is at the next opening.
            let _ = fs::remove_dir_all(&unnamed);
        }
        made
    }

    /// Deletes a database that nobody has open.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`], [`DatabaseError::Open`], with [`OpenError::AlreadyOpen`] where somebody has it open.
    pub(super) fn delete(&self, name: &str) -> Result<(), DatabaseError> {
        let path = self.path_of(name);
        let _lock = self.lock()?;
        if !self.has(name) {
            return Err(DatabaseError::NotFound { name: name.into() });
        }
        let store = RealDisk::new(&path)?;
        // Held until all is gone: who opens the store at this moment finds it locked, or gone.
        let Some(_store_lock) = store.lock()? else {
            let process = disk::lock_holder(&path);
            return Err(OpenError::AlreadyOpen { path, process }.into());
        };
        let unnamed = self.unnamed();
        disk::rename_directory(&path, &unnamed)?;
        // From here on it is deleted. What cannot be removed now is at the next opening.
        let _ = fs::remove_dir_all(&unnamed);
        Ok(())
    }

    /// Removes what was cut short, by whoever made or deleted it.
    fn remove_leftovers(&self) -> Result<(), DatabaseError> {
        let is_leftover = |name: &String| name.starts_with(UNNAMED);
        if !self.entries()?.iter().any(is_leftover) {
            return Ok(());
        }
        // Who is at it now has the lock; so what is there now was left.
        let _lock = self.lock()?;
        for name in self.entries()?.into_iter().filter(is_leftover) {
            let path = self.path.join(name);
            fs::remove_dir_all(&path).map_err(|error| IoFailure::new("remove", path, error))?;
        }
        Ok(())
    }

    /// The lock of the directory, among processes and among the catalogs of this one; waits for it.
    fn lock(&self) -> Result<Held, DatabaseError> {
        let path = self.path.join(LOCK);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| IoFailure::new("open", &path, error))?;
        file.lock().map_err(|error| IoFailure::new("lock", &path, error))?;
        Ok(Held(file))
    }

    /// A name that is nobody's, for what is not a database.
    fn unnamed(&self) -> PathBuf {
        self.path.join(format!("{UNNAMED}{}", uuid::Uuid::new_v4()))
    }

    /// All names in the directory that are UTF-8.
    fn entries(&self) -> Result<Vec<String>, DatabaseError> {
        let failed = |error| IoFailure::new("list", &self.path, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        Ok(names)
    }
}

/// The lock of a directory, until it is dropped.
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing alone would not do: a child that was just forked has the open file too.
        let _ = self.0.unlock();
    }
}

fn is_segment(file: &io::Result<fs::DirEntry>) -> bool {
    file.as_ref().is_ok_and(|file| segment_number(&file.file_name().to_string_lossy()).is_some())
}
