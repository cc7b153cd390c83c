//! Putting a store out of the page cache.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

use rustix::fs::{Advice, fadvise, fdatasync};
use std::fs::File;
use std::path::Path;

/// Puts all files of a closed store out of the page cache. What is mapped, or not on disk yet, would stay.
pub fn forget(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = File::open(entry.unwrap().path()).unwrap();
        fdatasync(&file).unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    }
}
