//! The real disk: a directory of the file system.

use super::blocks;
use super::real_file::{RealFile, open_in_place};
use super::{Disk, DiskFile, Lock, Writing};
use crate::vocabulary::error::IoFailure;
use crate::vocabulary::time::Timestamp;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that carries the lock. It is never removed: a lock on a removed file is a lock on nothing.
pub(crate) const LOCK: &str = "LOCK";

/// A directory on a file system.
#[derive(Debug)]
pub(crate) struct RealDisk {
    path: PathBuf,
    /// Whether blocks that were written once are there for good, so that a store through a map cannot fault.
    maps_are_safe: bool,
}

impl RealDisk {
    /// The directory at `path`, which exists.
    pub(crate) fn new(path: &Path) -> Result<Self, IoFailure> {
        let kind = file_system(path)?;
        // Whole, since the process may go to another directory.
        let whole = std::path::absolute(path).map_err(|error| IoFailure::new("resolve", path, error))?;
        Ok(Self { path: whole, maps_are_safe: kind.maps_are_safe() })
    }

    fn file_path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn failed<'a>(&self, doing: &'static str, name: &'a str) -> impl FnOnce(io::Error) -> IoFailure + use<'_, 'a> {
        move |error| IoFailure::new(doing, self.file_path(name), error)
    }

    /// Allocates a file, so that every block is there and reads as zeros. Says how much of it is in memory as its writer
    /// needs it.
    fn give_blocks(&self, file: &File, length: u64, writing: Writing) -> io::Result<u64> {
        let allocated = blocks::allocate(file, length)?;
        match writing {
            Writing::Once if allocated => {}
            Writing::Mapped if allocated && self.maps_are_safe => return Ok(0),
            Writing::Once | Writing::Synced | Writing::Mapped => blocks::fill(file, 0, length)?,
        }
        Ok(u64::MAX)
    }

    /// The file for others to use, of which `warm` bytes are in memory as its writer needs them.
    fn wrap(&self, name: &str, file: File, writable: bool, warm: u64) -> Result<Arc<dyn DiskFile>, IoFailure> {
        let file = RealFile::new(self.file_path(name), file, writable, self.maps_are_safe, warm);
        Ok(Arc::new(file.map_err(self.failed("stat", name))?))
    }
}

/// What kind of file system a directory is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// Overwrites in place: ext2 to 4, tmpfs.
    InPlace,
    /// May write elsewhere: btrfs, zfs, xfs (a file that was copied by sharing its blocks gets new ones when it is written) and
    /// all that is not known.
    Other,
    /// On another machine.
    Network(&'static str),
}

impl FileSystem {
    fn maps_are_safe(self) -> bool {
        self == FileSystem::InPlace
    }
}

