//! Giving a file its blocks, and bringing them into memory before they are stored into.

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that a narrow fill writes at once. Small writes make small pages in the page cache, of which a sync writes few.
const NARROW: usize = 64 << 10;
/// Bytes that a wide fill writes at once: then the page cache uses large pages, which make mapped writing cheap.
const WIDE: usize = 2 << 20;

/// What is written where zeros are wanted.
static ZEROS: [u8; NARROW] = [0; NARROW];

/// Allocates all blocks of a file, which then holds zeros. Says whether the system could; else the blocks are still to be
/// written.
pub(super) fn allocate(file: &File, length: u64) -> io::Result<bool> {
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes zeros from one offset to another, in small pieces.
pub(super) fn fill(file: &File, from: u64, to: u64) -> io::Result<()> {
    let mut offset = from;
    while offset < to {
        let piece = usize::try_from(to - offset).map_or(NARROW, |rest| rest.min(NARROW));
        file.write_all_at(ZEROS.get(..piece).unwrap_or(&ZEROS), offset)?;
        offset += piece as u64;
    }
    Ok(())
}

/// How far a file is in memory in large pages, ready to be stored into through its map.
///
/// Blocks that were allocated and never written read as zeros, before a crash and after it. So writing zeros over them changes
/// nothing but where they are: whoever comes to it first may do so at any time, as long as nothing else was written there.
#[derive(Debug)]
pub(super) struct Warmth {
    length: u64,
    warm: AtomicU64,
    /// Held by who writes the zeros.
    warming: Mutex<()>,
}

impl Warmth {
    /// Of a file whose first `warm` bytes may be stored into; all of them, if that is more than it has.
    pub(super) fn new(length: u64, warm: u64) -> Self {
        Self { length, warm: AtomicU64::new(warm.min(length)), warming: Mutex::new(()) }
    }

    /// Whether the file is warm up to `end`. Costs one load.
    #[inline]
    pub(super) fn is_warm(&self, end: u64) -> bool {
        self.warm.load(Ordering::Acquire) >= end.min(self.length)
    }

    /// Sees that the file is warm up to `end`.
    pub(super) fn reach(&self, file: &File, end: u64) -> io::Result<()> {
        while !self.is_warm(end) {
            self.step(file)?;
        }
        Ok(())
    }

    /// Warms a few pages more. Says whether there are others.
    pub(super) fn step(&self, file: &File) -> io::Result<bool> {
        self.step_by(|from, to| write_zeros(file, from, to))
    }

    fn step_by(&self, write: impl FnOnce(u64, u64) -> io::Result<()>) -> io::Result<bool> {
        let _warming = self.warming.lock();
        let from = self.warm.load(Ordering::Relaxed);
        let to = self.length.min(from + WIDE as u64);
        if from < to {
            write(from, to)?;
            // Whoever sees it stores behind the zeros.
            self.warm.store(to, Ordering::Release);
        }
        Ok(to < self.length)
    }
}

/// Writes up to [`WIDE`] zeros by one call, where the system takes them all at once.
fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let pieces = [IoSlice::new(&ZEROS); WIDE / NARROW];
    let whole = usize::try_from(to - from).unwrap_or(0) / NARROW;
    let wanted = pieces.get(..whole).unwrap_or_default();
    let written = match wanted {
        [] => 0,
        wanted => match rustix::io::pwritev(file, wanted, from) {
            Err(rustix::io::Errno::INTR) => 0,
            done => done?,
        },
    };
    fill(file, from + written as u64, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warming_leaves_what_was_stored_and_gives_zeros_where_nothing_was() {
        let file = tempfile::tempfile().unwrap();
        let length = 2 * WIDE as u64 + 5_000;
        assert!(allocate(&file, length).unwrap());
        let warmth = Warmth::new(length, 0);
        warmth.reach(&file, 1).unwrap();
        assert_eq!(warmth.warm.load(Ordering::Relaxed), WIDE as u64, "a few pages, and no more than are asked for");
        file.write_all_at(b"here", 4_096).unwrap();
        warmth.reach(&file, 4_100).unwrap();
        assert!(warmth.step(&file).unwrap());
        file.write_all_at(b"there", 2 * WIDE as u64 - 5).unwrap();
        assert!(!warmth.step(&file).unwrap() && !warmth.step(&file).unwrap());
        warmth.reach(&file, u64::MAX).unwrap();
        let mut bytes = vec![1; usize::try_from(length).unwrap()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!((&bytes[4_096..4_100], &bytes[2 * WIDE - 5..2 * WIDE]), (&b"here"[..], &b"there"[..]));
        assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 9, "zeros elsewhere");
    }

    #[test]
    fn a_file_that_cannot_be_written_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, [0; 8_192]).unwrap();
        let file = File::open(&path).unwrap();
        let warm = Warmth::new(8_192, u64::MAX);
        warm.reach(&file, u64::MAX).unwrap();
        assert!(!warm.step(&file).unwrap(), "nothing to do");
        let warmth = Warmth::new(8_192, 0);
        assert!(warmth.reach(&file, 1).is_err() && warmth.step(&file).is_err());
        warmth.reach(&file, 0).unwrap();
    }

    #[test]
    fn pages_are_warm_once_their_zeros_are_written_and_not_before() {
        let warmth = Warmth::new(3 << 20, 0);
        let more = warmth.step_by(|from, to| {
            assert!((from, to) == (0, 2 << 20) && !warmth.is_warm(1), "who stores now stores under the zeros");
            Ok(())
        });
        assert!(more.unwrap() && warmth.is_warm(2 << 20) && !warmth.is_warm(3 << 20));
        let failed = warmth.step_by(|_, _| Err(io::ErrorKind::Other.into()));
        assert!(failed.is_err() && !warmth.is_warm(3 << 20));
    }

    #[test]
    fn threads_that_warm_and_store_do_not_undo_each_other() {
        let file = tempfile::tempfile().unwrap();
        let length = 8 * WIDE as u64;
        allocate(&file, length).unwrap();
        let warmth = Warmth::new(length, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| while warmth.step(&file).unwrap() {});
            for offset in (0..length).step_by(65_536) {
                warmth.reach(&file, offset + 1).unwrap();
                file.write_all_at(&[7], offset).unwrap();
            }
        });
        let mut byte = [0];
        for offset in (0..length).step_by(65_536) {
            file.read_exact_at(&mut byte, offset).unwrap();
            assert_eq!(byte, [7], "at {offset}");
        }
    }
}
