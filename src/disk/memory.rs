//! A disk in memory, for tests: files that are copied, damaged and opened again without a system call.
//!
//! Everything written is kept at once and for good: this disk knows no crash. A test makes one by copying the files with
//! [`MemoryDisk::files`] and doing to them what a crash could have done.

use super::{Disk, DiskFile, Lock, Region, Writing};
use crate::vocabulary::error::IoFailure;
use crate::vocabulary::time::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What the files of a disk hold, by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A directory of files in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk {
    files: Mutex<BTreeMap<String, Content>>,
    locked: Arc<AtomicBool>,
}

type Content = Arc<Mutex<Vec<u8>>>;

impl MemoryDisk {
    /// A disk with these files.
    pub(crate) fn new(files: Files) -> Self {
        let files = files.into_iter().map(|(name, bytes)| (name, Arc::new(Mutex::new(bytes)))).collect();
        Self { files: Mutex::new(files), locked: Arc::default() }
    }

    /// Copies of all files.
    pub(crate) fn files(&self) -> Files {
        self.files.lock().iter().map(|(name, content)| (name.clone(), content.lock().clone())).collect()
    }
}

fn failed(doing: &'static str, name: &str, kind: ErrorKind) -> IoFailure {
    IoFailure::new(doing, Path::new("memory").join(name), Error::from(kind))
}

impl Disk for MemoryDisk {
    fn path(&self) -> &Path {
        Path::new("memory")
    }

    fn lock(&self) -> Result<Option<Box<dyn Lock>>, IoFailure> {
        let taken = self.locked.swap(true, Ordering::AcqRel);
        Ok((!taken).then(|| Box::new(Held(Arc::clone(&self.locked))) as Box<dyn Lock>))
    }

    fn list(&self) -> Result<Vec<String>, IoFailure> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn create(&self, name: &str, length: u64, _writing: Writing) -> Result<Arc<dyn DiskFile>, IoFailure> {
        let mut files = self.files.lock();
        if files.contains_key(name) {
            return Err(failed("create", name, ErrorKind::AlreadyExists));
        }
        let length = usize::try_from(length).map_err(|_| failed("allocate", name, ErrorKind::OutOfMemory))?;
        let content: Content = Arc::new(Mutex::new(vec![0; length]));
        files.insert(name.to_owned(), Arc::clone(&content));
        Ok(Arc::new(MemoryFile::new(name, content)))
    }

    fn open(&self, name: &str, _write: bool) -> Result<Arc<dyn DiskFile>, IoFailure> {
        let content = self.files.lock().get(name).cloned();
        let content = content.ok_or_else(|| failed("open", name, ErrorKind::NotFound))?;
        Ok(Arc::new(MemoryFile::new(name, content)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), IoFailure> {
        let mut files = self.files.lock();
        if files.contains_key(to) {
            return Err(failed("rename", to, ErrorKind::AlreadyExists));
        }
        let content = files.remove(from).ok_or_else(|| failed("rename", from, ErrorKind::NotFound))?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), IoFailure> {
        let removed = self.files.lock().remove(name);
        removed.map(drop).ok_or_else(|| failed("remove", name, ErrorKind::NotFound))
    }

    fn sync_directory(&self) -> Result<(), IoFailure> {
        Ok(())
    }

    fn random(&self) -> [u8; 16] {
        *uuid::Uuid::new_v4().as_bytes()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[derive(Debug)]
struct Held(Arc<AtomicBool>);

impl Lock for Held {
    fn still_holds(&self) -> bool {
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A file in memory. Its region is a copy that this handle's writes go to as well: like the engine, a test opens a file that it
/// reads by its region once.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    name: String,
    content: Content,
    length: u64,
    region: OnceLock<Arc<Region>>,
    read: AtomicU64,
}

impl MemoryFile {
    /// A file of its own, on no disk.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self::new("file", Arc::new(Mutex::new(bytes)))
    }

    fn new(name: &str, content: Content) -> Self {
        let length = content.lock().len() as u64;
        Self { name: name.to_owned(), content, length, region: OnceLock::new(), read: AtomicU64::new(0) }
    }

    /// How many bytes [`DiskFile::read_at`] has read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn range(&self, doing: &'static str, offset: u64, length: usize) -> Result<std::ops::Range<usize>, IoFailure> {
        let beyond = || failed(doing, &self.name, ErrorKind::InvalidInput);
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.length).ok_or_else(beyond)?;
        Ok(usize::try_from(offset).map_err(|_| beyond())?..usize::try_from(end).map_err(|_| beyond())?)
    }
}

impl DiskFile for MemoryFile {
    fn path(&self) -> PathBuf {
        Path::new("memory").join(&self.name)
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoFailure> {
        let range = self.range("read", offset, buffer.len())?;
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        buffer.copy_from_slice(self.content.lock().get(range).unwrap_or_default());
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        let range = self.range("write", offset, bytes.len())?;
        let mut content = self.content.lock();
        if let Some(slot) = content.get_mut(range) {
            slot.copy_from_slice(bytes);
        }
        match self.region.get() {
            Some(region) => region.write(offset, bytes).map_err(|error| failed("store", &self.name, error.kind())),
            None => Ok(()),
        }
    }

    fn store(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        self.write_at(offset, bytes)
    }

    fn sync(&self) -> Result<(), IoFailure> {
        Ok(())
    }

    fn region(&self) -> Result<Arc<Region>, IoFailure> {
        let content = self.content.lock();
        if let Some(region) = self.region.get() {
            return Ok(Arc::clone(region));
        }
        Ok(Arc::clone(self.region.get_or_init(|| Arc::new(Region::in_memory(&content)))))
    }
}