/// Asks what kind of file system `path` is on.
pub(crate) fn file_system(path: &Path) -> Result<FileSystem, IoFailure> {
    let stat = rustix::fs::statfs(path).map_err(|error| IoFailure::new("statfs", path, error.into()))?;
    #[cfg(target_os = "linux")]
    let magic = u32::try_from(stat.f_type & 0xffff_ffff).unwrap_or_default();
    #[cfg(not(target_os = "linux"))]
    let magic = {
        let _ = stat;
        0_u32
    };
    Ok(match magic {
        0xef53 | 0x0102_1994 => FileSystem::InPlace,
        0x6969 => FileSystem::Network("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => FileSystem::Network("SMB"),
        0x0102_1997 => FileSystem::Network("9P"),
        0x00c3_6400 => FileSystem::Network("Ceph"),
        _ => FileSystem::Other,
    })
}

impl Disk for RealDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> Result<Option<Box<dyn Lock>>, IoFailure> {
        let failed = |doing| self.failed(doing, LOCK);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(self.file_path(LOCK)).map_err(failed("open"))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
            }
            let held = file.metadata().map_err(failed("stat"))?;
            // A lock on a file that someone removed meanwhile locks nothing: take it again on the one that is there.
            match fs::metadata(self.file_path(LOCK)) {
                Ok(there) if there.ino() == held.ino() && there.dev() == held.dev() => {}
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("stat")(error)),
            }
            // Cut to its length after the writing, and never to nothing: some file systems flush a file that was emptied.
            let holder = format!("{}\n", std::process::id());
            file.write_all_at(holder.as_bytes(), 0).map_err(failed("write"))?;
            file.set_len(holder.len() as u64).map_err(failed("truncate"))?;
            return Ok(Some(Box::new(HeldLock::new(file, self.file_path(LOCK)))));
        }
    }

    /// Where nothing can be written at all, and there is no lock file, nobody else can open the store for writing either.
    fn lock_to_look(&self) -> Result<Option<Box<dyn Lock>>, IoFailure> {
        let failed = |doing| self.failed(doing, LOCK);
        let path = self.file_path(LOCK);
        let opened = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut options = OpenOptions::new();
                match options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path) {
                    Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&self.path),
                    made => made,
                }
            }
            opened => opened,
        };
        let file = opened.map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(HeldLock::new(file, path)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed("lock")(error)),
        }
    }

    fn list(&self) -> Result<Vec<String>, IoFailure> {
        let failed = |error| IoFailure::new("list", &self.path, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn create(&self, name: &str, length: u64, writing: Writing) -> Result<Arc<dyn DiskFile>, IoFailure> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(self.file_path(name)).map_err(self.failed("create", name))?;
        let warm = match self.give_blocks(&file, length, writing) {
            Ok(warm) => warm,
            Err(error) => {
                // Allocation is not atomic: what it took is given back, so that a full disk does not stay full because of us.
                drop(file);
                let _ = fs::remove_file(self.file_path(name));
                return Err(self.failed("allocate", name)(error));
            }
        };
        self.wrap(name, file, true, warm)
    }

    fn open(&self, name: &str, write: bool) -> Result<Arc<dyn DiskFile>, IoFailure> {
        let file = open_in_place(&self.file_path(name), write).map_err(self.failed("open", name))?;
        self.wrap(name, file, write, u64::MAX)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), IoFailure> {
        rename(&self.file_path(from), &self.file_path(to)).map_err(self.failed("rename", from))
    }

    fn remove(&self, name: &str) -> Result<(), IoFailure> {
        fs::remove_file(self.file_path(name)).map_err(self.failed("remove", name))
    }

    fn sync_directory(&self) -> Result<(), IoFailure> {
        let failed = |error| IoFailure::new("sync directory", &self.path, error);
        File::open(&self.path).map_err(failed)?.sync_all().map_err(failed)
    }

    fn random(&self) -> [u8; 16] {
        *uuid::Uuid::new_v4().as_bytes()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Who holds the lock of the store at `path`, as far as the lock file tells.
pub(crate) fn lock_holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path.join(LOCK)).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[derive(Debug)]
struct HeldLock {
    file: File,
    path: PathBuf,
    /// Who took it. A forked child has the open file too, and what it does to the lock it does to its parent's.
    process: u32,
}

impl HeldLock {
    fn new(file: File, path: PathBuf) -> Self {
        Self { file, path, process: std::process::id() }
    }
}

impl Lock for HeldLock {
    fn still_holds(&self) -> bool {
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(held), Ok(there)) => there.ino() == held.ino() && there.dev() == held.dev(),
            _ => false,
        }
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // Closing alone would not do: a child that was forked a moment ago, and has not begun its own program yet, holds the open
        // file too, and with it the lock. The child itself only closes: the lock is its parent's.
        if self.process == std::process::id() {
            let _ = self.file.unlock();
        }
    }
}

/// Gives a directory another name, for good. An error where that is taken.
pub(crate) fn rename_directory(from: &Path, to: &Path) -> Result<(), IoFailure> {
    rename(from, to).map_err(|error| IoFailure::new("rename", to, error))?;
    let absolute = std::path::absolute(to).map_err(|error| IoFailure::new("resolve", to, error))?;
    let Some(parent) = absolute.parent() else {
        return Ok(());
    };
    let synced = File::open(parent).and_then(|directory| directory.sync_all());
    synced.map_err(|error| IoFailure::new("sync parent directory", parent, error))
}

/// Renames without replacing. Where the file system cannot promise that, a look beforehand must do: the directory is locked.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            settled => return settled.map_err(Into::into),
        }
    }
    if to.try_exists()? {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists));
    }
    fs::rename(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_lock_is_free_even_while_a_forked_child_has_the_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(directory.path()).unwrap();
        let path = disk.file_path(LOCK);
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        // What a fork does to descriptors: one more of the same open file.
        let _inherited = file.try_clone().unwrap();
        let lock = HeldLock::new(file, path);
        assert!(disk.lock().unwrap().is_none(), "held");
        drop(lock);
        assert!(disk.lock().unwrap().is_some(), "free, though the child has not closed it yet");
    }

    #[test]
    fn a_forked_child_that_drops_the_lock_leaves_it_to_its_parent() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(directory.path()).unwrap();
        let path = disk.file_path(LOCK);
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        // As the child has it: the same open file, and another process than the one that took the lock.
        let inherited = file.try_clone().unwrap();
        let process = std::process::id() ^ 1;
        drop(HeldLock { file: inherited, path, process });
        assert!(disk.lock().unwrap().is_none(), "the parent holds it still");
        drop(file);
        assert!(disk.lock().unwrap().is_some());
    }
}
