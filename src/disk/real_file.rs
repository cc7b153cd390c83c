//! A file of the real disk, which need not stay open while nothing is written to it: there may be more than a process may open.

use super::blocks::Warmth;
use super::{DiskFile, Region};
use crate::vocabulary::error::IoFailure;
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Opens the file of this name itself, and not what a link of this name leads to.
pub(super) fn open_in_place(path: &Path, write: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(write).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options.open(path)
}

#[derive(Debug)]
pub(super) struct RealFile {
    /// Files get their last name after they are made.
    path: Mutex<PathBuf>,
    /// `None` while it is let go.
    file: ArcSwapOption<File>,
    /// Device and number: what tells it from another file of its name.
    identity: (u64, u64),
    length: u64,
    writable: bool,
    maps_are_safe: bool,
    /// Mapped at first use, once for all.
    region: OnceLock<Arc<Region>>,
    warmth: Warmth,
}

impl RealFile {
    /// A file of which `warm` bytes are in memory as its writer needs them.
    pub(super) fn new(path: PathBuf, file: File, writable: bool, maps_are_safe: bool, warm: u64) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self {
            path: Mutex::new(path),
            file: ArcSwapOption::from_pointee(file),
            identity: (found.dev(), found.ino()),
            length: found.len(),
            writable,
            maps_are_safe,
            region: OnceLock::new(),
            warmth: Warmth::new(found.len(), warm),
        })
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> IoFailure + '_ {
        move |error| IoFailure::new(doing, self.path(), error)
    }

    fn check(&self, offset: u64, length: usize) -> io::Result<()> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length) {
            let message = format!("{length} bytes at {offset} are beyond the file's {} bytes", self.length);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(())
    }

    /// The file, opened again if it was let go.
    fn opened(&self) -> io::Result<Arc<File>> {
        if let Some(file) = self.file.load_full() {
            return Ok(file);
        }
        let file = open_in_place(&self.path.lock(), self.writable)?;
        let found = file.metadata()?;
        if (found.dev(), found.ino()) != self.identity || found.len() != self.length {
            return Err(io::Error::other("another file has taken its place"));
        }
        Ok(Arc::new(file))
    }

    /// The same for who writes: it stays open.
    fn kept_open(&self) -> io::Result<Arc<File>> {
        let file = self.opened()?;
        if self.file.load().is_none() {
            self.file.store(Some(Arc::clone(&file)));
        }
        Ok(file)
    }
}

/// Syncs without trying again: a second sync after an interrupted one may report success for what the first one lost.
#[cfg(target_os = "linux")]
fn sync_data(file: &File) -> io::Result<()> {
    rustix::fs::fdatasync(file).map_err(Into::into)
}

/// The standard library asks the drive to flush too (`F_FULLFSYNC`) where `fdatasync` does not.
#[cfg(not(target_os = "linux"))]
fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

impl DiskFile for RealFile {
    fn path(&self) -> PathBuf {
        self.path.lock().clone()
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoFailure> {
        self.opened().and_then(|file| file.read_exact_at(buffer, offset)).map_err(self.failed("read"))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        self.check(offset, bytes.len()).map_err(self.failed("write"))?;
        let write = |file: Arc<File>| {
            self.warmth.reach(&file, offset + bytes.len() as u64)?;
            file.write_all_at(bytes, offset)
        };
        self.kept_open().and_then(write).map_err(self.failed("write"))
    }

    fn store(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        if !self.maps_are_safe {
            return self.write_at(offset, bytes);
        }
        let end = offset.saturating_add(bytes.len() as u64);
        if !self.warmth.is_warm(end) {
            self.kept_open().and_then(|file| self.warmth.reach(&file, end)).map_err(self.failed("allocate"))?;
        }
        match self.region.get() {
            Some(region) => region.write(offset, bytes),
            None => self.region()?.write(offset, bytes),
        }
        .map_err(self.failed("store"))
    }

    fn warm(&self) -> Result<bool, IoFailure> {
        self.kept_open().and_then(|file| self.warmth.step(&file)).map_err(self.failed("allocate"))
    }

    fn sync(&self) -> Result<(), IoFailure> {
        self.kept_open().and_then(|file| sync_data(&file)).map_err(self.failed("sync"))
    }

    fn region(&self) -> Result<Arc<Region>, IoFailure> {
        if let Some(region) = self.region.get() {
            return Ok(Arc::clone(region));
        }
        let mapped = self.opened().and_then(|file| Region::map(&file, self.writable));
        let region = Arc::new(mapped.map_err(self.failed("map"))?);
        // Whoever came first decides, so that there is one mark for the file and not two.
        Ok(Arc::clone(self.region.get_or_init(|| region)))
    }

    fn let_go(&self, name: &str) {
        self.path.lock().set_file_name(name);
        self.file.store(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, RealDisk, Writing};

    #[test]
    fn a_file_that_was_let_go_is_opened_again_unless_it_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let disk = RealDisk::new(directory.path()).unwrap();
        let made = disk.create("new.tmp", 8_192, Writing::Synced).unwrap();
        disk.rename("new.tmp", "one").unwrap();
        let open = || {
            let links = std::fs::read_dir("/proc/self/fd").unwrap();
            links
                .filter(|link| std::fs::read_link(link.as_ref().unwrap().path()).is_ok_and(|to| to == at("one")))
                .count()
        };
        assert_eq!(open(), 1);
        made.let_go("one");
        assert_eq!((open(), made.path()), (0, at("one")));
        let mut read = [1; 3];
        made.read_at(0, &mut read).unwrap();
        assert_eq!((read, open()), ([0; 3], 0), "who only reads closes it again");
        made.region().unwrap().publish(3);
        assert_eq!(open(), 0);
        made.write_at(1, b"x").unwrap();
        made.sync().unwrap();
        made.read_at(0, &mut read).unwrap();
        assert_eq!((&read, open()), (b"\0x\0", 1), "who writes keeps it");
        assert_eq!(made.region().unwrap().slice(0..3), Some(&b"\0x\0"[..]), "and the map is of the same file");
        made.let_go("one");
        let failure = |message: &str| {
            let failure = made.read_at(0, &mut [0; 3]).unwrap_err().to_string();
            assert!(failure.contains(message), "{failure}");
            assert!(made.write_at(0, b"x").is_err() && made.sync().is_err());
        };
        std::fs::copy(at("one"), at("copy")).unwrap();
        std::fs::rename(at("one"), at("two")).unwrap();
        failure("No such file");
        std::os::unix::fs::symlink(at("two"), at("one")).unwrap();
        failure("symbolic links");
        std::fs::rename(at("copy"), at("one")).unwrap();
        failure("another file has taken its place");
        std::fs::rename(at("two"), at("one")).unwrap();
        made.read_at(0, &mut read).unwrap();
        File::options().write(true).open(at("one")).unwrap().set_len(100).unwrap();
        failure("another file has taken its place");
    }
}
