//! Floor 2: the few duties asked of a disk, each with its promise at a crash.
//!
//! What a crash (a power cut, or a killed machine) may leave is what the promises do not rule out: any subset of the lines that
//! were written and not synced, in any order; a length before its data, and data before its length; a name without its content.

mod blocks;
mod fork;
#[cfg(feature = "testing")]
mod memory;
mod patient;
mod provided;
mod real;
mod real_file;
mod region;
#[cfg(feature = "testing")]
mod shutdown;
#[cfg(feature = "testing")]
mod simulated;

pub(crate) use fork::ForkGuard;
#[cfg(feature = "testing")]
pub(crate) use memory::{Files as MemoryFiles, MemoryDisk, MemoryFile};
pub(crate) use patient::PatientFile;
pub(crate) use real::{FileSystem, RealDisk, file_system, lock_holder, rename_directory};
pub(crate) use region::{Region, RegionBytes};
#[cfg(feature = "testing")]
pub use shutdown::{Shutdown, shut_down, write_back};
#[cfg(feature = "testing")]
pub(crate) use simulated::{Duty, Fault, Image, SimulatedDisk};

use crate::vocabulary::error::IoFailure;
use crate::vocabulary::time::Timestamp;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory of files, all of one store.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    /// The directory, for messages.
    fn path(&self) -> &Path;

    /// Takes the store's lock, for as long as what is returned lives. Another holder: `None`.
    fn lock(&self) -> Result<Option<Box<dyn Lock>>, IoFailure>;

    /// Takes the lock for who only looks, and writes nothing into the file that carries it.
    fn lock_to_look(&self) -> Result<Option<Box<dyn Lock>>, IoFailure> {
        self.lock()
    }

    /// The names of all files, in no order.
    fn list(&self) -> Result<Vec<String>, IoFailure>;

    /// Makes a file of `length` zeros, all of whose blocks are allocated, so that writing within it needs no more space. After a
    /// crash before [`Disk::sync_directory`] it may be there or not; before [`DiskFile::sync`], with any content. On an error
    /// there is no such file.
    fn create(&self, name: &str, length: u64, writing: Writing) -> Result<Arc<dyn DiskFile>, IoFailure>;

    /// Opens a file: for reading and writing, or for reading alone.
    fn open(&self, name: &str, write: bool) -> Result<Arc<dyn DiskFile>, IoFailure>;

    /// Renames a file. An error where the new name is taken: nothing is ever replaced. After a crash before
    /// [`Disk::sync_directory`] either name may stand.
    fn rename(&self, from: &str, to: &str) -> Result<(), IoFailure>;

    /// Removes a file's name. After a crash before [`Disk::sync_directory`] it may be back.
    fn remove(&self, name: &str) -> Result<(), IoFailure>;

    /// Makes names durable: files that were made, renamed or removed before stay so.
    fn sync_directory(&self) -> Result<(), IoFailure>;

    /// Random bytes, for ids, salts and hash tables. They come from here, and so does the time, because a simulated disk gives
    /// the same ones again for the same seed.
    fn random(&self) -> [u8; 16];

    /// The time, for people to read in the headers of files.
    fn now(&self) -> Timestamp;
}

/// How a file that is being made will be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// In whole, by whoever makes it.
    Once,
    /// By system calls, a little at a time, with a sync after each: its zeros are on the disk before.
    Synced,
    /// By [`DiskFile::store`].
    Mapped,
}

/// A lock on a store. Dropping it lets go.
pub(crate) trait Lock: Send + Sync + fmt::Debug {
    /// Whether the lock still keeps others out: somebody may have removed the file that carries it.
    fn still_holds(&self) -> bool;
}

/// A file of fixed length.
pub(crate) trait DiskFile: Send + Sync + fmt::Debug {
    /// The file's path, for messages.
    fn path(&self) -> PathBuf;

    /// The file's length in bytes.
    fn length(&self) -> u64;

    /// Reads exactly as many bytes as `buffer` holds, by a system call: a bad sector is an error, not a signal.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoFailure>;

    /// Writes all bytes by system calls, within the file's length. Readers of the region see them when it returns. After a crash
    /// before the next [`DiskFile::sync`], each line written may have its old or its new content.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure>;

    /// Writes all bytes the quickest way that is safe for this file: through its map, or else as [`DiskFile::write_at`]. After a
    /// crash before the next [`DiskFile::sync`], each line may have any content it had since the last one, half-copied included.
    fn store(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure>;

    /// Brings a few pages more of a file that was made for [`DiskFile::store`] into memory, so that nobody who stores has to wait
    /// for that. Says whether there are others. Whatever the file says, and what of it is durable, stays as it is.
    fn warm(&self) -> Result<bool, IoFailure> {
        Ok(false)
    }

    /// Makes everything written before durable. After an error nothing is known of what was written since the last success, nor
    /// would a second call tell.
    fn sync(&self) -> Result<(), IoFailure>;

    /// The file's bytes in memory, for readers. They stay, whatever becomes of the file.
    fn region(&self) -> Result<Arc<Region>, IoFailure>;

    /// Closes the file, which has this name by now, until it is needed: it is opened again for each read, and for good by who
    /// writes or syncs, if it is still the same. For files that are durable and no longer written to: there may be many.
    fn let_go(&self, _name: &str) {}
}
