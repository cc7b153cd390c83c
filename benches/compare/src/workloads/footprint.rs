//! What the files below a directory take on disk, and how much of it holds nothing yet.

use crate::error::{Error, Result};
use crate::sparse;
use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Bytes of one block as the system counts them.
const BLOCK: u64 = 512;
/// Bytes that are looked at in one go, and no fewer than what the disk gives out at once.
const STEP: u64 = 64 << 10;
const PAGE: u64 = 4 << 10;
/// Bytes that a file made ready may hold.
const BEGINNING: u64 = 16 << 10;

/// What files take on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes of blocks up to the last byte of each file that is not zero.
    pub used: u64,
    /// Bytes of blocks beyond that: room that was made ready and holds nothing yet.
    pub ready: u64,
}

impl Footprint {
    /// Of all files below a directory.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of(directory: &Path) -> Result<Self> {
        let mut all = Self::default();
        for entry in std::fs::read_dir(directory).map_err(Error::io(directory))? {
            let path = entry.map_err(Error::io(directory))?.path();
            let metadata = std::fs::symlink_metadata(&path).map_err(Error::io(&path))?;
            let one = if metadata.is_dir() { Self::of(&path)? } else { Self::of_file(&path, &metadata)? };
            all = Self { used: all.used + one.used, ready: all.ready + one.ready };
        }
        Ok(all)
    }

    fn of_file(path: &Path, metadata: &Metadata) -> Result<Self> {
        let allocated = metadata.blocks() * BLOCK;
        if !metadata.is_file() || allocated == 0 {
            return Ok(Self { used: allocated, ready: 0 });
        }
        let file = File::open(path).map_err(Error::io(path))?;
        let used = used(&file, metadata.len()).map_err(Error::io(path))?.min(allocated);
        Ok(Self { used, ready: allocated - used })
    }
}

/// Bytes of the file's data up to the last that is not zero, holes apart. Space that was only set aside counts as a hole.
fn used(file: &File, length: u64) -> std::io::Result<u64> {
    let (mut before, mut used) = (0, 0);
    for part in sparse::parts(file, length)? {
        if let Some(last) = last_byte(file, part.start, part.end)? {
            used = before + (last + 1 - part.start).next_multiple_of(PAGE);
        }
        before += part.end - part.start;
    }
    Ok(used)
}

/// Where the last byte that is not zero stands between two places.
fn last_byte(file: &File, begin: u64, end: u64) -> std::io::Result<Option<u64>> {
    let mut buffer = vec![0; STEP as usize];
    let mut to = end;
    while to > begin {
        let from = begin.max(to.saturating_sub(STEP));
        let part = &mut buffer[..(to - from) as usize];
        file.read_exact_at(part, from)?;
        if let Some(place) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(Some(from + place as u64));
        }
        to = from;
    }
    Ok(None)
}

/// How far the newest file with this ending is filled that holds more than its beginning, and how many bytes it has. Files are
/// made ready before they are needed, and hold a few bytes then.
///
/// # Errors
/// When the files cannot be read, or there is none.
pub fn share_used(directory: &Path, ending: &str) -> Result<(f64, u64)> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io(directory))? {
        let path = entry.map_err(Error::io(directory))?.path();
        if path.extension().is_some_and(|extension| extension == ending) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut found = None;
    for path in paths.iter().rev() {
        let file = File::open(path).map_err(Error::io(path))?;
        let bytes = file.metadata().map_err(Error::io(path))?.len();
        let end = last_byte(&file, 0, bytes).map_err(Error::io(path))?.map_or(0, |last| last + 1);
        found = Some((end as f64 / bytes.max(1) as f64, bytes));
        if end > BEGINNING {
            break;
        }
    }
    found.ok_or_else(|| Error::Broken(format!("{}: no file ends in {ending}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_count_for_nothing_and_folders_are_gone_through() {
        let directory = tempfile::tempdir().unwrap();
        File::create(directory.path().join("sparse")).unwrap().set_len(1 << 30).unwrap();
        std::fs::create_dir(directory.path().join("folder")).unwrap();
        std::fs::write(directory.path().join("folder/full"), vec![1; 100_000]).unwrap();
        let Footprint { used, ready } = Footprint::of(directory.path()).unwrap();
        assert!((100_000..110_000).contains(&used), "{used}");
        assert!(ready < 1_000_000, "{ready}");
    }

    #[test]
    fn zeros_at_the_end_are_room_and_zeros_between_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = vec![0; 1 << 20];
        bytes[300_000] = 1;
        std::fs::write(directory.path().join("file"), bytes).unwrap();
        let Footprint { used, ready } = Footprint::of(directory.path()).unwrap();
        assert!((300_001..310_000).contains(&used), "{used}");
        assert!(used + ready >= 1 << 20, "{ready}");
    }

    #[test]
    fn a_file_made_ready_is_not_the_active_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, used: usize| {
            let mut bytes = vec![0; 1 << 20];
            bytes[..used].fill(1);
            std::fs::write(directory.path().join(name), bytes).unwrap();
        };
        file("1.segment", 1 << 20);
        file("2.segment", 1 << 18);
        file("3.segment", 4_096);
        file("4.other", 1 << 20);
        assert_eq!(share_used(directory.path(), "segment").unwrap(), (0.25, 1 << 20));
        assert!(share_used(directory.path(), "none").is_err());
    }
}
